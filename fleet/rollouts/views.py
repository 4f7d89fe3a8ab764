"""What the page, the API and the command line show of rollouts: read-only questions to the store."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, func, select

from edge.contract.control import Phase, ShadowReport
from fleet import schema
from fleet.errors import NotFound
from fleet.rollouts.advance import going_back
from fleet.rollouts.judgement import executed, needed
from fleet.rollouts.plan import Selector, Wave
from fleet.rollouts.rollout import (
    ENDED,
    GOING_ON,
    TOLD,
    Facts,
    Participant,
    Rollout,
    Standing,
    State,
)
from fleet.rollouts.rows import read_facts, read_rollout
from fleet.rollouts.standing import reachable

Document = dict[str, Any]


def list_rollouts(connection: Connection, limit: int = 100) -> list[Document]:
    """Every rollout, the newest first, each as ``rollout`` gives it."""
    table = schema.rollouts
    names = connection.execute(select(table.c.id).order_by(table.c.created_at.desc()).limit(limit)).scalars().all()
    return documents(connection, names)


def documents(connection: Connection, names: Sequence[str]) -> list[Document]:
    """These rollouts, each as ``rollout`` gives it."""
    fleet = read_facts(connection) if names else {}
    return [_document(connection, name, fleet) for name in names]


def count_rollouts(connection: Connection) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(schema.rollouts)).scalar_one()


def rollout(connection: Connection, rollout_id: str) -> Document:
    """One rollout: its waves with their counts, its devices, and what it waits for.

    Raises:
        NotFound: there is none of this name.
    """
    return _document(connection, rollout_id, read_facts(connection))


def _document(connection: Connection, rollout_id: str, fleet: Mapping[str, Facts]) -> Document:
    found = read_rollout(connection, rollout_id)
    if found is None:
        raise NotFound(f"there is no rollout {rollout_id}; canopy-fleet rollout status lists all")
    table = schema.rollouts
    row = connection.execute(select(table.c.created_at, table.c.changed_at).where(table.c.id == rollout_id)).one()
    now = datetime.now(timezone.utc)
    return {
        "id": found.id,
        "state": found.state.value,
        "reason": found.reason,
        "models": [arm.model.model_dump() for arm in found.arms],
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "wave": found.wave + 1,
        "says": sentence(found, fleet, now),
        "waves": [_wave(found, number, wave, fleet, now) for number, wave in enumerate(found.plan.waves)],
        "counts": _counts(found.participants.values()),
        "devices": [_device(found, name, one, fleet.get(name)) for name, one in found.participants.items()],
        "shadows": _shadows(found, fleet),
        "plan": found.plan.model_dump(mode="json"),
    }


def sentence(found: Rollout, fleet: Mapping[str, Facts], now: datetime) -> str:
    """What is the matter, for a person who looks in: what the rollout waits for, or how it ended."""
    counts = Counter(one.standing for one in found.participants.values())
    kept, returning = counts[Standing.SUCCEEDED], going_back(found, fleet)
    back = f"{returning} devices are still to go back" if returning else "everybody told is back"
    why = f" ({found.reason})" if found.reason else ""
    match found.state:
        case State.DONE:
            failed = f", {counts[Standing.FAILED]} failed" if counts[Standing.FAILED] else ""
            return f"done: {kept} of {len(found.participants)} devices confirmed it{failed}"
        case State.HALTED:
            return f"{found.reason}; {back}" + (f", {kept} keep it" if kept and not returning else "")
        case State.ABORTED:
            return f"aborted{why}: {kept} devices keep it; {back}"
        case State.ROLLED_BACK:
            return f"rolled back{why}: {back}"
        case _:
            return _waits_for(found, fleet, now)


def _waits_for(found: Rollout, fleet: Mapping[str, Facts], now: datetime) -> str:
    wave, members = found.plan.waves[found.wave], found.members(found.wave)
    place = f"wave {found.wave + 1} of {len(found.plan.waves)}"
    if found.state is State.PAUSED:
        why = f" ({found.reason})" if found.reason else ""
        return f"paused in {place}{why}; canopy-fleet rollout resume {found.id} goes on"
    if found.soak_since is not None and found.wave + 1 < len(found.plan.waves):
        left_s = max(0.0, (found.soak_since + timedelta(seconds=wave.soak_s) - now).total_seconds())
        return f"{place} is good and soaks for {duration(left_s)} more"
    away = [name for name, one in found.participants.items() if _is_away(found, one, fleet.get(name))]
    waits = f" (offline or held: {len(away)}, as {away[0]})" if away else ""
    if found.soak_since is not None:
        missing = len(found.participants) - executed(found.participants.values())
        return f"every wave is good; waiting for {missing} devices{waits}"
    return f"{place}: {executed(members.values())} of {len(members)} devices have ended{waits}"


def _is_away(found: Rollout, one: Participant, facts: Facts | None) -> bool:
    return one.place.wave <= found.wave and not reachable(one, facts)


def duration(seconds: float) -> str:
    """In the two largest units: ``2 d 3 h``, ``5 min``, ``40 s``."""
    parts: list[str] = []
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length_s)
        if count or (unit == "s" and not parts):
            parts.append(f"{count:.0f} {unit}")
    return " ".join(parts[:2])


def _wave(found: Rollout, number: int, wave: Wave, fleet: Mapping[str, Facts], now: datetime) -> Document:
    members = found.members(number)
    counts = _counts(members.values())
    failures = Counter(one.failure.value for one in members.values() if one.failure is not None)
    return {
        "number": number + 1,
        "name": wave.name,
        "selects": describe(wave),
        "state": _wave_state(found, number, members),
        "devices": len(members),
        "needed": needed(wave, len(members)),
        "executed": executed(members.values()),
        "away": sum(_is_awaited(found, one) and not reachable(one, fleet.get(name)) for name, one in members.items()),
        "counts": counts,
        "failures": dict(failures),
        "soak_s": wave.soak_s,
        "soaked_s": max(0.0, (now - found.soak_since).total_seconds())
        if found.soak_since is not None and number == found.wave
        else None,
    }


def _is_awaited(found: Rollout, one: Participant) -> bool:
    return found.state in GOING_ON or one.standing is Standing.RETURNING


def _wave_state(found: Rollout, number: int, members: Mapping[str, Participant]) -> str:
    told = any(one.standing is not Standing.WAITING for one in members.values())
    if found.state is State.ROLLED_BACK:
        return "rolled back" if told else "not begun"
    if number < found.wave or found.state is State.DONE:
        return "passed"
    if found.state in GOING_ON:
        if number > found.wave:
            return "waiting"
        soaks = found.soak_since is not None and number + 1 < len(found.plan.waves)
        return "soaking" if soaks else "under way"
    return found.state.value.replace("_", " ") if told else "not begun"


def describe(wave: Wave) -> str:
    """Which devices a wave takes: ``up to 25 %``, ``tag canary``, ``up to 10 % of site north``."""
    chosen = _selection(wave.select)
    if wave.percent == 100:
        return chosen or "all"
    return f"up to {wave.percent:g} %" + (f" of {chosen}" if chosen else "")


def _selection(selector: Selector) -> str:
    fields = (
        ("site", selector.sites),
        ("hardware", selector.hardware),
        ("tag", selector.tags),
        ("device", selector.devices),
    )
    return ", ".join(f"{word} {' or '.join(values)}" for word, values in fields if values)


def _counts(members: Iterable[Participant]) -> dict[str, int]:
    counted = Counter(one.standing for one in members)
    return {standing.value: counted[standing] for standing in Standing}


def _device(found: Rollout, name: str, one: Participant, facts: Facts | None) -> Document:
    report = facts.report if facts is not None else None
    ours = facts is not None and facts.owner == found.id
    phase = report.phase if report is not None and ours and one.standing in TOLD - ENDED else None
    return {
        "device": name,
        "hardware": facts.traits.hardware if facts is not None else None,
        "online": facts is not None and facts.online,
        "held": report is not None and report.held,
        "wave": one.place.wave + 1,
        "version": found.target(one).version,
        "standing": one.standing.value,
        "phase": phase.value if phase is not None and phase is not Phase.IDLE else None,
        "progress": report.progress if report is not None and phase is not None else None,
        "failure": one.failure.value if one.failure is not None else None,
        "reason": one.reason,
        "previous": one.previous.version if one.previous is not None else None,
        "active": report.active.version if report is not None and report.active is not None else None,
        "confirmed_at": one.confirmed_at,
    }


def _shadows(found: Rollout, fleet: Mapping[str, Facts]) -> list[Document]:
    """For each model, how it differs from the one in force on live pictures: all devices' histograms, added up."""
    added = []
    for arm in found.arms:
        reports = [
            facts.report.shadow
            for name, facts in fleet.items()
            if name in found.participants
            and facts.report.shadow
            and facts.report.shadow.model.digest == arm.model.digest
        ]
        if reports:
            added.append(
                {
                    "version": arm.model.version,
                    "devices": len(reports),
                    "pictures": sum(report.pictures for report in reports),
                    **{bins: _sum(reports, bins) for bins in ("count_bins", "area_bins", "class_bins")},
                }
            )
    return added


def _sum(reports: Iterable[ShadowReport], bins: str) -> list[int]:
    """Bin by bin; a report with another number of bins is from another release and is left out."""
    found = [getattr(report, bins) for report in reports if getattr(report, bins)]
    width = Counter(map(len, found)).most_common(1)[0][0] if found else 0
    return [sum(column) for column in zip(*(one for one in found if len(one) == width), strict=True)]
