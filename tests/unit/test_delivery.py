"""The delivery state machine, alone and against a network that does its worst."""

import random

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.delivery import MAX_PATIENCE_S, Chunk, Delivery, Lane
from edge.settings import MqttSettings

SETTINGS = MqttSettings(batch_records=10, window_records=40, resend_after_s=5.0)


def drain(delivery: Delivery, watermark: int, last_seq: int, now_s: float) -> list[Chunk]:
    """Send until the machine wants to wait."""
    sent = []
    while chunk := delivery.next(watermark, last_seq, now_s):
        through = min(chunk.after + chunk.limit, chunk.upto)
        delivery.sent(chunk, through, now_s)
        sent.append(chunk)
        assert len(sent) < 10_000
    return sent


def test_an_empty_log_gives_nothing_to_send():
    assert Delivery(SETTINGS, 0, 0, 0.0).next(0, 0, 1e9) is None


def test_a_delivered_log_gives_nothing_to_send():
    assert Delivery(SETTINGS, 70, 70, 0.0).next(70, 70, 1e9) is None


def test_live_and_backlog_take_turns():
    delivery = Delivery(SETTINGS, 0, 1_000, 0.0)
    lanes = [chunk.lane for chunk in drain(delivery, 0, 1_010, 0.0)]
    assert lanes == [Lane.LIVE, Lane.BACKLOG]
    delivery.next(10, 1_010, 1.0)
    assert delivery._window == 20
    lanes = [chunk.lane for chunk in drain(delivery, 10, 1_060, 1.0)]
    assert lanes == [Lane.LIVE, Lane.BACKLOG, Lane.LIVE, Lane.BACKLOG]


def test_a_live_record_waits_for_one_backlog_batch_at_most():
    delivery = Delivery(SETTINGS, 0, 1_000, 0.0)
    watermark = 0
    for now_s in range(1, 50):
        chunk = delivery.next(watermark, 1_000, now_s)
        assert chunk.lane is Lane.BACKLOG
        watermark = chunk.after + chunk.limit
        delivery.sent(chunk, watermark, now_s)
    first = delivery.next(watermark, 1_001, 50.0)
    assert first == Chunk(Lane.LIVE, 1_000, 1_001, 10)


def test_the_window_grows_with_each_progress_up_to_its_limit():
    delivery = Delivery(SETTINGS, 0, 10_000, 0.0)
    assert len(drain(delivery, 0, 10_000, 0.0)) == 1
    assert len(drain(delivery, 10, 10_000, 1.0)) == 2
    assert len(drain(delivery, 30, 10_000, 2.0)) == 4
    assert len(drain(delivery, 70, 10_000, 3.0)) == 4


def test_a_stall_shrinks_the_window_to_one_batch():
    delivery = Delivery(SETTINGS, 0, 10_000, 0.0)
    for watermark in (0, 10, 30):
        drain(delivery, watermark, 10_000, 1.0)
    assert drain(delivery, 30, 10_000, 7.0) == [Chunk(Lane.BACKLOG, 30, 10_000, 10)]


def test_a_watermark_that_stands_still_has_everything_above_it_sent_again():
    delivery = Delivery(SETTINGS, 0, 0, 0.0)
    assert drain(delivery, 0, 5, 1.0) == [Chunk(Lane.LIVE, 0, 5, 10)]
    assert drain(delivery, 0, 5, 5.9) == []
    assert drain(delivery, 0, 5, 6.1) == [Chunk(Lane.BACKLOG, 0, 5, 10)]


def test_patience_doubles_up_to_a_minute_and_progress_resets_it():
    delivery = Delivery(SETTINGS, 0, 20, 0.0)
    now_s, pauses = 0.0, []
    drain(delivery, 0, 20, now_s)
    for _ in range(6):
        pauses.append(delivery.patience_s)
        now_s += delivery.patience_s
        assert drain(delivery, 0, 20, now_s)
    assert pauses == [5.0, 10.0, 20.0, 40.0, MAX_PATIENCE_S, MAX_PATIENCE_S]
    delivery.next(1, 20, now_s)
    assert delivery.patience_s == 5.0


def test_what_was_sent_in_vain_is_counted_until_the_watermark_moves_and_a_new_connection_keeps_the_patience():
    delivery, now_s = Delivery(SETTINGS, 0, 10, 0.0), 0.0
    for times in (1, 2, 3):
        drain(delivery, 0, 10, now_s)
        now_s += delivery.patience_s
        drain(delivery, 0, 10, now_s)
        assert delivery.in_vain == times
    after = Delivery(SETTINGS, 0, 10, now_s, delivery.patience_s)
    assert (after.patience_s, after.in_vain) == (40.0, 0)
    delivery.next(5, 10, now_s)
    assert (delivery.patience_s, delivery.in_vain) == (5.0, 0)


def test_a_configured_patience_above_a_minute_is_kept():
    delivery = Delivery(SETTINGS.model_copy(update={"resend_after_s": 600.0}), 0, 20, 0.0)
    drain(delivery, 0, 20, 0.0)
    assert drain(delivery, 0, 20, 599.0) == []
    assert drain(delivery, 0, 20, 600.0)
    assert delivery.patience_s == 600.0


def test_an_idle_hour_is_not_a_stall():
    delivery = Delivery(SETTINGS, 0, 5, 0.0)
    drain(delivery, 0, 5, 0.0)
    assert drain(delivery, 5, 5, 1.0) == []
    assert drain(delivery, 5, 6, 3_601.0) == [Chunk(Lane.LIVE, 5, 6, 10)]
    assert drain(delivery, 5, 6, 3_605.0) == []


def test_a_fleet_that_is_down_costs_one_batch_for_each_lane_a_minute():
    delivery, records = Delivery(SETTINGS, 0, 100_000, 0.0), 0
    for now_s in range(3_600):
        chunks = drain(delivery, 0, 100_000 + now_s, float(now_s))
        records += sum(min(chunk.limit, chunk.upto - chunk.after) for chunk in chunks)
    assert records <= 65 * 2 * SETTINGS.batch_records


class Network(RuleBasedStateMachine):
    """A log, a network that loses, repeats, reorders and delays, and a fleet that stores and acknowledges."""

    @initialize(backlog=st.integers(0, 300), batch=st.integers(1, 30), window=st.integers(1, 90))
    def begin(self, backlog: int, batch: int, window: int) -> None:
        self.settings = MqttSettings(batch_records=batch, window_records=window, resend_after_s=5.0)
        self.last_seq, self.watermark, self.now_s = backlog, 0, 0.0
        self.stored: set[int] = set()
        self.wire: list[range] = []
        self.waited_turns = 0
        self.delivery = Delivery(self.settings, 0, backlog, 0.0)

    @rule(count=st.integers(1, 40))
    def record(self, count: int) -> None:
        self.last_seq += count

    @rule(turns=st.integers(1, 30))
    def send(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    @rule(seconds=st.floats(0.1, 100))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(seed=st.integers(0, 2**32), loss=st.floats(0, 1))
    def deliver(self, seed: int, loss: float) -> None:
        """Some messages arrive, in any order, some twice; the rest is lost or stays under way."""
        chance = random.Random(seed)
        chance.shuffle(self.wire)
        for message in self.wire[: chance.randint(0, len(self.wire))]:
            if chance.random() >= loss:
                self.stored.update(message)
        self.wire = [message for message in self.wire if chance.random() < 0.5]

    @rule(lost=st.booleans())
    def acknowledge(self, lost: bool) -> None:
        if not lost:
            self.watermark = self.fleet_watermark()

    @rule()
    def reconnect(self) -> None:
        self.wire.clear()
        self.delivery = Delivery(self.settings, self.watermark, self.last_seq, self.now_s)

    @rule()
    def recover(self) -> None:
        """On a network that works again, everything arrives within a number of turns that its amount bounds."""
        for _ in range(2 * (self.last_seq - self.watermark) + 20):
            chunk = self.turn()
            if chunk is None and self.watermark < self.last_seq:
                self.now_s += self.delivery.patience_s
            for message in self.wire:
                self.stored.update(message)
            self.wire.clear()
            self.watermark = self.fleet_watermark()
        assert self.watermark == self.last_seq

    @invariant()
    def the_fleet_never_has_more_than_there_is(self) -> None:
        assert not hasattr(self, "stored") or max(self.stored, default=0) <= self.last_seq

    def turn(self) -> Chunk | None:
        chunk = self.delivery.next(self.watermark, self.last_seq, self.now_s)
        live_waits = self.delivery._live_sent < self.last_seq and self.delivery._live_unproved == 0
        if chunk is None:
            assert not live_waits
            return None
        assert self.watermark <= chunk.after < chunk.upto <= self.last_seq
        assert 1 <= chunk.limit <= self.settings.batch_records
        self.waited_turns = self.waited_turns + 1 if live_waits and chunk.lane is Lane.BACKLOG else 0
        assert self.waited_turns <= 1
        through = min(chunk.after + chunk.limit, chunk.upto)
        assert chunk.lane is Lane.LIVE or through - self.watermark <= self.settings.window_records
        self.wire.append(range(chunk.after + 1, through + 1))
        self.delivery.sent(chunk, through, self.now_s)
        return chunk

    def fleet_watermark(self) -> int:
        watermark = self.watermark
        while watermark + 1 in self.stored:
            watermark += 1
        return watermark


TestNetwork = Network.TestCase
TestNetwork.settings = hypothesis_settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
