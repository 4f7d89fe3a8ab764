"""Rollouts and what is known of their devices, out of the store and into it, inside the caller's transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, select

from edge.contract.control import Failure, ModelRef, Reported
from fleet import schema, statements
from fleet.ingest.post import Row
from fleet.rollouts.assignment import Place, Traits
from fleet.rollouts.plan import Plan
from fleet.rollouts.rollout import GOING_ON, Arm, Facts, Order, Participant, Rollout, Standing, State

_ARMS = TypeAdapter(tuple[Arm, ...])


def read_rollout(connection: Connection, rollout_id: str, *, lock: bool = False) -> Rollout | None:
    """One rollout with its devices; ``lock`` holds it against other writers until the transaction ends."""
    query = select(schema.rollouts).where(schema.rollouts.c.id == rollout_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        return None
    return Rollout(
        id=row["id"],
        plan=Plan.model_validate(row["plan"]),
        arms=_ARMS.validate_python(row["arms"]),
        state=State(row["state"]),
        wave=row["wave"],
        soak_since=row["soak_since"],
        begun=row["begun"],
        reason=row["reason"],
        participants=_participants(connection, rollout_id),
    )


def open_rollouts(connection: Connection) -> list[str]:
    """The rollouts that another look can change, oldest first."""
    table = schema.rollouts
    return list(connection.execute(select(table.c.id).where(table.c.open).order_by(table.c.created_at)).scalars())


def read_facts(connection: Connection) -> dict[str, Facts]:
    """What is known of every device that has reported on its model, by ``site/device``."""
    tags = device_tags(connection)
    devices, told, reported, rollouts = schema.devices, schema.desired, schema.reported, schema.rollouts
    query = (
        select(
            devices.c.id, devices.c.site, devices.c.device, devices.c.online, devices.c.info,
            reported.c.payload.label("report"), told.c.revision, told.c.rollout_id, told.c.returning_to,
            rollouts.c.state,
        )
        .join_from(devices, reported)
        .join(told, told.c.device_id == devices.c.id, isouter=True)
        .join(rollouts, rollouts.c.id == told.c.rollout_id, isouter=True)
        .order_by(devices.c.site, devices.c.device)
    )  # fmt: skip
    return {
        f"{row['site']}/{row['device']}": _facts(row, frozenset(tags[row["id"]]))
        for row in connection.execute(query).mappings()
    }


def device_tags(connection: Connection) -> dict[int, set[str]]:
    """The tags of each device."""
    found: dict[int, set[str]] = defaultdict(set)
    for row in connection.execute(select(schema.device_tags)):
        found[row.device_id].add(row.tag)
    return found


def device_ids(connection: Connection) -> dict[str, int]:
    """The store's own number of each ``site/device``."""
    table = schema.devices
    return {f"{row.site}/{row.device}": row.id for row in connection.execute(select(table))}


def save_rollout(
    connection: Connection, before: Rollout | None, after: Rollout, now: datetime, *, still_open: bool
) -> None:
    """Write what differs from ``before``."""
    row = {
        "plan": after.plan.model_dump_json(),
        "arms": _ARMS.dump_json(after.arms).decode(),
        "state": after.state.value,
        "wave": after.wave,
        "soak_since": after.soak_since,
        "begun": after.begun,
        "open": still_open,
        "reason": after.reason,
        "changed_at": now,
    }
    if before is None:
        connection.execute(schema.rollouts.insert().values(id=after.id, created_at=now, **row))
    else:
        connection.execute(schema.rollouts.update().where(schema.rollouts.c.id == after.id).values(**row))
    known = before.participants if before is not None else {}
    changed = {name: one for name, one in after.participants.items() if known.get(name) != one}
    ids = device_ids(connection) if changed else {}
    rows = [_participant_row(after.id, ids[name], one, now) for name, one in changed.items()]
    statements.replace_rows(connection, schema.rollout_devices, rows)


def save_orders(connection: Connection, rollout: str, orders: Sequence[Order], now: datetime) -> None:
    """Write what devices are to be told."""
    ids = device_ids(connection) if orders else {}
    rows: list[Row] = [
        {
            "device_id": ids[order.device],
            "revision": order.desired.revision,
            "rollout_id": rollout,
            "returning_to": _json(order.returning_to),
            "payload": order.desired.encode().decode(),
            "told_at": now,
        }
        for order in orders
    ]
    statements.replace_rows(connection, schema.desired, rows)


def _participants(connection: Connection, rollout_id: str) -> dict[str, Participant]:
    table, devices = schema.rollout_devices, schema.devices
    query = select(table, devices.c.site, devices.c.device).join_from(table, devices)
    rows = connection.execute(query.where(table.c.rollout_id == rollout_id).order_by(devices.c.site, devices.c.device))
    return {f"{row['site']}/{row['device']}": _participant(row) for row in rows.mappings()}


def _participant(row: Mapping[Any, Any]) -> Participant:
    return Participant(
        place=Place(row["wave"], row["arm"]),
        standing=Standing(row["standing"]),
        previous=_model(row["previous"]),
        revision=row["revision"],
        since=row["since"],
        confirmed_at=row["confirmed_at"],
        failure=row["failure"] and Failure(row["failure"]),
        reason=row["reason"],
    )


def _participant_row(rollout: str, device_id: int, one: Participant, now: datetime) -> Row:
    return {
        "rollout_id": rollout,
        "device_id": device_id,
        "wave": one.place.wave,
        "arm": one.place.arm,
        "standing": one.standing.value,
        "previous": _json(one.previous),
        "revision": one.revision,
        "since": one.since,
        "confirmed_at": one.confirmed_at,
        "failure": one.failure and one.failure.value,
        "reason": one.reason,
        "changed_at": now,
    }


def _facts(row: Mapping[Any, Any], tags: frozenset[str]) -> Facts:
    report = Reported.model_validate(row["report"])
    return Facts(
        traits=Traits(row["site"], report.hardware, tags),
        groups=_groups(report, row["info"] or {}, tags),
        online=row["online"],
        report=report,
        revision=max(row["revision"] or 0, report.revision),
        owner=row["rollout_id"],
        owner_going_on=row["state"] is not None and State(row["state"]) in GOING_ON,
        returning_to=_model(row["returning_to"]),
    )


def _groups(report: Reported, info: Mapping[str, Any], tags: frozenset[str]) -> frozenset[str]:
    """What failures may have in common: the runtime that a package is for, the board, the kinds of camera, tags."""
    board = {f"board={info['hardware']}"} if info.get("hardware") else set()
    cameras = {f"camera={kind}" for kind in info.get("camera_kinds", ())}
    return frozenset({f"hardware={report.hardware}", *board, *cameras, *(tag for tag in tags if "=" in tag)})


def _model(tree: Any) -> ModelRef | None:
    return None if tree is None else ModelRef.model_validate(tree)


def _json(model: ModelRef | None) -> str | None:
    return None if model is None else model.model_dump_json()
