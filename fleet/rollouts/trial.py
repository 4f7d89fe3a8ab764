"""A/B: the readings that two versions made on their devices, out of the store, and their comparison trait by trait."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection

from edge.contract.records import Outcome
from edge.contract.traits import CENTROID_X, CENTROID_Y, VOCABULARY
from fleet import schema
from fleet.errors import NotFound, NotPossible
from fleet.questions.values import VALUE, trait_values
from fleet.rollouts.comparison import Difference, Sample, compare
from fleet.rollouts.rollout import Rollout, Standing
from fleet.rollouts.rows import device_ids, read_rollout

_ROWS_AT_ONCE = 1_000
_PLACES = {CENTROID_X.name, CENTROID_Y.name}
"""Where a plant stands in its picture says nothing of a model."""


@dataclass(frozen=True, slots=True)
class TraitComparison:
    """One trait, A against B."""

    trait: str
    unit: str | None
    a: Sample
    b: Sample
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Trial:
    """The comparison of a rollout's two arms over one period that all of its devices share."""

    versions: tuple[str, str]
    since: datetime
    devices: tuple[int, int]
    left_out: int
    traits: tuple[TraitComparison, ...]

    def document(self) -> dict[str, Any]:
        """For programs."""
        tree = asdict(self)
        for trait, found in zip(tree["traits"], self.traits, strict=True):
            trait["differs"] = found.difference is not None and found.difference.differs
        return tree


def compare_arms(connection: Connection, rollout_id: str, since: datetime | None = None) -> Trial:
    """Compare the arms of an A/B rollout.

    Args:
        connection: the store's.
        rollout_id: the rollout.
        since: the beginning of the period; devices that confirmed their version later are left out. Without it, the
            moment when the last device confirmed, so that all count.

    Raises:
        NotFound: there is no such rollout.
        NotPossible: it has one version only, or no device has confirmed yet.
    """
    rollout = read_rollout(connection, rollout_id)
    if rollout is None:
        raise NotFound(f"there is no rollout {rollout_id}; canopy-fleet rollout status lists all")
    if len(rollout.arms) != 2:
        raise NotPossible(f"rollout {rollout_id} has one version; compare two with rollout create --ab A B")
    confirmed = _confirmed(rollout)
    if not confirmed:
        raise NotPossible(
            f"no device of rollout {rollout_id} has confirmed its version yet; there is nothing to compare"
        )
    since = since or max(confirmed.values())
    ids = {number: name for name, number in device_ids(connection).items() if confirmed.get(name, _NEVER) <= since}
    arms = {name: rollout.participants[name].place.arm for name in ids.values()}
    values = _values(connection, rollout, ids, since)
    numbers = (sum(arm == 0 for arm in arms.values()), sum(arm == 1 for arm in arms.values()))
    versions = (rollout.arms[0].model.version, rollout.arms[1].model.version)
    traits = tuple(_compared(trait, unit, values[trait, unit], arms) for trait, unit in _ordered(values))
    return Trial(versions, since, numbers, len(confirmed) - len(ids), traits)


_NEVER = datetime.max.replace(tzinfo=timezone.utc)

_Values = dict[tuple[str, str | None], dict[str, list[float]]]
"""The readings of each trait, by device."""


def _confirmed(rollout: Rollout) -> dict[str, datetime]:
    return {
        name: one.confirmed_at
        for name, one in rollout.participants.items()
        if one.standing is Standing.SUCCEEDED and one.confirmed_at is not None
    }


def _values(connection: Connection, rollout: Rollout, ids: dict[int, str], since: datetime) -> _Values:
    """What the devices' own versions measured in the period; a reading whose clock was not believed is left out."""
    table, streams, digests, kinds = schema.observations, schema.streams, schema.digests, schema.kinds
    query = (
        trait_values(streams.c.device_id, digests.c.digest, kinds.c.trait, kinds.c.unit, VALUE)
        .join(streams, streams.c.id == table.c.stream_id)
        .join(digests, digests.c.id == table.c.model_id)
        .where(
            streams.c.device_id.in_(list(ids)),
            table.c.taken_at >= since,
            table.c.clock_ok,
            table.c.outcome == Outcome.MEASURED.value,
            digests.c.digest.in_([arm.model.digest for arm in rollout.arms]),
            kinds.c.trait.not_in(_PLACES),
        )
    )
    found: _Values = defaultdict(lambda: defaultdict(list))
    for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query):
        name = ids[row.device_id]
        if row.digest == rollout.target(rollout.participants[name]).digest:
            found[row.trait, row.unit][name].append(row.value)
    return found


def _compared(trait: str, unit: str | None, values: dict[str, list[float]], arms: dict[str, int]) -> TraitComparison:
    a, b = (Sample.of([readings for name, readings in values.items() if arms[name] == arm]) for arm in (0, 1))
    return TraitComparison(trait, unit, a, b, compare(a, b))


def _ordered(keys: Iterable[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The vocabulary's traits in its order, then others."""
    order = {name: number for number, name in enumerate(VOCABULARY)}
    return sorted(keys, key=lambda key: (order.get(key[0], len(order)), key[0], key[1] or ""))
