"""The page of the rollouts: every wave device by device, drawn on the server."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from fleet import registry
from fleet.pages import page
from fleet.rollouts import views
from fleet.rollouts.rollout import Standing

MAX_ROLLOUTS = 20
MAX_MODELS = 20
MAX_SQUARES = 600
MAX_FAILURES = 20
MAX_NAMES = 12

WORDS = {
    Standing.SUCCEEDED.value: "confirmed",
    Standing.UNDER_WAY.value: "under way",
    Standing.OFFERED.value: "told",
    Standing.WAITING.value: "waiting",
    Standing.FAILED.value: "failed",
    Standing.RETURNING.value: "going back",
    Standing.RETURNED.value: "back",
}
"""What the standings are called, in the order in which a wave's squares stand."""

_STEPS = {
    "running": (("pause", "Pause", ""), ("abort", "Abort", "Abort this rollout? Devices that have it keep it.")),
    "paused": (("resume", "Resume", ""), ("abort", "Abort", "Abort this rollout? Devices that have it keep it.")),
}
"""What an operator can do in each state: the step, its word, and what is asked before."""

_ORDER = {standing: number for number, standing in enumerate(WORDS)}

Document = dict[str, Any]


def draw(connection: Connection, *, receiving: bool) -> str:
    """The page as HTML. ``receiving``: whether messages can arrive and are stored."""
    found = views.list_rollouts(connection, MAX_ROLLOUTS)
    return page.draw(
        "rollouts.html",
        receiving=receiving,
        rollouts=[_rollout(one) for one in found],
        more_rollouts=views.count_rollouts(connection) - len(found),
        models=registry.list_models(connection)[:MAX_MODELS],
        words=WORDS,
    )


def _rollout(found: Document) -> Document:
    devices = [{**one, "says": _says(one)} for one in found["devices"]]
    return {
        **found,
        "steps": _STEPS.get(found["state"], ()),
        "waves": [_wave(wave, devices) for wave in found["waves"]],
        "legend": [standing for standing in WORDS if found["counts"][standing]],
        "own_name": found["id"] != "-".join((found["models"][0]["name"], found["models"][0]["version"])),
        "shadows": [{**shadow, "histograms": _histograms(shadow)} for shadow in found["shadows"]],
        "failures": _failures(devices),
    }


def _failures(devices: Sequence[Document]) -> list[Document]:
    """What failed in the same way on the same hardware, together, the most frequent first."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in devices:
        if one["failure"]:
            cause = ": ".join(part for part in (one["failure"].replace("_", " "), one["reason"]) if part)
            alike[one["hardware"] or "unknown hardware", cause].append(one["device"])
    return [
        {"count": len(names), "hardware": hardware, "cause": cause, "names": names[:MAX_NAMES]}
        for (hardware, cause), names in sorted(alike.items(), key=lambda item: -len(item[1]))[:MAX_FAILURES]
    ]


def _wave(wave: Document, devices: Sequence[Document]) -> Document:
    members = [one for one in devices if one["wave"] == wave["number"]]
    members.sort(key=lambda one: _ORDER[one["standing"]])
    counted = [f"{wave['counts'][standing]} {word}" for standing, word in WORDS.items() if wave["counts"][standing]]
    if wave["away"]:
        counted.append(f"{wave['away']} not there")
    soaks = wave["soaked_s"] is not None and wave["state"] == "soaking"
    left = views.duration(max(0.0, wave["soak_s"] - (wave["soaked_s"] or 0.0)))
    return {
        **wave,
        "squares": members[:MAX_SQUARES],
        "told": " · ".join(counted) or "nobody",
        "soaks": f"soaks {left} more" if soaks else "",
    }


def _says(one: Document) -> str:
    """What is the matter with a device, in one line."""
    failed = one["failure"] and one["failure"].replace("_", " ")
    word = WORDS[one["standing"]] if not failed or one["standing"] in {"returning", "returned"} else ""
    phase = one["phase"] and one["phase"].replace("_", " ")
    parts = [word, failed, phase, one["reason"], "" if one["online"] else "offline", "held" if one["held"] else ""]
    return ": ".join(part for part in parts if part)


def _histograms(shadow: Document) -> list[Document]:
    """Those that were reported, with what each bin stands for. Where the two models agree is marked."""
    drawn = []
    for bins, title, low, high, agree in (
        ("count_bins", "Count", "8 fewer", "8 more", "middle"),
        ("area_bins", "Plant area", "a quarter", "fourfold", "middle"),
        ("class_bins", "Same class", "nowhere", "everywhere", "last"),
    ):
        counts = shadow[bins]
        if sum(counts):
            best = len(counts) - 1 if agree == "last" else len(counts) // 2
            share = counts[best] / sum(counts)
            drawn.append(
                {
                    "title": title,
                    "low": low,
                    "high": high,
                    "counts": ",".join(map(str, counts)),
                    "best": best,
                    "says": f"{share:.0%} {'in the top bin' if agree == 'last' else 'equal'}",
                }
            )
    return drawn
