"""What Prometheus reads of the fleet, in its text format: gauges from the store, counters of this process.

Labels are sites and devices, which are bounded by ``MAX_DEVICES``; no plot and no trait is a label, for those are
millions, and their place is the store.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from fleet import schema
from fleet.alerts.book import standing
from fleet.ingest.ingest import Ingest

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_DEVICES = 20_000
_PLACE = ("site", "device")


def render(connection: Connection, ingest: Ingest) -> bytes:
    """Everything, as one document."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fleet(connection, ingest))
    return generate_latest(registry)


class _Fleet(Collector):
    def __init__(self, connection: Connection, ingest: Ingest) -> None:
        self._connection, self._ingest = connection, ingest

    def collect(self) -> Iterator[Metric]:
        yield from _of_process(self._ingest)
        yield from _of_devices(self._connection)
        yield from _of_streams(self._connection)
        yield _of_alerts(self._connection)


def _of_process(ingest: Ingest) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "canopy_fleet_receiving",
        "1 if messages arrive and are stored",
        value=float(ingest.connected and ingest.writing),
    )
    for name, count in ingest.tally().items():
        yield CounterMetricFamily(
            f"canopy_fleet_messages_{name}", f"messages {name.replace('_', ' ')} since the start", value=count
        )


def _of_devices(connection: Connection) -> Iterator[Metric]:
    now = datetime.now(timezone.utc)
    online = GaugeMetricFamily("canopy_device_online", "1 while the device is connected", labels=_PLACE)
    silent = GaugeMetricFamily("canopy_device_silent_seconds", "since the device was heard of", labels=_PLACE)
    disk = GaugeMetricFamily("canopy_device_disk_free_bytes", "as the device said last", labels=_PLACE)
    memory = GaugeMetricFamily("canopy_device_memory_bytes", "resident, as the device said last", labels=_PLACE)
    step = GaugeMetricFamily("canopy_device_step_seconds", "median time for a picture", labels=_PLACE)
    heat = GaugeMetricFamily("canopy_device_temperature_celsius", "by place", labels=(*_PLACE, "place"))
    for row in connection.execute(select(schema.devices).limit(MAX_DEVICES)):
        place, health = (row.site, row.device), row.health or {}
        online.add_metric(place, float(row.online))
        silent.add_metric(place, max(0.0, (now - row.last_seen).total_seconds()))
        for family, key, unit in (
            (disk, "disk_free_bytes", 1.0),
            (memory, "rss_bytes", 1.0),
            (step, "step_p50_ms", 1e-3),
        ):
            if health.get(key) is not None:
                family.add_metric(place, health[key] * unit)
        for where, celsius in (health.get("temperatures_c") or {}).items():
            heat.add_metric((*place, where), celsius)
    yield from (online, silent, disk, memory, step, heat)


def _of_streams(connection: Connection) -> Iterator[Metric]:
    """Over all of a device's numberings."""
    streams, devices = schema.streams, schema.devices
    received = CounterMetricFamily("canopy_device_records", "received of the device", labels=_PLACE)
    repeated = CounterMetricFamily("canopy_device_records_repeated", "received again", labels=_PLACE)
    behind = GaugeMetricFamily("canopy_device_records_behind", "told of and not yet complete", labels=_PLACE)
    highest = func.coalesce(func.sum(streams.c.max_seq - streams.c.watermark), 0)
    query = (
        select(devices.c.site, devices.c.device, func.sum(streams.c.received), func.sum(streams.c.repeated), highest)
        .join_from(streams, devices)
        .group_by(devices.c.site, devices.c.device)
    )
    for site, device, *counts in connection.execute(query.limit(MAX_DEVICES)):
        received.add_metric((site, device), float(counts[0]))
        repeated.add_metric((site, device), float(counts[1]))
        behind.add_metric((site, device), float(counts[2]))
    yield from (received, repeated, behind)


def _of_alerts(connection: Connection) -> GaugeMetricFamily:
    """How many fire, by kind and site: one line each is the dashboard's business."""
    family = GaugeMetricFamily("canopy_alerts_firing", "alerts that fire now", labels=("rule", "site"))
    firing = Counter(
        (alert.subject.rule.value, alert.subject.site) for alert in standing(connection).values() if alert.firing
    )
    for labels, count in sorted(firing.items()):
        family.add_metric(labels, count)
    return family
