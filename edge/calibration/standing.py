"""From one look after the other to whether the camera has moved. Pure: told what was seen, it says what to tell."""

from dataclasses import dataclass, field
from enum import Enum

from edge.calibration.movement import Movement
from edge.settings import MovementSettings


class Finding(Enum):
    """What is worth telling, once."""

    MOVED = "moved"
    BACK = "back"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Standing:
    """Where a camera stands, by its last looks.

    Attributes:
        moved: it does not stand where it was calibrated.
        last: the last movement that could be told.
    """

    settings: MovementSettings
    moved: bool = False
    last: Movement | None = None
    _against: int = field(default=0, init=False)
    _unknown: int = field(default=0, init=False)

    def look(self, movement: Movement | None) -> Finding | None:
        """Take note of a look. One that tells nothing neither confirms nor refutes."""
        if movement is None:
            self._unknown += 1
            return Finding.UNKNOWN if self._unknown == self.settings.doubt_after else None
        self._unknown, self.last = 0, movement
        self._against = self._against + 1 if self._is_beyond(movement) != self.moved else 0
        if self._against < self.settings.confirmations:
            return None
        self.moved, self._against = not self.moved, 0
        return Finding.MOVED if self.moved else Finding.BACK

    def _is_beyond(self, movement: Movement) -> bool:
        limits = self.settings
        return movement.share > limits.shift_share or abs(movement.turn_degree) > limits.turn_degree
