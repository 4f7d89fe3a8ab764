"""``canopy doctor``: what is wrong with a device, and the mend. Looks and never changes anything.

Each check is a file in ``checks``, listed in ``examination.CHECKS``.
"""

from edge.doctor.examination import run_checks
from edge.doctor.finding import Finding, State

__all__ = ["Finding", "State", "run_checks"]
