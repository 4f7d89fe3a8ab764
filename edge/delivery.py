"""What to send next: a pure state machine, without I/O and without a clock.

The log above the watermark is split once, when a connection begins: what is there already is the *backlog*, what comes
later is *live*. Both lanes are read in order and take turns, so that a reading of this minute waits for one batch of
last night's at most, and last night's drain all the same. The fleet's watermark is the only proof of delivery. When it
stands still for too long, all that it does not cover becomes backlog and is sent again (go-back-N), with growing
patience and a window that starts small, so that a fleet that is down costs a metered link almost nothing.
"""

from dataclasses import dataclass
from enum import Enum

from edge.settings import MqttSettings

MAX_PATIENCE_S = 60.0


class Lane(Enum):
    """Which part of the log a chunk comes from."""

    LIVE = "live"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries to read and send: numbers above ``after`` up to ``upto``, at most ``limit``."""

    lane: Lane
    after: int
    upto: int
    limit: int


class Delivery:
    """Decides what one connection sends. All times are seconds of one monotonic clock, handed in.

    A chunk must be answered by ``sent`` before the next is asked for.

    Attributes:
        patience_s: how long the watermark may stand still before everything above it is sent again; a connection that
            follows another goes on with its patience.
        in_vain: how often everything was sent again since the watermark last moved.
    """

    def __init__(
        self, settings: MqttSettings, watermark: int, last_seq: int, now_s: float, patience_s: float | None = None
    ) -> None:
        self._settings = settings
        self.patience_s = settings.resend_after_s if patience_s is None else patience_s
        self.in_vain = 0
        self._since_s = now_s
        self._live_turn = True
        self._live_unproved = 0
        self._watermark = self._backlog_sent = watermark
        self._live_from = self._live_sent = last_seq
        self._window = self._smallest_window

    def next(self, watermark: int, last_seq: int, now_s: float) -> Chunk | None:
        """The next chunk to send; None while both windows are spent or nothing is left."""
        if watermark > self._watermark:
            self._progress(watermark, now_s)
        elif self._outstanding and now_s - self._since_s >= self.patience_s:
            self.patience_s = max(self.patience_s, min(2 * self.patience_s, MAX_PATIENCE_S))
            self.in_vain += 1
            self._rewind(last_seq, now_s)
        live, backlog = self._live_chunk(last_seq), self._backlog_chunk()
        return (live or backlog) if self._live_turn else (backlog or live)

    def sent(self, chunk: Chunk, through: int, now_s: float) -> None:
        """Note that ``chunk`` was sent up to number ``through``: below ``upto`` if ``limit`` cut it short."""
        if not self._outstanding:
            self._since_s = now_s
        self._live_turn = chunk.lane is Lane.BACKLOG
        if chunk.lane is Lane.BACKLOG:
            self._backlog_sent = through
        else:
            self._live_unproved += through - chunk.after
            self._live_sent = through

    @property
    def _outstanding(self) -> bool:
        return self._backlog_sent > self._watermark or self._live_sent > max(self._watermark, self._live_from)

    def _progress(self, watermark: int, now_s: float) -> None:
        self._watermark = watermark
        self._backlog_sent = max(self._backlog_sent, min(watermark, self._live_from))
        self._live_unproved = 0
        self.patience_s = self._settings.resend_after_s
        self.in_vain = 0
        self._window = min(2 * self._window, self._settings.window_records)
        self._since_s = now_s

    def _rewind(self, last_seq: int, now_s: float) -> None:
        self._backlog_sent = self._watermark
        self._live_from = self._live_sent = last_seq
        self._live_unproved = 0
        self._window = self._smallest_window
        self._since_s = now_s

    @property
    def _smallest_window(self) -> int:
        return min(self._settings.batch_records, self._settings.window_records)

    def _backlog_chunk(self) -> Chunk | None:
        limit = self._limit(self._window - (self._backlog_sent - self._watermark))
        wanted = limit > 0 and self._backlog_sent < self._live_from
        return Chunk(Lane.BACKLOG, self._backlog_sent, self._live_from, limit) if wanted else None

    def _live_chunk(self, last_seq: int) -> Chunk | None:
        limit = self._limit(self._window - self._live_unproved)
        wanted = limit > 0 and self._live_sent < last_seq
        return Chunk(Lane.LIVE, self._live_sent, last_seq, limit) if wanted else None

    def _limit(self, window_left: int) -> int:
        return min(self._settings.batch_records, window_left)
