"""Every picture is accounted for: captured = processed + dropped + failed, whatever happens in whatever order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.loop
from edge.clock import monotonic_s, read_clock, utc_now
from edge.contract.messages import Tally
from edge.contract.records import Event, Observation, Outcome
from edge.errors import FrameUnreadable, InferenceFailed, StoreFull
from edge.frame import Frame
from edge.loop import Loop
from edge.mailbox import Mailbox, Picture
from edge.settings import OutboxSettings

LIVE, FILE = ("a", "b"), "c"
CAMERAS = (*LIVE, FILE)
MAX_PENDING_PICTURES = 2

arrivals = st.tuples(st.sampled_from(CAMERAS), st.sampled_from(["frame", "broken"]))
fates = st.sampled_from(["measured", "refused by the model", "a defect"])
looks = st.lists(st.tuples(st.lists(arrivals, max_size=6), fates), max_size=12)
stretches = st.lists(st.tuples(st.booleans(), looks), max_size=8)


class Schedule(Mailbox):
    """Stretches with the disk full or not; what arrives before each of the loop's looks, and what becomes of each."""

    def __init__(self, stretches: Sequence[tuple[bool, list[tuple[list[tuple[str, str]], str]]]]) -> None:
        super().__init__()
        self.put_in: Counter[str] = Counter()
        self.fate = "measured"
        self.disk_full = False
        self._looks = iter([(full, *look) for full, looks in stretches for look in looks])

    def take(self, timeout_s: float) -> Picture | None:
        try:
            self.disk_full, arrivals, self.fate = next(self._looks)
        except StopIteration:
            self.disk_full = False
            self.close()
            return super().take(0)
        for camera, kind in arrivals:
            if camera in LIVE or camera not in self._slots:  # a file waits for room
                self._arrive(camera, kind)
        return super().take(0)

    def _arrive(self, camera: str, kind: str) -> None:
        number = self.put_in[camera]
        self.put_in[camera] += 1
        picture: Picture = FrameUnreadable("half of it is missing", camera_id=camera, frame_id=number)
        if kind == "frame":
            picture = Frame(np.zeros((1, 1, 3), np.uint8), number, camera, utc_now(), monotonic_s())
        assert self.put(picture)


class Looking:
    """An observer to whom happens what the schedule says."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def observe(self, frame: Frame) -> list[Observation]:
        if self._schedule.fate == "a defect":
            raise ZeroDivisionError
        if self._schedule.fate == "refused by the model":
            raise InferenceFailed("NaN")
        return [observation(frame, Outcome.MEASURED)]

    def failed(self, picture: Picture, why: str) -> list[Observation]:
        return [observation(picture, Outcome.FAILED)]

    def rest(self) -> list[Observation]:
        return []


class Disk:
    """An outbox that keeps what it takes, and checks the sum in every transaction."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.kept = self.given_up = 0
        self.tallies: Mapping[str, Tally] = {}

    def append(self, records: Sequence[Observation | Event], tallies: Mapping[str, Tally]) -> int:
        if self._schedule.disk_full:
            raise StoreFull("no room")
        for record in records:
            if isinstance(record, Event):
                self.given_up += record.detail["pictures_given_up"]
            else:
                self.kept += 1
        self.tallies = tallies
        for tally in tallies.values():
            assert tally.captured == tally.processed + tally.dropped + tally.failed
        assert self.kept + self.given_up == sum(tally.processed + tally.failed for tally in tallies.values())
        return 0


def observation(picture: Picture, outcome: Outcome) -> Observation:
    return Observation(
        camera=picture.camera_id, plot="p", frame_id=picture.frame_id, clock=read_clock(), outcome=outcome
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(stretches, st.integers(1, 8))
def test_every_picture_is_processed_dropped_or_failed(stretches, commit_records):
    schedule = Schedule(stretches)
    disk = Disk(schedule)
    observers = dict.fromkeys(CAMERAS, Looking(schedule))
    loop = Loop(schedule, observers, disk, OutboxSettings(commit_records=commit_records, commit_after_s=0))
    with patch.multiple(edge.loop, RETRY_S=0.0, MAX_PENDING_PICTURES=MAX_PENDING_PICTURES):
        loop.run()
    assert loop.tallies() == disk.tallies
    assert {camera: tally.captured for camera, tally in disk.tallies.items()} == {
        camera: schedule.put_in[camera] for camera in CAMERAS
    }
    assert disk.tallies[FILE].dropped == 0
