"""What the fleet wants of a device's settings, and how it gets into the ``desired`` message beside a rollout's wish.

Two parts write that message: rollouts, which change ``wanted``, and people, who change settings. Neither may undo the
other. So settings stand in a table of their own; whoever writes the message puts both into it, under a revision above
every one before; and settings alone never repeat an order to a device that could take it for a second one: then they
wait until the rollout has ended on that device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import Connection, select, update

from edge.contract.control import Desired, Reported, Setting, SettingPath
from fleet import audit, schema, statements
from fleet.errors import NotFound, PlanError
from fleet.rollouts.rollout import Order
from fleet.rollouts.rows import device_ids
from fleet.rollouts.standing import AT_REST, runs

MAX_SETTINGS = 64

Settings = dict[str, Setting]
Changes = Mapping[str, Sequence[Setting]]
"""For each path ``[value]``, or ``[]`` to want nothing there any more."""

_PATH: TypeAdapter[str] = TypeAdapter(SettingPath)
_VALUE: TypeAdapter[Any] = TypeAdapter(Setting, config=ConfigDict(allow_inf_nan=False))
_TREE: TypeAdapter[Any] = TypeAdapter(Any)


def wish(connection: Connection, site: str, device: str, changes: Changes, who: str, now: datetime) -> Settings:
    """Change what is wanted of a device's settings; returns all that is wanted. The running service tells the device.

    Raises:
        NotFound: nobody heard of the device.
        PlanError: a path or a value is none, or there would be too many.
    """
    devices = schema.devices
    query = select(devices.c.id).where(devices.c.site == site, devices.c.device == device).with_for_update()
    device_id = connection.execute(query).scalar_one_or_none()
    if device_id is None:
        raise NotFound(f"no device {site}/{device} has been heard of")
    before = wishes(connection, [device_id]).get(device_id, {})
    after = dict(before)
    for path, change in changes.items():
        after.pop(_path(path), None)
        if change:
            after[path] = _value(path, change[0])
    if len(after) > MAX_SETTINGS:
        raise PlanError(
            f"{len(after)} settings; {MAX_SETTINGS} can be wanted of one device: write them into its own file"
        )
    if after != before:
        row = {"device_id": device_id, "settings": _json(after), "told": False, "who": who[:256], "wanted_at": now}
        statements.replace_rows(connection, schema.device_settings, [row])
        wanted = {path: repr(after[path]) if path in after else "as its file says" for path in changes}
        audit.record(connection, who, "device settings", f"{site}/{device}", **wanted)
    return after


def wishes(connection: Connection, ids: Sequence[int]) -> dict[int, Settings]:
    """What is wanted of the settings of these devices."""
    table = schema.device_settings
    rows = connection.execute(select(table.c.device_id, table.c.settings).where(table.c.device_id.in_(ids)))
    return {row.device_id: row.settings for row in rows}


def with_settings(connection: Connection, orders: Sequence[Order]) -> list[Order]:
    """A rollout's orders with what is wanted of each device's settings: one message says both."""
    if not orders:
        return []
    ids = device_ids(connection)
    wanted = wishes(connection, [ids[order.device] for order in orders])
    return [
        replace(order, desired=order.desired.model_copy(update={"settings": wanted.get(ids[order.device], {})}))
        for order in orders
    ]


def untold(connection: Connection) -> bool:
    """Whether something is wanted that no message to its device holds yet."""
    table = schema.device_settings
    return connection.execute(select(table.c.device_id).where(table.c.told.is_(False)).limit(1)).first() is not None


def settle(connection: Connection, now: datetime) -> list[tuple[str, Desired]]:
    """Write down every message that can be said now; returns them by ``site/device``, to be sent."""
    sent = []
    for row in _untold(connection):
        told = Desired.model_validate(row["payload"]) if row["payload"] is not None else Desired(revision=0)
        report = Reported.model_validate(row["report"]) if row["report"] is not None else None
        if told.settings != row["settings"]:
            repeated = again(told, report, open_rollout=bool(row["open"]))
            if repeated is None:
                continue
            revision = max(told.revision, report.revision if report else 0) + 1
            desired = repeated.model_copy(update={"revision": revision, "settings": row["settings"]})
            _write(connection, row, desired, now)
            sent.append((f"{row['site']}/{row['device']}", desired))
        table = schema.device_settings
        connection.execute(update(table).where(table.c.device_id == row["id"]).values(told=True))
    return sent


def again(told: Desired, report: Reported | None, *, open_rollout: bool) -> Desired | None:
    """What can be said again without a device doing it twice; ``None`` while that is not known. Pure.

    A device takes a new revision for a new order: what it refused it would try again, and going back goes further back.
    """
    if told.wanted is None and not told.roll_back:
        return told
    if report is None or report.revision < told.revision or report.phase not in AT_REST:
        return None
    if told.wanted is not None and runs(report, told.wanted.model):
        return told
    return None if open_rollout else told.model_copy(update={"wanted": None, "roll_back": False})


def _untold(connection: Connection) -> Sequence[Mapping[Any, Any]]:
    """Devices of which something is wanted that they were not told, with what they were told and said last."""
    devices, table, told = schema.devices, schema.device_settings, schema.desired
    reported, rollouts = schema.reported, schema.rollouts
    query = (
        select(
            devices.c.id, devices.c.site, devices.c.device, table.c.settings, told.c.payload, told.c.rollout_id,
            told.c.returning_to, reported.c.payload.label("report"), rollouts.c.open,
        )
        .join_from(table, devices, table.c.device_id == devices.c.id)
        .join(told, told.c.device_id == devices.c.id, isouter=True)
        .join(reported, reported.c.device_id == devices.c.id, isouter=True)
        .join(rollouts, rollouts.c.id == told.c.rollout_id, isouter=True)
        .where(table.c.told.is_(False))
        .order_by(devices.c.id)
        .with_for_update(of=table)
    )  # fmt: skip
    return connection.execute(query).mappings().all()


def _write(connection: Connection, row: Mapping[Any, Any], desired: Desired, now: datetime) -> None:
    values = {
        "device_id": row["id"],
        "revision": desired.revision,
        "rollout_id": row["rollout_id"],
        "returning_to": None if row["returning_to"] is None else _json(row["returning_to"]),
        "payload": desired.encode().decode(),
        "told_at": now,
    }
    statements.replace_rows(connection, schema.desired, [values])


def _json(tree: Any) -> str:
    return _TREE.dump_json(tree).decode()


def _path(path: str) -> str:
    try:
        return _PATH.validate_python(path)
    except ValidationError as error:
        raise PlanError(f"{path[:80]!r} names no setting; the device's page lists those that can be changed") from error


def _value(path: str, value: Any) -> Setting:
    try:
        checked: Setting = _VALUE.validate_python(value)
    except ValidationError as error:
        raise PlanError(f"{path}: {value!r:.80} is no value; a number, true, false or up to 256 letters is") from error
    return checked
