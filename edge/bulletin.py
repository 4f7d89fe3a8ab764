"""What the device tells of itself: to the fleet as it begins and as it goes, to the technician, and at its end."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from edge import __version__
from edge.capture import Camera
from edge.clock import boot_id, read_clock, utc_now
from edge.contract.messages import Health, Info
from edge.health import disk_free_bytes, hardware, peak_rss_bytes, rss_bytes
from edge.loop import Loop
from edge.model import Model
from edge.outbox import Outbox
from edge.rates import Rates
from edge.recovery.repairs import Repairs
from edge.relief import HeatGuard
from edge.settings import DeviceSettings
from edge.status import CameraStatus, Status
from edge.stream import Position


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    ``appended`` and ``delivered`` count the records of this run, events among them; ``errors`` tell of each camera that
    gave no pictures at its end.
    """

    captured: int
    processed: int
    dropped: int
    failed: int
    appended: int
    delivered: int
    step_p50_ms: float | None
    step_p95_ms: float | None
    peak_rss_bytes: int
    errors: tuple[str, ...]


class Bulletin:
    """Reads the parts of a device and changes none of them; ``first`` is where the stream stood as the run began."""

    def __init__(
        self,
        settings: DeviceSettings,
        outbox: Outbox,
        first: Position,
        model: Model,
        cameras: Sequence[Camera],
        loop: Loop,
        repairs: Repairs,
        heat: HeatGuard,
        rates: Rates,
    ) -> None:
        self._settings = settings
        self._outbox, self._model, self._cameras, self._loop = outbox, model, cameras, loop
        self._repairs, self._heat, self._rates = repairs, heat, rates
        self._first = first
        self._started_at = utc_now()

    def info(self) -> Info:
        """What it is."""
        loaded = self._model.loaded
        return Info(
            boot_id=boot_id(),
            software=__version__,
            hardware=hardware(),
            python=platform.python_version(),
            model_name=loaded.manifest.name if loaded else None,
            model_version=loaded.manifest.version if loaded else None,
            model=loaded.package.digest if loaded else None,
            cameras=tuple(camera.name for camera in self._cameras),
            camera_kinds=tuple(sorted({camera.source.kind for camera in self._settings.cameras})),
        )

    def health(self) -> Health:
        """How it does, for the fleet."""
        stats = self._outbox.stats()
        return Health(
            at=utc_now(),
            boot_id=boot_id(),
            epoch=stats.epoch,
            last_seq=stats.last_seq,
            watermark=stats.watermark,
            frames=self._loop.tallies(),
            step_p50_ms=self._loop.step_times.percentile_ms(50),
            step_p95_ms=self._loop.step_times.percentile_ms(95),
            rss_bytes=rss_bytes(),
            outbox_bytes=stats.bytes,
            disk_free_bytes=disk_free_bytes(self._settings.data_dir),
            temperatures_c=self._heat.chip.temperatures_c,
            fps=self._rates.fps,
            clocks_mhz=self._heat.chip.clocks_mhz,
            power_mode=self._heat.chip.power_mode,
            throttled=self._heat.chip.throttled,
            relief=self._heat.relief.told,
            clock_ok=read_clock().clock_ok,
            repairs={camera.name: self._repairs.counts(camera.name) for camera in self._cameras},
        )

    def status(self, connected: bool | None, update: str) -> Status:
        """How it does, for the technician; with whether the broker is reached, and what an update does."""
        loaded = self._model.loaded
        return Status(
            pid=os.getpid(),
            started_at=self._started_at,
            site=self._settings.site,
            device=self._settings.device,
            model=str(loaded) if loaded else "",
            update=update,
            connected=connected,
            cameras={camera.name: self._camera(camera) for camera in self._cameras},
            health=self.health(),
            peak_rss_bytes=peak_rss_bytes(),
        )

    def summary(self) -> Summary:
        """What came of it."""
        tallies = self._loop.tallies().values()
        at = self._outbox.position
        before = self._first.last_seq if at.epoch == self._first.epoch else 0
        return Summary(
            captured=sum(tally.captured for tally in tallies),
            processed=sum(tally.processed for tally in tallies),
            dropped=sum(tally.dropped for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            appended=at.last_seq - before,
            delivered=max(0, at.watermark - before),
            step_p50_ms=self._loop.step_times.percentile_ms(50),
            step_p95_ms=self._loop.step_times.percentile_ms(95),
            peak_rss_bytes=peak_rss_bytes(),
            errors=tuple(str(camera.error) for camera in self._cameras if camera.error),
        )

    def _camera(self, camera: Camera) -> CameraStatus:
        return CameraStatus(
            connected=camera.connected,
            resting=camera.resting,
            total=camera.total,
            outages=camera.reconnects,
            error=str(camera.error or ""),
            complaint=camera.complaint,
            repairs=self._repairs.counts(camera.name),
        )
