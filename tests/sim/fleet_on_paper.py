"""Devices on paper: what they report when they are told something, without a broker. For the pure part of rollouts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported
from fleet.rollouts.advance import advance
from fleet.rollouts.assignment import Traits
from fleet.rollouts.rollout import Arm, Facts, Order, Rollout

START = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


def model(version: str, name: str = "rosette") -> ModelRef:
    return ModelRef(name=name, version=version, digest=f"sha256:{hash_of(name, version)}")


def hash_of(*parts: str) -> str:
    import hashlib

    return hashlib.sha256("/".join(parts).encode()).hexdigest()


OLD, NEW, OTHER = model("1.0.0"), model("1.1.0"), model("1.2.0")


@dataclass
class PaperDevice:
    """Answers at once and ends when told to; ``broken`` holds the digests that do not run on it."""

    hardware: str = "cpu"
    site: str = "north"
    camera: str = "rtsp"
    tags: frozenset[str] = frozenset()
    active: ModelRef | None = OLD
    online: bool = True
    held: bool = False
    broken: frozenset[str] = frozenset()
    revision: int = 0
    phase: Phase = Phase.IDLE
    failure: Failure | None = None
    desired: Desired | None = None

    def answer(self) -> None:
        """Begin with what was told last."""
        if self.online and not self.held and self.desired and self.desired.revision > self.revision:
            self.revision, self.failure = self.desired.revision, None
            self.phase = Phase.DOWNLOADING if self.desired.wanted else Phase.IDLE

    def finish(self) -> None:
        """End what is under way, well or badly."""
        self.answer()
        if not self.online or self.phase is not Phase.DOWNLOADING or not self.desired or not self.desired.wanted:
            return
        wanted = self.desired.wanted.model
        if wanted.digest in self.broken:
            self.phase, self.failure = Phase.ROLLED_BACK, Failure.ROLLED_BACK
        else:
            self.phase, self.active = Phase.CONFIRMED, wanted

    def reported(self) -> Reported:
        return Reported(
            at=START,
            boot_id="boot",
            revision=self.revision,
            hardware=self.hardware,
            phase=self.phase,
            active=self.active,
            wanted=self.desired.wanted.model if self.desired and self.desired.wanted and self.revision else None,
            failure=self.failure,
            held=self.held,
        )


@dataclass
class PaperFleet:
    """Some devices, a clock, and what the store would keep of them."""

    devices: dict[str, PaperDevice]
    now: datetime = START
    told: dict[str, Order] = field(default_factory=dict)

    def facts(self, rollout: Rollout) -> Mapping[str, Facts]:
        return {name: self._facts(rollout, name, device) for name, device in self.devices.items()}

    def look(self, rollout: Rollout, wait_s: float = 0.0) -> Rollout:
        """One look; devices get what they are told, and do nothing yet."""
        self.now += timedelta(seconds=wait_s)
        step = advance(rollout, self.facts(rollout), self.now)
        for order in step.orders:
            assert order.desired.revision > self.devices[order.device].revision
            self.told[order.device] = order
            self.devices[order.device].desired = order.desired
        return step.rollout

    def run(self, rollout: Rollout, looks: int = 30, wait_s: float = 10.0) -> Rollout:
        """So many looks, after each of which everybody ends what it was told."""
        for _ in range(looks):
            rollout = self.look(rollout, wait_s)
            for device in self.devices.values():
                device.finish()
        return rollout

    def exposed(self, target: ModelRef = NEW) -> set[str]:
        """Who was ever told to take the model."""
        return {
            name
            for name, device in self.devices.items()
            if device.active == target
            or (device.desired and device.desired.wanted and device.desired.wanted.model == target)
        }

    def _facts(self, rollout: Rollout, name: str, device: PaperDevice) -> Facts:
        told = self.told.get(name)
        return Facts(
            traits=Traits(device.site, device.hardware, device.tags),
            groups=frozenset({f"hardware={device.hardware}", f"camera={device.camera}"}),
            online=device.online,
            report=device.reported(),
            revision=max(device.revision, told.desired.revision if told else 0),
            owner=rollout.id if told else None,
            owner_going_on=bool(told),
            returning_to=told.returning_to if told else None,
        )


def fleet_of(count: int, hardware: Iterable[str] = ("cpu",), **fields: object) -> PaperFleet:
    """Devices ``north/d000`` … whose hardware takes turns."""
    kinds = list(hardware)
    return PaperFleet(
        {f"north/d{n:03}": PaperDevice(hardware=kinds[n % len(kinds)], **fields) for n in range(count)}  # type: ignore[arg-type]
    )


def rollout_of(plan: object, *models: ModelRef, name: str = "r") -> Rollout:
    return Rollout(name, plan, tuple(Arm(one) for one in models or (NEW,)))  # type: ignore[arg-type]
