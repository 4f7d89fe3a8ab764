"""Which step to take to have a camera back. Pure: times come from outside, by the clock that never jumps."""

from enum import Enum

from edge.settings import RecoverySettings


class Rung(str, Enum):
    """The steps, from the one that costs nothing to the one that costs everybody something."""

    REOPEN = "reopen"
    REBUILD = "rebuild"
    """Another way to the same camera: another library, decoder or pixel format, in turn with the usual one."""
    SERVICE = "service"
    POWER = "power"
    REBOOT = "reboot"


def rungs_of(settings: RecoverySettings) -> tuple[Rung, ...]:
    """The rungs above reopening that are set up."""
    given = {
        Rung.REBUILD: True,
        Rung.SERVICE: settings.service is not None,
        Rung.POWER: settings.power is not None,
        Rung.REBOOT: settings.reboot is not None,
    }
    return tuple(rung for rung, there in given.items() if there)


class Ladder:
    """One camera's place on the ladder.

    Attributes:
        variant: which way to open the camera next: 1 is another than usual.
    """

    def __init__(self, settings: RecoverySettings) -> None:
        self._settings = settings
        self._rungs = rungs_of(settings)
        self._next = 0
        self._tries = 0
        self._away_since_s: float | None = None
        self._climbed_at_s = 0.0
        self._rebuilt = False
        self.variant = 0

    def after_failure(self, now_s: float, lasted_s: float) -> Rung:
        """What to do before the camera is opened again at ``now_s``, which gave pictures for ``lasted_s``."""
        if lasted_s >= self._settings.healthy_s or self._away_since_s is None:
            self._begin(now_s)
        self._tries += 1
        rung = self._due(now_s)
        if rung is not Rung.REOPEN:
            self._climb(rung, now_s)
        self.variant = 1 - self.variant if self._rebuilt else 0
        return rung

    def rest(self, lasted_s: float) -> None:
        """The camera was closed without a fault after it gave pictures for ``lasted_s``."""
        if lasted_s >= self._settings.healthy_s:
            self._away_since_s = None
            self.variant = 0

    def _begin(self, now_s: float) -> None:
        self._next = self._tries = 0
        self._away_since_s = self._climbed_at_s = now_s
        self._rebuilt = False
        self.variant = 0

    def _due(self, now_s: float) -> Rung:
        if self._next == len(self._rungs):
            if now_s - self._climbed_at_s < self._settings.rest_s:
                return Rung.REOPEN
            self._next = 0
        rung = self._rungs[self._next]
        soon = now_s - self._climbed_at_s < self._settings.rung_s
        if self._tries < self._settings.tries or soon or not self._may(rung, now_s):
            return Rung.REOPEN
        return rung

    def _may(self, rung: Rung, now_s: float) -> bool:
        reboot, since_s = self._settings.reboot, self._away_since_s
        if rung is not Rung.REBOOT or reboot is None or since_s is None:
            return True
        return now_s - since_s >= reboot.after_s

    def _climb(self, rung: Rung, now_s: float) -> None:
        self._next += 1
        self._tries = 0
        self._climbed_at_s = now_s
        self._rebuilt = self._rebuilt or rung is Rung.REBUILD
