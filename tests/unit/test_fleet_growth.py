"""Growth of a plot, from what devices have sent to the fleet."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge.contract.messages import ObservationBatch
from edge.contract.records import ObservationEntry, Outcome, TraitValue
from edge.contract.traits import LEAF_COUNT, PROJECTED_LEAF_AREA
from fleet.store import Store
from tests.sim.fleet_records import EPOCH, clock, letter, observation
from tests.unit.test_fleet_web import served

RATE, DAYS = 0.25, 10


def reading(seq: int, at: datetime, area_px2: float, leaves: int, *, ok: bool = True) -> ObservationEntry:
    values = [(PROJECTED_LEAF_AREA, area_px2), (LEAF_COUNT, float(leaves))]
    traits = tuple(TraitValue(trait=trait.name, value=value, unit=trait.unit) for trait, value in values)
    entry = observation(seq, plot="R1")
    return entry.model_copy(
        update={"record": entry.record.model_copy(update={"traits": traits, "clock": clock(at, ok=ok)})}
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A fleet that has ten noons of a growing plant, the sixth missing, and readings that must not count."""
    noon = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    entries = []
    for day in range(DAYS):
        at, area = noon + timedelta(days=day), float(500 * np.exp(RATE * day))
        if day != 5:
            entries.append(reading(len(entries) + 1, at, area, 3 + day // 2))
        entries.append(reading(len(entries) + 1, at + timedelta(hours=9), 1.0, 1))
        entries.append(reading(len(entries) + 1, at, 9.0, 1, ok=False))
        entries.append(observation(len(entries) + 1, plot="R1", at=at, outcome=Outcome.NO_PLANT))
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    store.commit([letter(ObservationBatch(epoch=EPOCH, items=tuple(entries)))])
    with served(store) as opened:
        yield opened
    store.close()


def asked(client: httpx.Client, where: str = "dev/cam/R1", **query: float) -> httpx.Response:
    return client.get(f"/api/v1/plots/site/{where}/growth", params=query)


def test_growth_is_told_from_equal_hours_of_the_days_that_there_are(client: httpx.Client) -> None:
    rate, phyllochron = asked(client).json()
    assert (rate["trait"], rate["unit"], rate["days"]) == ("relative_growth_rate", "1/day", DAYS - 1)
    assert rate["value"] == pytest.approx(RATE, rel=1e-6)
    assert rate["interval_95"] == pytest.approx([RATE, RATE], rel=1e-6)
    assert (phyllochron["trait"], phyllochron["unit"]) == ("phyllochron", "day")
    assert phyllochron["value"] == pytest.approx(2, rel=0.15)


def test_other_hours_other_days(client: httpx.Client) -> None:
    evening = asked(client, from_hour=20, to_hour=22).json()
    assert [(found["trait"], found["value"]) for found in evening] == [("relative_growth_rate", 0.0)]
    assert asked(client, days=2).json() == []
    assert len(asked(client, utc_offset_h=9, from_hour=20, to_hour=22).json()) == 2


def test_a_plot_that_nobody_saw_is_not_found_and_no_growth_is_an_empty_answer(client: httpx.Client) -> None:
    for nobody in ("dev/cam/R9", "dev/other/R1", "unheard/cam/R1"):
        assert asked(client, nobody).status_code == 404
    assert asked(client, days=0).status_code == 422
    assert asked(client, from_hour=22, to_hour=2).status_code == 422
