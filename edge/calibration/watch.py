"""The calibration of one camera while the daemon runs: read again when its file changes, and held against pictures."""

import logging
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.applied import UNCALIBRATED, Applied
from edge.calibration.correction import colour_table
from edge.calibration.movement import Landmarks, Movement
from edge.calibration.plane import Plane
from edge.calibration.record import Calibration, Reference
from edge.calibration.standing import Finding, Standing
from edge.calibration.store import CalibrationStore
from edge.contract.message import Digest
from edge.contract.records import EventKind
from edge.errors import StoreError
from edge.preprocess import GRID_STRIDE_PX, Placement
from edge.settings import CameraSettings

LOOK_EVERY_S = 2.0
AROUND_PLANTS_CELLS = 5

Detail = dict[str, str | int | float | bool | None]
Tell = Callable[[EventKind, str, str, Detail], None]
"""Called with what happened, the camera's name, the message and its detail."""

log = logging.getLogger(__name__)


class CalibrationWatch:
    """What is in force for one camera, and whether it still holds. Belongs to the loop's thread.

    Args:
        store: where the calibration lies.
        camera: the camera.
        tell: hears of a new calibration, and of a camera that was moved.
    """

    def __init__(self, store: CalibrationStore, camera: CameraSettings, tell: Tell) -> None:
        self._store = store
        self._settings = camera.movement
        self._tell = tell
        self.calibration = Calibration(camera=store.camera)
        self._stamp: tuple[int, int] | None = None
        self._look_at_s = self._check_at_s = -np.inf
        self._begin()

    def _begin(self) -> None:
        self.digest: Digest | None = None if self.calibration.empty else self.calibration.digest
        self._standing = Standing(self._settings)
        self._table = colour_table(self.calibration.colour) if self.calibration.colour else None
        self._plane: Plane | None = None
        self._landmarks: Landmarks | None = None
        self._check_at_s = -np.inf

    @property
    def moved(self) -> bool:
        """The camera does not stand where it was calibrated."""
        return self._standing.moved

    def refresh(self, now_s: float) -> bool:
        """Read the file again if it has changed; whether it had."""
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + LOOK_EVERY_S
        stamp = self._stamp_of_file()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.calibration = self._store.read()
        except StoreError as error:
            log.error("camera %s is measured uncalibrated: %s", self._store.camera, error)  # noqa: TRY400
            self.calibration = Calibration(camera=self._store.camera)
        self._begin()
        self._announce()
        return True

    def applied(self, placement: Placement) -> Applied:
        """What it does to the measuring of a picture so placed. After a knock nothing is known of sizes."""
        scale = self.calibration.scale
        if scale and not self.moved and (scale.width_px, scale.height_px) == (placement.width_px, placement.height_px):
            if self._plane is None or self._plane.placement != placement:
                self._plane = Plane.of(scale, placement)
            return Applied(self._plane, self._table)
        return UNCALIBRATED if self._table is None else Applied(None, self._table)

    def check(self, picture: NDArray[np.uint8], plant: NDArray[np.bool_], now_s: float) -> None:
        """Hold a picture against the reference, if it is time to.

        Args:
            picture: uint8 [h, w, 3] BGR, fitted to the network's input, without padding.
            plant: its plant cells, bool [h / 4, w / 4] or so.
            now_s: monotonic.
        """
        reference = self.calibration.reference
        if reference is None or now_s < self._check_at_s:
            return
        self._check_at_s = now_s + self._settings.every_s
        try:
            if self._landmarks is None:
                self._landmarks = self._find_landmarks(reference, picture.shape)
        except StoreError as error:
            log.error("camera %s is not held against its reference: %s", self._store.camera, error)  # noqa: TRY400
            self._check_at_s = np.inf
            return
        now = Landmarks(picture, _around(plant, picture.shape))
        finding = self._standing.look(self._landmarks.movement_to(now))
        if finding is not None:
            self._say(finding, self._standing.last)

    def _find_landmarks(self, reference: Reference, shape: tuple[int, ...]) -> Landmarks:
        content = np.frombuffer(self._store.picture(reference.picture), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
        if picture is None:
            raise StoreError(f"the reference {reference.picture} is no picture; take a new one")
        seen = np.asarray(cv2.resize(picture, shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
        hidden = np.zeros(shape[:2], np.uint8)
        for outline in reference.hidden:
            cv2.fillPoly(hidden, [np.rint(np.array(outline) * shape[1::-1]).astype(np.int32)], 1)
        return Landmarks(seen, hidden > 0)

    def _say(self, finding: Finding, movement: Movement | None) -> None:
        name = self._store.camera
        if finding is Finding.UNKNOWN or movement is None:
            message = (
                f"camera {name}: in {self._settings.doubt_after} looks in a row nothing of its reference picture was "
                f"recognised; see where it looks, then take a new one: canopy calibrate reference {name}"
            )
            self._tell(EventKind.CAMERA_MOVED, name, message, {"moved": None})
            return
        detail = self._detail(finding, movement)
        if finding is Finding.BACK:
            self._tell(EventKind.CAMERA_MOVED, name, f"camera {name} stands where it was calibrated again", detail)
            return
        message = (
            f"camera {name} was moved: {in_words(movement, detail)}; sizes are in px until it stands as before, or "
            f"until canopy calibrate has been run again"
        )
        self._tell(EventKind.CAMERA_MOVED, name, message, detail)

    def _detail(self, finding: Finding, movement: Movement) -> Detail:
        detail: Detail = {
            "moved": finding is Finding.MOVED,
            "share_of_width": round(movement.share, 4),
            "turn_degree": round(movement.turn_degree, 2),
            "zoom": round(movement.zoom, 4),
            "corners": movement.agreed,
        }
        if scale := self.calibration.scale:
            detail["shift_px"] = round(movement.share * scale.width_px, 1)
            if self._plane:
                side_mm = float(np.sqrt(np.median(self._plane.pixel_mm2))) * self._plane.placement.scale
                detail["shift_mm"] = round(movement.share * scale.width_px * side_mm, 1)
        return detail

    def _announce(self) -> None:
        """Tell of a calibration that nobody was told of yet, also one that was made while no daemon ran."""
        name = self._store.camera
        if (self.digest or "") == self._store.told():
            return
        message = f"camera {name} has a new calibration" if self.digest else f"camera {name} is no more calibrated"
        self._tell(EventKind.CAMERA_CALIBRATED, name, message, _summary(self.calibration, self.digest))
        self._store.note_told(self.digest or "")

    def _stamp_of_file(self) -> tuple[int, int] | None:
        try:
            found = self._store.current.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def in_words(movement: Movement, detail: Detail) -> str:
    """How far, for a person."""
    millimetres = f", {detail['shift_mm']} mm" if "shift_mm" in detail else ""
    return (
        f"{100 * movement.share:.1f} % of the picture's width{millimetres}, turned {movement.turn_degree:+.1f} degrees"
    )


def _around(plant: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Plants and what is near them, on the picture's pixels: a leaf's tip is a fine corner, and moves."""
    size = 2 * AROUND_PLANTS_CELLS + 1
    near = cv2.dilate(plant.astype(np.uint8), np.ones((size, size), np.uint8))
    whole = np.zeros(shape[:2], np.bool_)
    fine = np.repeat(np.repeat(near, GRID_STRIDE_PX, axis=0), GRID_STRIDE_PX, axis=1)[: shape[0], : shape[1]] > 0
    whole[: fine.shape[0], : fine.shape[1]] = fine
    return whole


def _summary(calibration: Calibration, digest: Digest | None) -> Detail:
    detail: Detail = {"calibration": digest, "plots": calibration.plots is not None}
    if scale := calibration.scale:
        detail |= {"scale": scale.kind, "residual_mm": round(scale.residual_mm, 3)}
    if colour := calibration.colour:
        detail |= {"colour_before": round(colour.before, 2), "colour_left_out": round(colour.left_out, 2)}
    return detail
