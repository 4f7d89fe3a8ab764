"""A rollout, its devices, and what is known of them: values. ``fleet.rollouts.advance`` says how it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from edge.contract.control import Desired, Failure, ModelRef, Reported
from fleet.rollouts.assignment import Place, Traits
from fleet.rollouts.plan import Plan


class State(str, Enum):
    """Of a rollout. The last four are ends; from each of them everything can still be rolled back."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    HALTED = "halted"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled_back"


class Standing(str, Enum):
    """Of a device in a rollout."""

    WAITING = "waiting"
    OFFERED = "offered"
    UNDER_WAY = "under_way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETURNING = "returning"
    RETURNED = "returned"


GOING_ON = frozenset({State.RUNNING, State.PAUSED})
ENDED = frozenset({Standing.SUCCEEDED, Standing.FAILED})
TOLD = frozenset({Standing.OFFERED, Standing.UNDER_WAY, *ENDED})


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the models of a rollout, and the hardware that there is a package for (None: all)."""

    model: ModelRef
    hardware: frozenset[str] | None = None

    def serves(self, hardware: str) -> bool:
        """Whether there is a package for this hardware."""
        return self.hardware is None or hardware in self.hardware


@dataclass(frozen=True, slots=True)
class Facts:
    """What the fleet knows of a device now.

    ``revision`` is the highest that it was told or has answered; ``owner`` the rollout that told it last, and
    ``owner_going_on`` whether that one still goes on; ``returning_to`` the model that it was last told to go back to.
    """

    traits: Traits
    groups: frozenset[str]
    online: bool
    report: Reported
    revision: int = 0
    owner: str | None = None
    owner_going_on: bool = False
    returning_to: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """A device in a rollout.

    ``previous`` ran before and is what it goes back to; ``revision`` is that of the last thing it was told; ``since``
    when it could first be reached after that; ``confirmed_at`` when it was first seen to have confirmed.
    """

    place: Place
    standing: Standing = Standing.WAITING
    previous: ModelRef | None = None
    revision: int = 0
    since: datetime | None = None
    confirmed_at: datetime | None = None
    failure: Failure | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands. ``wave`` is the one under way; ``soak_since`` when it became good, if it is."""

    id: str
    plan: Plan
    arms: tuple[Arm, ...]
    state: State = State.RUNNING
    wave: int = 0
    soak_since: datetime | None = None
    begun: bool = False
    reason: str = ""
    participants: Mapping[str, Participant] = field(default_factory=dict)

    def target(self, participant: Participant) -> ModelRef:
        """The model that a participant is given."""
        return self.arms[participant.place.arm].model

    def members(self, wave: int) -> dict[str, Participant]:
        """The devices of a wave."""
        return {name: one for name, one in self.participants.items() if one.place.wave == wave}


@dataclass(frozen=True, slots=True)
class Order:
    """What a device (``site/device``) is to be told; ``returning_to`` is set if it is sent back."""

    device: str
    desired: Desired
    returning_to: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A rollout after one look, and what follows for devices."""

    rollout: Rollout
    orders: tuple[Order, ...]
