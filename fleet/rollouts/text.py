"""Rollouts on a terminal of 80 columns."""

from typing import Any

import typer

from fleet.cli.terminal import print_table, say
from fleet.rollouts.trial import TraitComparison, Trial

Document = dict[str, Any]


def print_list(rollouts: list[Document]) -> None:
    """One line for each."""
    rows = [(one["id"], _words(one["state"]), f"{one['created_at']:%F %R}", one["says"]) for one in rollouts]
    print_table(("rollout", "state", "since (UTC)", "says"), rows, "no rollout yet: canopy-fleet rollout create")


def print_rollout(rollout: Document) -> None:
    """What it brings, how it stands, and its waves."""
    models = " against ".join(f"{model['name']} {model['version']}" for model in rollout["models"])
    typer.echo(f"{rollout['id']}: {models}, {len(rollout['devices'])} devices")
    state, says = _words(rollout["state"]), rollout["says"]
    say(says if says.startswith(state) else f"{state}: {says}")
    headings = ("wave", "devices", "told", "ok", "failed", "back", "state", "takes")
    print_table(headings, [_wave_row(wave) for wave in rollout["waves"]])


def print_devices(rollout: Document, *, every: bool) -> None:
    """The devices that failed or are still to go back, or all."""
    shown = [one for one in rollout["devices"] if every or one["failure"] or one["standing"] == "returning"]
    if shown:
        typer.echo("")
        rows = [
            (one["device"], one["hardware"] or "?", _words(one["standing"]), one["active"] or "-", _why(one))
            for one in shown
        ]
        print_table(("device", "hardware", "stands", "runs", "why"), rows)


def print_trial(trial: Trial) -> None:
    """A and B, trait by trait."""
    for letter, version, devices in zip("AB", trial.versions, trial.devices, strict=True):
        typer.echo(f"{letter} is {version} on {devices} devices")
    left_out = f"; {trial.left_out} devices confirmed later and are left out" if trial.left_out else ""
    typer.echo(f"readings since {trial.since:%F %R} UTC{left_out}")
    headings = ("trait", "A", "B", "B - A, 95 %", "devices", "readings")
    print_table(headings, [_trait_row(trait) for trait in trial.traits], "no readings in this period yet")
    if any(trait.difference and trait.difference.differs for trait in trial.traits):
        typer.echo("* the interval leaves out zero")


def _wave_row(wave: Document) -> tuple[Any, ...]:
    counts = wave["counts"]
    told, going = wave["devices"] - counts["waiting"], counts["returned"] + counts["returning"]
    takes = f"{wave['name']}: {wave['selects']}" if wave["name"] else wave["selects"]
    back = f"{counts['returned']}/{going}" if going else "0"
    failed = sum(wave["failures"].values())
    return wave["number"], wave["devices"], told, counts["succeeded"], failed, back, wave["state"], takes


def _why(one: Document) -> str:
    words = [one["failure"] and _words(one["failure"]), one["phase"], one["reason"]]
    return ": ".join(word for word in words if word) or ("" if one["online"] else "offline")


def _trait_row(trait: TraitComparison) -> tuple[str, ...]:
    numbers = (f"{len(trait.a.means)}+{len(trait.b.means)}", f"{trait.a.observations}+{trait.b.observations}")
    difference = trait.difference
    if difference is None:
        return trait.trait, "-", "-", "one has none", *numbers
    if difference.low is None:
        interval = f"{difference.shift:+.3g}, too few"
    else:
        mark = " *" if difference.differs else ""
        interval = f"{difference.low:+.3g} to {difference.high:+.3g}{mark}"
    return trait.trait, f"{difference.median_a:.4g}", f"{difference.median_b:.4g}", interval, *numbers


def _words(name: str) -> str:
    return name.replace("_", " ")
