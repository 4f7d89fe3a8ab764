"""What people do to rollouts: each in one transaction, with its entry in the audit log.

Nothing is sent to devices here. A command changes what stands in the store; the running service sees it at its next
look and tells the devices, so commands are safe from any process and need no service at all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, select

from edge.contract.control import ModelRef
from fleet import audit, registry, schema, statements
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.rollouts.advance import enrolled
from fleet.rollouts.plan import Plan, Tag
from fleet.rollouts.rollout import GOING_ON, Arm, Rollout, State
from fleet.rollouts.rows import read_facts, read_rollout, save_rollout

_TAG: TypeAdapter[str] = TypeAdapter(Tag)
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")

_FROM = {
    State.PAUSED: frozenset({State.RUNNING}),
    State.RUNNING: frozenset({State.PAUSED}),
    State.ABORTED: GOING_ON,
    State.ROLLED_BACK: frozenset(State) - {State.ROLLED_BACK},
}
_WORDS = {
    State.PAUSED: "pause",
    State.RUNNING: "resume",
    State.ABORTED: "abort",
    State.ROLLED_BACK: "rollback",
}


def create(
    connection: Connection,
    models: Sequence[ModelRef],
    plan: Plan,
    who: str,
    rollout_id: str | None = None,
    published: Mapping[str, frozenset[str]] | None = None,
) -> Rollout:
    """Begin a rollout of one model, or of two against each other.

    Args:
        connection: the store's, of a transaction that may write.
        models: one, or A and B.
        plan: its waves, and when to stop.
        who: for the audit log.
        rollout_id: its name; from the models if there is none.
        published: for which hardware the repository has each model, by digest; without it, what the registry says.

    Raises:
        PlanError: the name cannot be used, or the two models are one.
        NotPossible: no device would take part, or one of them is in another rollout that goes on.
    """
    if len({model.digest for model in models}) < len(models):
        raise PlanError(f"{models[0].name} {models[0].version} against itself compares nothing; name two models")
    name = _free_name(connection, models, rollout_id)
    arms = tuple(Arm(model, _hardware(connection, model, published)) for model in models)
    rollout = enrolled(Rollout(name, plan, arms), read_facts(connection))
    _refuse_nobody(rollout)
    _refuse_busy(connection, rollout)
    save_rollout(connection, None, rollout, datetime.now(timezone.utc), still_open=True)
    counts = [len(rollout.members(number)) for number in range(len(plan.waves))]
    for model in models:
        subject = f"{name}: {model.name} {model.version}"
        audit.record(connection, who, "rollout create", subject, model.digest, devices=counts)
    return rollout


def steer(connection: Connection, rollout_id: str, state: State, who: str, reason: str = "") -> Rollout:
    """Pause, resume, abort or roll back.

    Raises:
        NotFound: there is no such rollout.
        NotPossible: it is in no state for that.
    """
    rollout = read_rollout(connection, rollout_id, lock=True)
    if rollout is None:
        raise NotFound(f"there is no rollout {rollout_id}; canopy-fleet rollout status lists all")
    if rollout.state not in _FROM[state]:
        raise NotPossible(_refusal(rollout, state))
    changed = replace(rollout, state=state, reason=reason, soak_since=None)
    save_rollout(connection, rollout, changed, datetime.now(timezone.utc), still_open=True)
    digest = rollout.arms[0].model.digest
    audit.record(
        connection, who, f"rollout {_WORDS[state]}", rollout_id, digest, was=rollout.state.value, reason=reason
    )
    return changed


def _hardware(
    connection: Connection, model: ModelRef, published: Mapping[str, frozenset[str]] | None
) -> frozenset[str] | None:
    if published is None:
        return registry.hardware_of(connection, model)
    return published.get(model.digest, frozenset())


def tag(connection: Connection, where: str, add: Sequence[str], remove: Sequence[str], who: str) -> list[str]:
    """Change what is said of a device (``site/device``); returns its tags.

    Raises:
        NotFound: nobody heard of it.
        PlanError: a tag cannot be one.
    """
    device_id = _device_id(connection, where)
    rows = [{"device_id": device_id, "tag": _checked(word)} for word in add]
    table = schema.device_tags
    if rows:
        connection.execute(statements.insert(connection, table).on_conflict_do_nothing(), rows)
    if remove:
        connection.execute(delete(table).where(table.c.device_id == device_id, table.c.tag.in_(remove)))
    if add or remove:
        audit.record(connection, who, "device tag", where, added=sorted(add), removed=sorted(remove))
    query = select(table.c.tag).where(table.c.device_id == device_id).order_by(table.c.tag)
    return list(connection.execute(query).scalars())


def _device_id(connection: Connection, where: str) -> int:
    site, _, device = where.partition("/")
    table = schema.devices
    query = select(table.c.id).where(table.c.site == site, table.c.device == device)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound(f"no device {where} has been heard of; canopy-fleet devices lists those that have (SITE/DEVICE)")
    return int(found)


def _checked(word: str) -> str:
    try:
        return _TAG.validate_python(word)
    except ValidationError as error:
        raise PlanError(
            f"{word!r} cannot be a tag; give a word or KEY=VALUE, of letters, digits, '.', '_' and '-'"
        ) from error


def _free_name(connection: Connection, models: Sequence[ModelRef], wanted: str | None) -> str:
    table = schema.rollouts
    taken = set(connection.execute(select(table.c.id)).scalars())
    if wanted is not None:
        if not _ID.match(wanted):
            raise PlanError(f"{wanted!r} cannot name a rollout; give up to 64 letters, digits, '.', '_' and '-'")
        if wanted in taken:
            raise NotPossible(f"there is a rollout {wanted} already; give another name with --id")
        return wanted
    name = "-vs-".join([f"{models[0].name}-{models[0].version}", *(model.version for model in models[1:])])[:60]
    numbers = (name if number == 1 else f"{name}.{number}" for number in range(1, len(taken) + 2))
    return next(free for free in numbers if free not in taken)


def _refuse_nobody(rollout: Rollout) -> None:
    if not rollout.participants:
        models = " and ".join(f"{arm.model.name} {arm.model.version}" for arm in rollout.arms)
        raise NotPossible(
            f"no device would get {models}: none that reports its hardware is selected and has a package; "
            "see canopy-fleet devices, canopy-fleet model show, and the selectors of the plan"
        )


def _refuse_busy(connection: Connection, rollout: Rollout) -> None:
    members, rollouts, devices = schema.rollout_devices, schema.rollouts, schema.devices
    query = (
        select(devices.c.site, devices.c.device, rollouts.c.id)
        .join_from(members, rollouts)
        .join(devices, devices.c.id == members.c.device_id)
        .where(rollouts.c.state.in_([state.value for state in GOING_ON]))
    )
    busy = {
        f"{row.site}/{row.device}": row.id
        for row in connection.execute(query)
        if f"{row.site}/{row.device}" in rollout.participants
    }
    if busy:
        name, other = min(busy.items())
        raise NotPossible(
            f"{len(busy)} of the devices, as {name}, are in rollout {other}, which goes on; "
            f"wait for its end, or canopy-fleet rollout abort {other}"
        )


def _refusal(rollout: Rollout, state: State) -> str:
    word = _WORDS[state]
    if state is State.RUNNING and rollout.state is State.HALTED:
        return f"rollout {rollout.id} has halted ({rollout.reason}) and does not go on; create a new one"
    allowed = " or ".join(sorted(one.value.replace("_", " ") for one in _FROM[state]))
    return f"cannot {word} rollout {rollout.id}: it is {rollout.state.value.replace('_', ' ')}, not {allowed}"
