"""Whether results are kept, whole, and on their way."""

from collections.abc import Iterator

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import StoreError
from edge.outbox import OUTBOX_FILE
from edge.store import CHECK_WHOLE_BYTES, open_reader, store_errors
from edge.stream import OutboxStats, read_stats
from edge.views import age, size

LATE_S = 3600.0
NEARLY_FULL = 0.8


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Read the database's counts, and through it if it is small."""
    settings = patient.settings
    path = settings.data_dir / OUTBOX_FILE
    if not path.exists():
        yield scribe.skipped("no daemon has stored anything here")
        return
    try:
        connection = open_reader(path)
        try:
            with store_errors(path):
                stats = read_stats(connection)
                small = path.stat().st_size <= CHECK_WHOLE_BYTES
                problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
        finally:
            connection.close()
    except StoreError as error:
        yield scribe.fail(
            str(error), "the daemon puts it aside at its next start and tells the fleet; see disk and wear"
        )
        return
    if problem != "ok":
        yield scribe.fail(f"{path} is damaged: {problem}", "restart the daemon, which puts it aside; see disk and wear")
    yield from _troubles(patient, stats, scribe)


def _troubles(patient: Patient, stats: OutboxStats, scribe: Scribe) -> Iterator[Finding]:
    settings, well = patient.settings, True
    asides = len(list(settings.data_dir.glob(f"{OUTBOX_FILE}.corrupt-*Z")))
    if asides:
        well = False
        yield scribe.warn(f"{asides} damaged databases were put aside", "keep them for support; see disk and wear")
    if stats.dropped:
        well = False
        yield scribe.warn(
            f"{stats.dropped:,} records were given up for want of room", "see broker; raise outbox.max_bytes"
        )
    if stats.bytes > NEARLY_FULL * settings.outbox.max_bytes and stats.undelivered > stats.entries / 2:
        well = False
        yield scribe.warn(
            f"{size(stats.bytes)} of {size(settings.outbox.max_bytes)} are used, and the fleet has little of it",
            "bring the device to its network, or: canopy buffer export",
        )
    if settings.mqtt and (stats.oldest_undelivered_s or 0) > LATE_S:
        well = False
        waits = age(stats.oldest_undelivered_s or 0)
        yield scribe.warn(f"{stats.undelivered:,} records wait for the fleet, the oldest for {waits}", "see broker")
    if well:
        yield scribe.ok(f"{stats.entries:,} stored, {stats.undelivered:,} waiting for the fleet")
