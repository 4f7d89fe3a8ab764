"""A store that holds what three devices at two sites have sent, for tests that ask it questions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from edge.contract.messages import Info, ObservationBatch, State
from edge.contract.records import ObservationEntry, Outcome, QualityFlag, TraitValue
from edge.contract.traits import HUE_DISTRIBUTION, LEAF_COUNT, PROJECTED_LEAF_AREA, Trait
from fleet.store import Store
from tests.sim.fleet_records import EPOCH, NOON, OTHER_EPOCH, event, gap, health, letter, observation

SITES = {"north": ("bench-1", "bench-2"), "south": ("gutter-1",)}
PLOTS = ("R1", "R2", "R10")
READINGS = 30
"""Of each device, one a minute from noon on, over its plots in turn."""

SELDOM = {10: Outcome.NO_PLANT, 11: Outcome.NOT_TAKEN, 13: Outcome.FAILED}
"""Every tenth has no plant, every eleventh was too dark, every thirteenth failed."""

EVIL = ("=1+1", "<script>alert(1)</script>", "'; DROP TABLE observations; --", "../../etc/passwd")


def filled(store: Store) -> Store:
    """Two traits and a distribution, every outcome, a gap, a second numbering, and hostile words."""
    for site, devices in SITES.items():
        for number, device in enumerate(devices):
            where = {"site": site, "device": device}
            store.commit([letter(message, **where) for message in _messages(number)])
    older = batch_of([entry(1, at=NOON - timedelta(days=40))], OTHER_EPOCH)
    away = State(online=False, boot_id="b", at=NOON)
    store.commit([letter(message, site="north", device="bench-2") for message in (older, away)])
    return store


def _messages(number: int) -> Iterable[object]:
    yield Info(boot_id="b", software=EVIL[1], hardware="board", python="3.11", cameras=("top",))
    yield batch_of(entry(seq, area=1000.0 * (number + 1) + seq) for seq in range(1, READINGS + 1))
    yield gap(READINGS + 1, READINGS + 5)
    yield event(READINGS + 6)
    yield health(READINGS + 8)


def batch_of(entries: Iterable[ObservationEntry], epoch: str = EPOCH) -> ObservationBatch:
    return ObservationBatch(epoch=epoch, items=tuple(entries))


def entry(seq: int, *, at: datetime | None = None, area: float = 1.0) -> ObservationEntry:
    """Taken ``seq`` minutes after noon, or ``at``."""
    outcome = next(
        (seldom for every, seldom in SELDOM.items() if seq % every == 0),
        Outcome.MEASURED,
    )
    made = observation(seq, camera="top", plot=PLOTS[seq % 3], at=at, outcome=outcome)
    traits = (
        value(PROJECTED_LEAF_AREA, area, method=PROJECTED_LEAF_AREA.method, uncertainty=2.5),
        value(LEAF_COUNT, seq % 7, method=EVIL[seq % 4]),
        value(HUE_DISTRIBUTION, 95.0, histogram=(0.25, 0.75)),
    )
    changes = {
        "traits": traits if outcome is Outcome.MEASURED else (),
        "quality": (QualityFlag.DARK,) if outcome is Outcome.NOT_TAKEN else (),
        "error": EVIL[0] if outcome is Outcome.FAILED else "",
    }
    return made.model_copy(update={"record": made.record.model_copy(update=changes)})


def value(trait: Trait, number: float, **more: Any) -> TraitValue:
    return TraitValue(trait=trait.name, value=number, unit=trait.unit, **more)
