"""Runs detectors over simulated camera-years: ours, and what others would have said of the same values."""

import numpy as np
from numpy.typing import NDArray

from edge.drift.detector import Detector
from edge.drift.recent import Recent
from tests.sim.camera_years import FIRST_HOUR, CameraYears

NEVER = -1


def first_alarms(years: CameraYears, alpha: float) -> NDArray[np.int64]:
    """In which capture each camera first alarmed, by e-BH over its statistics; ``NEVER``."""
    cameras, days, hours, statistics = years.values.shape
    recent, detector = Recent(cameras * statistics), Detector(cameras * statistics)
    first = np.full(cameras, NEVER, np.int64)
    rank = np.arange(1, statistics + 1)
    for day in range(days):
        planted = np.repeat(years.planted[:, day], statistics)
        recent.forget(planted)
        detector.evidence[planted] = 0.0
        for hour in range(hours):
            now = years.values[:, day, hour].ravel()
            detector.take(recent.score(FIRST_HOUR + hour, now))
            recent.keep(FIRST_HOUR + hour, now)
            ordered = -np.sort(-detector.evidence.reshape(cameras, statistics), axis=1)
            alarmed = (ordered * rank * alpha >= statistics).any(axis=1)
            first[(first == NEVER) & alarmed] = day * hours + hour
    return first
