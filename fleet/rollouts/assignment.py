"""Which device belongs to which wave and arm of a rollout. Pure, and the same on every machine and after every restart.

Devices are taken in an order drawn by a hash of the rollout and the device, arranged so that every beginning of it
holds each hardware in its proportion (systematic sampling from strata): a small first wave sees every common hardware.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from fleet.rollouts.plan import Plan, Selector


@dataclass(frozen=True, slots=True)
class Traits:
    """What a selector can ask of a device."""

    site: str
    hardware: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands in a rollout: its wave, and its arm, both counted from 0."""

    wave: int
    arm: int


def assign(rollout: str, plan: Plan, arms: int, devices: Mapping[str, Traits]) -> dict[str, Place]:
    """Place the devices (``site/device``) that are there when a rollout begins; the others take no part.

    Each wave is filled up to its percentage, rounded up, so the first wave of any fleet has a device. Within each
    hardware the arms take turns.
    """
    ordered = _ordered(rollout, {name: traits for name, traits in devices.items() if admits(plan.select, name, traits)})
    places: dict[str, Place] = {}
    for number, wave in enumerate(plan.waves):
        matching = [name for name in ordered if admits(wave.select, name, devices[name])]
        wanted = ceil(wave.percent * len(matching) / 100) - sum(name in places for name in matching)
        newcomers = [name for name in matching if name not in places][: max(0, wanted)]
        places.update({name: Place(number, ordered[name] % arms) for name in newcomers})
    return places


def assign_late(rollout: str, plan: Plan, arms: int, name: str, traits: Traits) -> Place | None:
    """Place a device that turns up later: it is no canary, so it joins the last wave that takes everybody like it."""
    if not admits(plan.select, name, traits):
        return None
    waves = [
        number for number, wave in enumerate(plan.waves) if wave.percent == 100 and admits(wave.select, name, traits)
    ]
    return Place(waves[-1], int(_lot(rollout, name) * arms)) if waves else None


def admits(selector: Selector, name: str, traits: Traits) -> bool:
    """Whether a selector takes a device: any value of each field that names some."""
    return all(
        not wanted or not found.isdisjoint(wanted)
        for wanted, found in (
            (selector.sites, frozenset({traits.site})),
            (selector.hardware, frozenset({traits.hardware})),
            (selector.tags, traits.tags),
            (selector.devices, frozenset({name})),
        )
    )


def _ordered(rollout: str, devices: Mapping[str, Traits]) -> dict[str, int]:
    """The devices in the order of exposure, each with its turn among those of its hardware."""
    strata: dict[str, list[str]] = defaultdict(list)
    for name in _by_lot(rollout, devices):
        strata[devices[name].hardware].append(name)
    placed = []
    for hardware, members in strata.items():
        first = int(_lot(rollout, hardware) * 1_000)  # which arm a hardware begins with
        for rank, name in enumerate(members):
            lot = _lot(rollout, name)
            placed.append(((rank + lot) / len(members), name, first + rank))
    return {name: turn for _, name, turn in sorted(placed)}


def _by_lot(rollout: str, devices: Iterable[str]) -> list[str]:
    return sorted(devices, key=lambda name: (_lot(rollout, name), name))


def _lot(rollout: str, name: str) -> float:
    """A number of [0, 1) that two machines agree on."""
    digest = hashlib.sha256(f"{rollout}\n{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
