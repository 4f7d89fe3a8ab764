"""The device: every part of it put together."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2

from edge import __version__
from edge.batches import MAX_TEXT_CHARS
from edge.bulletin import Bulletin, Summary
from edge.calibration.store import CalibrationStore
from edge.calibration.watch import CalibrationWatch
from edge.capture import Camera, Detail
from edge.clock import monotonic_s, read_clock
from edge.commands import Commands
from edge.contract.control import Phase
from edge.contract.drift import DriftWindow
from edge.contract.records import Event, EventKind
from edge.drift.watch import DriftWatch
from edge.errands import Errands
from edge.errors import ConfigError, ModelError, StoreError
from edge.harvest.harvester import Harvester
from edge.harvest.shelf import Shelf
from edge.health import rss_bytes
from edge.logring import LogRing
from edge.lookout import Lookout
from edge.loop import Loop
from edge.mailbox import Mailbox
from edge.model import Model
from edge.notify import Notifier
from edge.observe import Observer
from edge.outbox import OUTBOX_FILE, Outbox
from edge.package import peek
from edge.publisher import Publisher
from edge.rates import Rates
from edge.recovery.commands import Ending
from edge.recovery.ladder import Rung
from edge.recovery.repairs import Patient, Repairs
from edge.relief import HeatGuard
from edge.replay import Replay
from edge.retention import make_room
from edge.settings import CameraSettings, DeviceSettings, DriftSettings, UpdateSettings
from edge.settings.harvest import FrameUploadSettings
from edge.sights import Seen, Sights
from edge.sources import FrameSource, open_source
from edge.status import Status, write_status
from edge.twin import Twin
from edge.update.boot import note_start, run_active
from edge.update.ledger import Ledger
from edge.update.probation import Reading
from edge.update.report import in_words
from edge.update.request import is_held
from edge.update.slotstore import SlotStore
from edge.wanted import Told, WantedSettings

if TYPE_CHECKING:
    from edge.enroll.renewal import Renewal
    from edge.harvest.upload import FrameUpload
    from edge.metrics import MetricsServer
    from edge.update.updater import Updater

DRIFT_FOLDER = "drift"
LAST_DELIVERY_S = 0.5
STOP_UPDATER_S = 0.2
STOP_PUBLISHER_S = 0.4
STOP_HARVESTER_S = 0.2
"""Together with a camera that hangs (1 s) a stop takes 2 s at the most."""

MODEL_IS_BUSY = {Phase.COMPILING, Phase.TESTING, Phase.SHADOW, Phase.ACTIVE}
"""In these phases of an update the model is not exchanged for heat."""

log = logging.getLogger(__name__)


class Device:
    """Cameras, model, loop, outbox and publisher of one device.

    Args:
        settings: the device; ``wanted.running``.
        wanted: hears of settings that the fleet wants.
        ring: the log's last lines, for whoever asks for them.
        notifier: told that the loop turns.
    """

    def __init__(self, settings: DeviceSettings, wanted: WantedSettings, ring: LogRing, notifier: Notifier) -> None:
        cv2.setNumThreads(settings.inference.threads)
        self._settings = settings
        self._status_is_written = True
        if not settings.data_dir.is_dir() and settings.storage.folder:
            raise StoreError(
                f"storage.folder {settings.data_dir} is not there; mount its disk, or make the folder on it"
            )
        self._outbox = Outbox(settings.data_dir / OUTBOX_FILE, settings.outbox)
        first = self._outbox.position
        self._mailbox = Mailbox()
        self._model = Model(settings.inference)
        update = settings.update
        self._store = SlotStore(settings.state_dir, settings.inference.package)
        self._ledger = Ledger(
            self._store,
            update.hardware if update else "none",
            lambda: peek(settings.inference.package) if update else None,
            lambda: is_held(settings.state_dir),
            self._record,
        )
        self._sights = Sights(update.recent_pictures, update.recent_every_s) if update else None
        self.lookout = Lookout(camera.name for camera in settings.cameras)
        self._repairs = Repairs(settings.state_dir)
        self._cameras = [
            Camera(camera, self._mailbox, self._record, self._open_source, repair=self._mend)
            for camera in settings.cameras
        ]
        live = {camera.name: camera.live for camera in self._cameras}
        witness = self._sights.witness if self._sights else None
        self._harvesters = {each.name: self._harvester(each) for each in settings.cameras if each.harvest}
        drift = {each.name: self._drift_watch(each, each.drift) for each in settings.cameras if each.drift}
        observers = {
            each.name: Observer(
                each,
                self._model,
                live=live[each.name],
                witness=witness,
                drift=drift.get(each.name),
                calibration=CalibrationWatch(CalibrationStore(settings.state_dir, each.name), each, self._record),
                viewer=self.lookout.viewed,
                harvester=self._harvesters.get(each.name),
            )
            for each in settings.cameras
        }
        self._loop = Loop(
            self._mailbox,
            observers,
            self._outbox,
            settings.outbox,
            alive=notifier.alive,
            tell=self.lookout.observed,
        )
        self._rates = Rates()
        self._heat = HeatGuard(settings.heat, settings.inference, self._model, self._rest, self._record)
        self._bulletin = Bulletin(
            settings,
            self._outbox,
            first,
            self._model,
            self._cameras,
            self._loop,
            self._repairs,
            self._heat,
            self._rates,
        )
        self._loop_thread = threading.Thread(target=self._loop.run, name="loop", daemon=True)
        self._told: Status | None = None
        self._metrics = self._make_metrics()
        self._updater = self._make_updater(update, self._sights) if update and self._sights else None
        replay = Replay(self._outbox)
        self._frame_upload = self._make_frame_upload(settings.frame_upload) if settings.frame_upload else None
        send_frames = self._frame_upload.send_now if self._frame_upload else None
        self._commands = Commands(Errands(settings, self.lookout, ring, replay, send_frames, drift).carry_out)
        self._publisher = (
            Publisher(
                self._outbox,
                settings.mqtt,
                settings.site,
                settings.device,
                self._bulletin.info,
                self._bulletin.health,
                Twin(self._ledger, self._updater, wanted),
                self._commands,
                replay,
            )
            if settings.mqtt
            else None
        )

        self._renewal = self._make_renewal() if settings.mqtt and settings.mqtt.tls else None

    @property
    def done(self) -> bool:
        """Nothing more will come: every file is read, or the loop has died."""
        return all(camera.done.is_set() for camera in self._cameras) or not self._loop_thread.is_alive()

    @property
    def settings(self) -> DeviceSettings:
        """What it was made with."""
        return self._settings

    @property
    def has_measured(self) -> bool:
        """Whether a picture has gone its whole way since the start."""
        return any(tally.processed for tally in self._loop.tallies().values())

    def refuse_live_cameras(self) -> None:
        """Only files have an end."""
        live = [camera.name for camera in self._cameras if not camera.finite]
        if live:
            raise ConfigError(f"--until-end needs folders or videos, and {', '.join(live)} has no end; leave it out")

    def start(self, *, model_required: bool) -> None:
        """Start everything; the model first, so that no picture waits for it.

        A run over files (``model_required``) takes no updates: it is over before one could prove itself.
        """
        try:
            note_start(self._ledger)
            run_active(self._ledger, self._store, self._model, self._settings.inference)
        except ModelError as error:
            self._record(EventKind.MODEL_UNUSABLE, None, str(error), {"cause": type(error).__name__})
            if model_required:
                raise
            log.error("%s", error)  # noqa: TRY400  the message says what to do; a traceback would not
        self._record(EventKind.STARTED, None, f"canopy {__version__} started", {"software": __version__})
        if self._publisher:
            self._publisher.start()
        if self._updater and not model_required:
            self._updater.start()
        if self._renewal:
            self._renewal.start()
        if self._frame_upload:
            self._frame_upload.start()
        for harvester in self._harvesters.values():
            harvester.start()
        self._loop_thread.start()
        for camera in self._cameras:
            camera.start()

    def finish_pictures(self) -> None:
        """Stop the cameras, at the same time, and let the loop finish and commit what they gave."""
        if self._updater:
            self._updater.stop(STOP_UPDATER_S)
        with ThreadPoolExecutor(len(self._cameras)) as pool:
            list(pool.map(lambda camera: camera.stop(), self._cameras))
        self._mailbox.close()
        self._loop_thread.join()
        for harvester in self._harvesters.values():
            harvester.stop(STOP_HARVESTER_S)
        self._record(EventKind.STOPPED, None, f"canopy {__version__} stopped", {"software": __version__})

    def wait_delivered(self, timeout_s: float) -> bool:
        """Whether the fleet has everything within ``timeout_s``; at once where there is no fleet."""
        return self._publisher is None or self._publisher.wait_delivered(timeout_s)

    def end(self) -> Summary:
        """Give the fleet a last moment, and sum up."""
        if self._frame_upload:
            self._frame_upload.stop()
        if self._publisher:
            if self._renewal:
                self._renewal.stop()
            self._publisher.wait_delivered(LAST_DELIVERY_S if self._publisher.connected else 0)
            self._publisher.stop(STOP_PUBLISHER_S)
        self.write_status()
        return self._bulletin.summary()

    def close(self) -> None:
        """Let go of the port, the slots, the model and the database."""
        self._commands.stop()
        if self._metrics:
            self._metrics.stop()
        try:
            self._ledger.close()
        except StoreError as error:
            log.error("%s; the next start takes this one for a crash", error)  # noqa: TRY400
        self._model.close()
        self._outbox.close()

    def care(self) -> None:
        """Keep the disk within its budget and the chip below its limit; to be called every few seconds."""
        try:
            self._outbox.prune()
            make_room(self._settings, self._outbox)
        except StoreError as error:
            log.error("%s", error)  # noqa: TRY400
        self._rates.note(monotonic_s(), self._loop.tallies())
        self._heat.watch(may_exchange=self._ledger.reported.phase not in MODEL_IS_BUSY)

    def tell(self, events: list[Told]) -> None:
        """Append what happened to the settings."""
        for kind, message, detail in events:
            self._record(kind, None, message, detail)

    def status(self) -> Status:
        """How it does."""
        connected = self._publisher.connected if self._publisher else None
        return self._bulletin.status(connected, in_words(self._ledger.reported))

    def write_status(self) -> None:
        """Tell the technician how it goes."""
        try:
            self._told = self.status()
            write_status(self._settings.run_dir, self._told)
            self._status_is_written = True
        except (OSError, StoreError) as error:
            if self._status_is_written:
                log.warning("the status cannot be written: %s", error)
            self._status_is_written = False

    def _drift_watch(self, camera: CameraSettings, settings: DriftSettings) -> DriftWatch:
        return DriftWatch(camera.name, settings, self._settings.state_dir / DRIFT_FOLDER, self._keep)

    def _harvester(self, camera: CameraSettings) -> Harvester:
        assert camera.harvest is not None  # noqa: S101 - the caller's condition, for the type checker
        sights, state = self._sights, self._settings
        return Harvester(
            (state.site, state.device, camera.name),
            camera.harvest,
            Shelf(state.state_dir, camera.name),
            doubted=(lambda: sights.take_doubt(camera.name)) if sights else (lambda: False),
        )

    def _keep(self, record: DriftWindow | Event) -> None:
        """Append what drift has to tell; the next window tells more, so a full disk is no reason to end."""
        try:
            self._outbox.append([record])
        except StoreError as error:
            log.error("what was seen of drift could not be recorded: %s", error)  # noqa: TRY400

    def _rest(self, busy_share: float) -> None:
        self._loop.busy_share = busy_share

    def _record(self, kind: EventKind, camera: str | None, message: str, detail: Detail) -> None:
        """Append an event. Results matter more than events, so a full disk is no reason to end."""
        try:
            event = Event(kind=kind, clock=read_clock(), message=message[:MAX_TEXT_CHARS], camera=camera, detail=detail)
            self._outbox.append([event])
        except StoreError as error:
            log.error("%s could not be recorded: %s", kind.value, error)  # noqa: TRY400

    def _mend(self, rung: Rung, camera: CameraSettings, stopping: threading.Event) -> Ending:
        """Do what a camera's ladder says. In the camera's thread."""
        others_work = any(each.connected for each in self._cameras if each.name != camera.name)
        usb_device = next(each.usb_device for each in self._cameras if each.name == camera.name)
        return self._repairs.perform(rung, Patient(camera, usb_device, others_work), stopping)

    def _open_source(self, camera: CameraSettings, variant: int) -> FrameSource:
        source = open_source(camera, variant)
        source.onlooker = self.lookout
        return source

    def _make_updater(self, update: UpdateSettings, sights: Sights) -> "Updater":
        from edge.update.updater import Updater  # noqa: PLC0415 - a device that takes no updates starts without it

        return Updater(
            self._settings,
            update,
            self._store,
            self._ledger,
            self._model,
            sights,
            read=self._read,
            forget=self._loop.step_times.forget,
        )

    def _make_renewal(self) -> "Renewal":
        from edge.enroll.renewal import Renewal  # noqa: PLC0415 - a device without TLS starts without cryptography

        return Renewal(self._settings.state_dir, log.info)

    def _make_frame_upload(self, settings: FrameUploadSettings) -> "FrameUpload":
        from edge.harvest.upload import FrameUpload  # noqa: PLC0415 - a device that sends none starts without it

        return FrameUpload(self._settings.state_dir, settings)

    def _make_metrics(self) -> "MetricsServer | None":
        if self._settings.metrics is None:
            return None
        from edge.metrics import MetricsServer  # noqa: PLC0415 - a device that nobody scrapes starts without it

        return MetricsServer(self._settings.metrics, lambda: self._told)

    def _read(self) -> Reading:
        """The counters that a model on probation is judged by."""
        tallies = self._loop.tallies().values()
        return Reading(
            at_s=monotonic_s(),
            captured=sum(tally.captured for tally in tallies),
            processed=sum(tally.processed for tally in tallies),
            failed=sum(tally.failed for tally in tallies),
            seen=self._sights.seen if self._sights else Seen(),
            step_ms=self._loop.step_times.percentile_ms(50),
            rss_bytes=rss_bytes(),
        )
