"""The device's own figures for Prometheus: the last status, as text, for whoever may reach the port.

Nothing is measured for a scrape, so that scraping costs the camera loop nothing. One connection is served at a time,
and one that says nothing is closed after ``SCRAPE_WITHIN_S``.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge import __version__
from edge.settings import MetricsSettings
from edge.status import Status

SCRAPE_WITHIN_S = 5.0
STOP_POLL_S = 0.2
STOP_WITHIN_S = 1.0

log = logging.getLogger(__name__)


class StatusCollector(Collector):
    """A status as families of metrics. What is not known has no sample: missing is never zero."""

    def __init__(self, read: Callable[[], Status | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Every family that the last status has values for."""
        status = self._read()
        if status is None:
            return
        about = {"site": status.site, "device": status.device, "version": __version__, "model": status.model}
        yield InfoMetricFamily("canopy_device", "what the device is", value=about)
        yield from _cameras(status)
        yield from _stream(status)
        yield from _machine(status)


def _cameras(status: Status) -> Iterator[Metric]:
    health = status.health
    pictures = CounterMetricFamily(
        "canopy_pictures", "pictures by what became of them, since the daemon started", labels=["camera", "outcome"]
    )
    for camera, tally in health.frames.items():
        for outcome, count in (("processed", tally.processed), ("dropped", tally.dropped), ("failed", tally.failed)):
            pictures.add_metric([camera, outcome], count)
    yield pictures
    connected = GaugeMetricFamily("canopy_camera_connected", "whether it gives pictures", labels=["camera"])
    outages = CounterMetricFamily("canopy_camera_outages", "how often it was lost and came back", labels=["camera"])
    for camera, each in status.cameras.items():
        connected.add_metric([camera], each.connected)
        outages.add_metric([camera], each.outages)
    yield connected
    yield outages
    yield _by("canopy_camera_fps", "pictures processed per second", "camera", health.fps)
    steps = {"0.5": health.step_p50_ms, "0.95": health.step_p95_ms}
    known = {quantile: ms / 1e3 for quantile, ms in steps.items() if ms is not None}
    yield _by("canopy_step_seconds", "from a picture in memory to its observations", "quantile", known)


def _stream(status: Status) -> Iterator[Metric]:
    health = status.health
    yield CounterMetricFamily("canopy_records", "the highest number given in this epoch", value=health.last_seq)
    yield CounterMetricFamily("canopy_delivered", "the fleet has every number up to this", value=health.watermark)
    yield GaugeMetricFamily("canopy_outbox_bytes", "bytes of the outbox in use", value=health.outbox_bytes)
    yield from _known("canopy_broker_connected", "whether the broker is reached", status.connected)


def _machine(status: Status) -> Iterator[Metric]:
    health = status.health
    yield GaugeMetricFamily(
        "canopy_status_timestamp_seconds", "when all this was so, in seconds since 1970", value=health.at.timestamp()
    )
    yield GaugeMetricFamily(
        "canopy_start_timestamp_seconds", "when the daemon started", value=status.started_at.timestamp()
    )
    yield from _known("canopy_resident_bytes", "memory of the daemon", health.rss_bytes)
    yield from _known("canopy_disk_free_bytes", "room on the outbox's disk", health.disk_free_bytes)
    yield _by("canopy_temperature_celsius", "by thermal zone", "sensor", health.temperatures_c)
    clocks = {clock: mhz * 1e6 for clock, mhz in health.clocks_mhz.items()}
    yield _by("canopy_clock_hertz", "what the chip runs at", "clock", clocks)
    yield from _known("canopy_throttled", "whether the chip runs slower than it could", health.throttled)
    yield from _known("canopy_clock_believed", "whether the wall clock is believed", health.clock_ok)
    yield GaugeMetricFamily("canopy_heat_relief", "whether less is measured because of heat", value=bool(health.relief))


def _by(name: str, documentation: str, label: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _known(name: str, documentation: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(name, documentation, value=float(value))


class _Handler(WSGIRequestHandler):
    timeout = SCRAPE_WITHIN_S

    def log_message(self, *_: object) -> None:
        """A scrape every few seconds is no news."""


class _Server(WSGIServer):
    request_queue_size = 4


class _ServerIPv6(_Server):
    address_family = socket.AF_INET6


class MetricsServer:
    """Answers in a thread of its own; a port that cannot be had is told, and no reason not to measure.

    Attributes:
        port: where it answers; None if it does not.
    """

    def __init__(self, settings: MetricsSettings, read: Callable[[], Status | None]) -> None:
        self.port: int | None = None
        self._server: WSGIServer | None = None
        registry = CollectorRegistry()
        registry.register(StatusCollector(read))
        kind = _ServerIPv6 if ":" in settings.host else _Server
        try:
            self._server = make_server(settings.host, settings.port, make_wsgi_app(registry), kind, _Handler)
        except OSError as error:
            log.error("metrics cannot be served on %s:%d: %s; see metrics.port", settings.host, settings.port, error)  # noqa: TRY400
            return
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_S,), name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more; a scrape under way is not waited for."""
        if self._server is not None:
            threading.Thread(target=self._server.shutdown, daemon=True).start()
            self._thread.join(STOP_WITHIN_S)
            self._server.server_close()
