"""What the technician sees, in 80 columns."""

from datetime import datetime, timezone
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.address import public_address
from edge.contract.messages import Tally
from edge.settings import CameraSettings, DeviceSettings, GridPlots, RtspSource, WindowSettings
from edge.settings.harvest import HarvestSettings
from edge.status import CameraStatus, Status
from edge.stored import StoredRecord
from edge.stream import OutboxStats

OLD_STATUS_S = 30.0
BROKER = {
    True: Text("connected"),
    False: Text("not connected; results wait on the disk", "red"),
    None: Text("none configured; results stay here"),
}
CALM = {"started", "stopped", "camera_back"}
MAIN_TRAITS = {
    "plant_count": "plants {:.0f}",
    "leaf_count": "leaves {:.0f}",
    "fruit_count": "fruit {:.0f}",
    "fruit_count_ripe": "ripe {:.0f}",
    "projected_leaf_area": "{:,.0f} {unit}",
}
AREA_UNITS = {"px2": "px²", "mm2": "mm²"}


def status_view(status: Status, budget_bytes: int, *, running: bool) -> RenderableType:
    """How the daemon does."""
    now = datetime.now(timezone.utc)
    facts = facts_table()
    facts.add_row("device", f"{status.site}/{status.device}")
    facts.add_row("daemon", _presence(status, now, running=running))
    facts.add_row("model", status.model or Text("none usable; see the log", "red"))
    if status.update:
        facts.add_row("update", status.update)
    facts.add_row("broker", BROKER[status.connected])
    health = status.health
    waiting = health.last_seq - health.watermark
    kept = f"{health.last_seq:,} records" if status.connected is None else f"{waiting:,} wait for the fleet"
    facts.add_row("outbox", f"{kept}, {size(health.outbox_bytes)} of {size(budget_bytes)}")
    facts.add_row("step", f"{_ms(health.step_p50_ms)} median, {_ms(health.step_p95_ms)} at the 95th percentile")
    facts.add_row("memory", f"{size(health.rss_bytes)} now, {size(status.peak_rss_bytes)} at most")
    facts.add_row("disk", f"{size(health.disk_free_bytes)} free")
    if health.temperatures_c:
        warm = sorted(health.temperatures_c.items(), key=lambda each: -each[1])[:4]
        facts.add_row("temperature", ", ".join(f"{name} {degrees:.0f} °C" for name, degrees in warm))
    if health.throttled or health.relief:
        slowed = "the chip is slowed down" if health.throttled else ""
        relief = f"measuring {health.relief}" if health.relief else ""
        facts.add_row("heat", Text("; ".join(filter(None, (slowed, relief))), "red"))
    if health.clock_ok is False:
        facts.add_row("clock", Text("not believed: no time server was heard since boot", "red"))
    return Group(facts, _cameras(status, running=running))


def stats_view(stats: OutboxStats, budget_bytes: int) -> RenderableType:
    """What the outbox holds."""
    facts = facts_table()
    facts.add_row("records", f"{stats.entries:,} stored, {stats.undelivered:,} of them wait for the fleet")
    facts.add_row("oldest waiting", "none" if stats.oldest_undelivered_s is None else age(stats.oldest_undelivered_s))
    facts.add_row("given up", f"{stats.dropped:,} records, {stats.gaps:,} gaps in the log")
    facts.add_row("numbers", f"last {stats.last_seq:,}, the fleet has all up to {stats.watermark:,}")
    facts.add_row("epoch", stats.epoch)
    facts.add_row("size", f"{size(stats.bytes)} of {size(budget_bytes)}; the file has {size(stats.file_bytes)}")
    return Group(facts, _tallies(stats.tallies)) if stats.tallies else facts


def records_view(records: list[StoredRecord]) -> RenderableType:
    """One line for each record, newest last; ✓ marks what the fleet has."""
    if not records:
        return "nothing yet"
    table = listing_table("number", "time (UTC)", "", "of", "record")
    table.columns[0].justify = "right"
    for record in records:
        sent = Text("✓", "green") if record.delivered else Text("·", "dim")
        table.add_row(_numbers(record), record.content["clock"]["at"][:19].replace("T", " "), sent, *_story(record))
    return table


def settings_view(settings: DeviceSettings, model: str) -> RenderableType:
    """What a configuration means."""
    facts = facts_table()
    facts.add_row("device", f"{settings.site}/{settings.device}")
    facts.add_row("state", str(settings.state_dir))
    facts.add_row("model", f"{model}, precision {settings.inference.precision}, threads {settings.inference.threads}")
    facts.add_row("outbox", f"{size(settings.outbox.max_bytes)} at most")
    mqtt = settings.mqtt
    facts.add_row("broker", f"{mqtt.host}:{mqtt.port}, MQTT {mqtt.protocol}" if mqtt else "none: results stay here")
    for camera in settings.cameras:
        if camera.harvest:
            facts.add_row(f"frames of {camera.name}", _harvest(camera.harvest))
    table = listing_table("camera", "source", "pictures", "plots")
    for camera in settings.cameras:
        table.add_row(camera.name, _source(camera), _pace(camera), _plots(camera))
    return Group(facts, table)


def summary_view(summary: dict[str, Any]) -> RenderableType:
    """What a run came to."""
    facts = facts_table()
    names = ("captured", "processed", "dropped", "failed")
    facts.add_row("pictures", ", ".join(f"{summary[name]:,} {name}" for name in names))
    facts.add_row("records", f"{summary['appended']:,} appended, {summary['delivered']:,} delivered")
    facts.add_row("step", f"{_ms(summary['step_p50_ms'])} median, {_ms(summary['step_p95_ms'])} at the 95th percentile")
    facts.add_row("memory", f"{size(summary['peak_rss_bytes'])} at most")
    return facts


def size(count_bytes: float | None) -> str:
    """A number of bytes with its unit, in powers of 1,000."""
    if count_bytes is None:
        return "unknown"
    for unit in ("B", "kB", "MB"):
        if count_bytes < 1000:
            return f"{count_bytes:.0f} {unit}"
        count_bytes /= 1000
    return f"{count_bytes:.1f} GB"


def age(duration_s: float) -> str:
    """A duration in its two largest units."""
    minutes, hours, days = duration_s / 60, duration_s / 3600, duration_s / 86400
    if minutes < 1:
        return f"{max(0, duration_s):.0f} s"
    if hours < 1:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h {minutes % 60:.0f} min" if days < 1 else f"{days:.0f} d {hours % 24:.0f} h"


def facts_table() -> Table:
    """Names on the left, what is known of each on the right."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    return facts


def listing_table(*headings: str) -> Table:
    """Rows below headings."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _presence(status: Status, now: datetime, *, running: bool) -> Text:
    told_s = (now - status.health.at).total_seconds()
    if not running:
        return Text(f"not running; last heard of {age(told_s)} ago", "red")
    since = age((now - status.started_at).total_seconds())
    if told_s > OLD_STATUS_S:
        return Text(f"pid {status.pid} is there but has said nothing for {age(told_s)}", "red")
    return Text(f"runs as pid {status.pid} since {since}")


def _cameras(status: Status, *, running: bool) -> Table:
    table = _counting_table("outages", "now" if running else "when last heard of")
    for name, camera in status.cameras.items():
        counts = _counts(status.health.frames.get(name, Tally()))
        table.add_row(name, *counts, f"{camera.outages:,}", _camera_now(camera))
    return table


def _camera_now(camera: CameraStatus) -> Text:
    if camera.resting:
        return Text("rests until its window opens")
    if not camera.connected:
        steps = ", ".join(f"{count} x {rung}" for rung, count in camera.repairs.items())
        return Text((camera.error or "no pictures") + (f" (tried so far: {steps})" if steps else ""), "red")
    return (
        Text(f"gives pictures; {camera.complaint}", "yellow") if camera.complaint else Text("gives pictures", "green")
    )


def _tallies(tallies: dict[str, Tally]) -> Table:
    table = _counting_table()
    for camera, tally in tallies.items():
        table.add_row(camera, *_counts(tally))
    return table


def _counting_table(*more: str) -> Table:
    table = listing_table("camera", "captured", "processed", "dropped", "failed", *more)
    for column in table.columns[1:5]:
        column.justify = "right"
    return table


def _counts(tally: Tally) -> list[str]:
    return [f"{count:,}" for count in (tally.captured, tally.processed, tally.dropped, tally.failed)]


def _numbers(record: StoredRecord) -> str:
    return str(record.seq) if record.first_seq is None else f"{record.first_seq}–{record.seq}"


def _story(record: StoredRecord) -> tuple[str, Text]:
    """Of what a record tells, and what."""
    content = record.content
    if record.kind == "event":
        return content.get("camera") or "device", Text(content["message"], "" if content["kind"] in CALM else "red")
    where = f"{content['camera']}/{content['plot']}"
    if content["outcome"] == "measured":
        return where, Text(_main_traits(content["traits"]))
    why = content["error"] or ", ".join(content["quality"])
    return where, Text(content["outcome"].replace("_", " ") + (f": {why}" if why else ""), "yellow")


def _main_traits(traits: list[dict[str, Any]]) -> str:
    found = {trait["trait"]: trait for trait in traits}
    return ", ".join(
        form.format(found[name]["value"], unit=AREA_UNITS.get(found[name]["unit"], ""))
        for name, form in MAIN_TRAITS.items()
        if name in found
    )


def _ms(duration_ms: float | None) -> str:
    return "–" if duration_ms is None else f"{duration_ms:.1f} ms"


def _source(camera: CameraSettings) -> str:
    """Where pictures come from, without the password that a camera's address may hold."""
    source = camera.source
    where = public_address(source.url) if isinstance(source, RtspSource) else getattr(source, "path", None)
    return f"{source.kind} {where if where is not None else getattr(source, 'device', getattr(source, 'sensor', ''))}"


def _pace(camera: CameraSettings) -> str:
    pace = f"every {age(camera.interval_s)}" if camera.interval_s else "all it gives"
    burst = f", {camera.burst.pictures} merged to one" if camera.burst else ""
    return pace + burst + (f", {_window(camera.window)}" if camera.window else "")


def _window(window: WindowSettings) -> str:
    daylight, hours = window.daylight, window.hours
    sun = [f"sun over {daylight.sun_above_deg:g}°"] if daylight else []
    day = [f"{hours.start:%H:%M} to {hours.end:%H:%M} {hours.time_zone or 'local time'}"] if hours else []
    return ", ".join((*sun, *day)) or "always"


def _harvest(harvest: HarvestSettings) -> str:
    privacy = harvest.privacy
    hidden = [f"{len(privacy.blank)} parts black"] if privacy.blank else []
    hidden += ["plots only"] if privacy.plots_only else []
    hidden += [f"filtered by {' '.join(privacy.command)} within {privacy.within_s:g} s"] if privacy.command else []
    return f"kept for training, {size(harvest.day_bytes)} a day; {', '.join(hidden) or 'nothing is hidden in them'}"


def _plots(camera: CameraSettings) -> str:
    plots = camera.plots
    if plots is None:
        return "the whole picture"
    return f"{plots.rows} x {plots.columns}" if isinstance(plots, GridPlots) else f"{len(plots.outlines)} outlines"
