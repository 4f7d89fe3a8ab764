"""What a check finds."""

from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not for long, or less well than it could."""
    FAIL = "fail"
    """Readings are lost, wrong, or do not arrive."""
    SKIPPED = "skipped"
    """It cannot be told here; ``found`` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has looked at.

    Attributes:
        check: the check's name.
        about: what it was looked at: a camera, a file; empty if there is one only.
        state: how bad it is.
        found: what is so, with the value.
        mend: what to do; empty where nothing is wrong.
    """

    check: str
    state: State
    found: str
    mend: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes the findings of one check, ``about`` one thing."""

    check: str
    about: str = ""

    def of(self, about: str) -> "Scribe":
        """Writes about another thing."""
        return Scribe(self.check, about)

    def ok(self, found: str) -> Finding:
        """All is well."""
        return Finding(self.check, State.OK, found, "", self.about)

    def warn(self, found: str, mend: str) -> Finding:
        """It works, and somebody should look at it."""
        return Finding(self.check, State.WARN, found, mend, self.about)

    def fail(self, found: str, mend: str) -> Finding:
        """It does not work."""
        return Finding(self.check, State.FAIL, found, mend, self.about)

    def skipped(self, found: str) -> Finding:
        """It cannot be told here."""
        return Finding(self.check, State.SKIPPED, found, "", self.about)
