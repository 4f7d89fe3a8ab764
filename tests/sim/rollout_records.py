"""Devices that have reported on their models, in a real store, short to write."""

from datetime import datetime, timedelta, timezone
from typing import Any
from zlib import crc32

from sqlalchemy import select, update

from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported, ShadowReport
from edge.contract.messages import Info, ObservationBatch, State
from edge.contract.records import Clock, Observation, ObservationEntry, Outcome, TraitValue
from edge.contract.traits import LEAF_COUNT, Unit
from fleet import schema
from fleet.ingest.intake import Letter
from fleet.registry import register
from fleet.rollouts.conductor import carry_on
from fleet.rollouts.rows import open_rollouts
from fleet.store import Store
from tests.sim.models import package

OLD, NEW, OTHER = package("1.0.0"), package("1.1.0"), package("1.2.0")


def filled(store: Store, count: int = 10, hardware: str = "cpu") -> Store:
    """``count`` devices ``site/dev-00`` … that run ``OLD``, and three models in the registry."""
    info = Info(boot_id="b", software="s", hardware="board", python="3", camera_kinds=("rtsp",))
    state = State(online=True, boot_id="b", at=datetime.now(timezone.utc))
    messages = (said(active=OLD.ref, hardware=hardware), info, state)
    store.commit([Letter("site", f"dev-{number:02}", one) for number in range(count) for one in messages])
    with store.writing() as connection:
        for model in (OLD, NEW, OTHER):
            register(connection, model, "test")
    return store


def said(
    *,
    active: ModelRef | None = None,
    wanted: ModelRef | None = None,
    revision: int = 0,
    phase: Phase = Phase.IDLE,
    failure: Failure | None = None,
    hardware: str = "cpu",
    shadow: ShadowReport | None = None,
    reason: str = "",
) -> Reported:
    """What a device reports."""
    return Reported(
        at=datetime.now(timezone.utc), boot_id="b", revision=revision, hardware=hardware, phase=phase,
        active=active, wanted=wanted, failure=failure, shadow=shadow, reason=reason,
    )  # fmt: skip


def report(store: Store, device: str, **what: Any) -> None:
    """File what a device reports."""
    store.commit([Letter("site", device, said(**what))])


def look(store: Store, now: datetime | None = None) -> None:
    """What the service does at each tick, without a broker."""
    with store.writing() as connection:
        for name in open_rollouts(connection):
            carry_on(connection, name, now or datetime.now(timezone.utc))


def told(store: Store) -> dict[str, Desired]:
    """What each device was told last."""
    devices, desired = schema.devices, schema.desired
    with store.reading() as connection:
        rows = connection.execute(select(devices.c.device, desired.c.payload).join_from(devices, desired))
        return {row.device: Desired.model_validate(row.payload) for row in rows}


def obey(store: Store, *broken: str) -> None:
    """Every device ends what it was told; the ``broken`` ones cannot run anything but ``OLD``."""
    letters = []
    for device, desired in told(store).items():
        wanted = desired.wanted.model if desired.wanted else None
        if device in broken and wanted != OLD.ref:
            outcome = {"phase": Phase.ROLLED_BACK, "active": OLD.ref, "failure": Failure.ROLLED_BACK}
        else:
            outcome = {"phase": Phase.CONFIRMED, "active": wanted}
        letters.append(Letter("site", device, said(wanted=wanted, revision=desired.revision, **outcome)))
    store.commit(letters)


def confirm_earlier(store: Store, at: datetime) -> None:
    """As if every device had confirmed at that moment."""
    table = schema.rollout_devices
    with store.writing() as connection:
        connection.execute(update(table).where(table.c.confirmed_at.is_not(None)).values(confirmed_at=at))


def readings(store: Store, device: str, model: ModelRef, leaves: list[float], since: datetime) -> None:
    """One leaf count for each minute."""
    items = tuple(
        ObservationEntry(
            seq=number,
            record=Observation(
                camera="cam",
                plot="P1",
                frame_id=number,
                clock=Clock(at=since + timedelta(minutes=number), monotonic_s=1.0, boot_id="b", clock_ok=True),
                outcome=Outcome.MEASURED,
                traits=(TraitValue(trait=LEAF_COUNT.name, value=count, unit=Unit.COUNT, method="counted"),),
                model=model.digest,
            ),
        )
        for number, count in enumerate(leaves, start=1)
    )
    store.commit([Letter("site", device, ObservationBatch(epoch=f"{crc32(device.encode()):032x}", items=items))])
