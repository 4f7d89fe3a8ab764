"""A second model beside the one in force, on a share of the live pictures, in a process of its own.

Before the switch the candidate is the second one; after it the model that ran before is, so that a candidate is
compared for as long as it is on trial.
"""

from edge.clock import monotonic_s
from edge.contract.control import ModelRef, ShadowReport
from edge.settings import UpdateSettings
from edge.sights import Sight, Sights
from edge.update.agreement import Comparison, difference
from edge.update.trial import Trial

LEAST_FOR_DOUBT = 5
"""With fewer pictures than these, nothing but blindness on all of many is said against a candidate in force."""


class Shadow:
    """Compares a candidate with another model on live pictures.

    Args:
        trial: the model that the loop does not run.
        sights: lends the pictures that the loop has seen.
        in_force: the digest of the model that the loop runs: what another one saw is not compared.
        candidate: the model that is judged: the one of ``trial`` before the switch, the one in force after it.
        limits: how large a share of the pictures it gets, and what is near enough.
    """

    def __init__(
        self, trial: Trial, sights: Sights, in_force: str, candidate: ModelRef, limits: UpdateSettings
    ) -> None:
        self._trial, self._sights, self._in_force = trial, sights, in_force
        self._leads = candidate.digest == in_force
        self._comparison = Comparison(candidate, limits.agreement)
        self._limits = limits
        self._began_s = monotonic_s()
        sights.lend(limits.shadow_share)

    def watch(self, timeout_s: float) -> bool:
        """Compare one picture, if one comes within ``timeout_s``; whether one did.

        Raises:
            CandidateRejected: the model of the trial does not run.
        """
        sight = self._sights.borrow(timeout_s)
        if sight is None or sight.digest != self._in_force:
            return False
        self._compare(sight)
        return True

    def report(self) -> ShadowReport:
        """The histograms up to now."""
        return self._comparison.report()

    @property
    def progress(self) -> float:
        """How much of what is asked for was seen, from 0 to 1."""
        seen = self._comparison.pictures / max(1, self._limits.shadow_pictures)
        lasted = (monotonic_s() - self._began_s) / max(1e-9, self._limits.shadow_s)
        return min(1.0, seen, lasted)

    @property
    def done(self) -> bool:
        """Whether enough was seen to judge."""
        return self.progress >= 1

    def objection(self) -> str:
        """Why the candidate cannot be believed; empty if it can."""
        if self._comparison.pictures < min(LEAST_FOR_DOUBT, self._limits.shadow_pictures or LEAST_FOR_DOUBT):
            return ""
        return self._comparison.objection(self._limits.shadow_pictures)

    def close(self) -> None:
        """End the second model's process."""
        self._sights.lend(0)
        self._trial.close()

    def _compare(self, sight: Sight) -> None:
        other = self._trial.look(sight.picture)
        candidate, reference = (sight.finding, other) if self._leads else (other, sight.finding)
        between = difference(candidate, reference)
        self._comparison.add(between, with_plants=reference.sees_plants)
        if not between.within(self._limits.agreement):
            self._sights.doubt(sight.camera)
