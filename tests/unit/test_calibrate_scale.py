"""Scale: boards seen by cameras of which every mm is known, and what traits become on the plane."""

import io
import re
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.calibration.board import BOARDS, as_pdf, as_png, as_svg, black_boxes
from edge.calibration.plane import Plane
from edge.calibration.record import Scale
from edge.calibration.scale import Heights, find_corners, scale_from_board, scale_from_distance
from edge.calibration.sizes import SIZES
from edge.errors import CalibrationFailed
from edge.preprocess import Placement, fit
from edge.region import Region
from tests.sim.bench import BenchCamera, developed

BOARD = BOARDS["a4"]
PX_PER_MM = 4.0
ON_THE_BOARD = Heights()
DISTORTED = (-0.2, 0.05, 0.001, -0.0005, 0.0)


def sheet() -> NDArray[np.uint8]:
    return cv2.copyMakeBorder(BOARD.picture(PX_PER_MM), 40, 40, 60, 60, cv2.BORDER_CONSTANT, value=255)


@cache
def looked(camera: BenchCamera) -> NDArray[np.float32]:
    return camera.look(sheet(), PX_PER_MM)


def seen(camera: BenchCamera, seed: int = 1) -> NDArray[np.uint8]:
    return developed(looked(camera), np.random.default_rng(seed))


def found(cameras: list[BenchCamera], heights: Heights = ON_THE_BOARD, board_sd: float = 0.0) -> Scale:
    return scale_from_board([find_corners(seen(each), BOARD) for each in cameras], (720, 1280), board_sd, heights)


def placed(camera: BenchCamera) -> Placement:
    return fit(np.zeros((camera.height_px, camera.width_px, 3), np.uint8), 288, 512)[1]


def true_pixel_mm2(camera: BenchCamera, place: Placement) -> NDArray[np.float64]:
    """Area on the bench of the input's pixels in each cell, from the cell's corners."""
    rows, columns = place.grid_shape
    y, x = place.to_picture(np.arange(rows + 1) - 0.5, np.arange(columns + 1) - 0.5)
    points = np.stack(np.broadcast_arrays(x[None], y[:, None]), axis=-1).reshape(-1, 2)
    grid = camera.to_mm(points).reshape(rows + 1, columns + 1, 2)
    one, other = grid[1:, 1:] - grid[:-1, :-1], grid[1:, :-1] - grid[:-1, 1:]
    return np.abs(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]) / 2 / 16


def length_errors(scale: Scale, camera: BenchCamera) -> NDArray[np.float64]:
    place = placed(camera)
    return np.log(Plane.of(scale, place).pixel_mm2 / true_pixel_mm2(camera, place)) / 2


@pytest.mark.parametrize(
    "camera",
    [BenchCamera(), BenchCamera(tilt_degree=(15, 5), turn_degree=20), BenchCamera(height_mm=600, turn_degree=-75)],
    ids=["straight down", "tilted", "near and turned"],
)
def test_a_board_gives_lengths_within_half_a_percent_all_over_the_picture(camera: BenchCamera) -> None:
    errors = length_errors(found([camera]), camera)

    assert np.abs(errors).mean() < 0.002
    assert np.abs(errors).max() < 0.005


def test_the_stated_uncertainty_covers_the_error() -> None:
    camera = BenchCamera(tilt_degree=(10, -8))
    place = placed(camera)
    ratios = []
    for seed in range(6):
        scale = scale_from_board([find_corners(seen(camera, seed), BOARD)], (720, 1280), 0.0, Heights())
        plane = Plane.of(scale, place)
        ratios.append(np.log(plane.pixel_mm2 / true_pixel_mm2(camera, place)) / 2 / plane.relative_sd)

    assert 0.25 < np.sqrt(np.mean(np.square(ratios))) < 2.0


def test_pictures_of_a_tilted_board_give_the_lens_the_height_and_the_tilt() -> None:
    first = BenchCamera(height_mm=900, tilt_degree=(10, -4), distortion=DISTORTED)
    others = [
        BenchCamera(height_mm=height, tilt_degree=tilt, turn_degree=turn, at_mm=at, distortion=DISTORTED)
        for height, tilt, turn, at in (
            (500, (20, 10), 10, (60, 0)), (450, (-25, 5), -30, (-90, 40)), (500, (5, -25), 60, (0, 50)),
            (420, (-15, -20), 100, (90, -50)), (480, (0, 30), 45, (-100, -60)),
        )
    ]  # fmt: skip
    scale = found([first, *others])

    assert scale.lens is not None
    assert scale.lens.rms_px < 0.15
    assert scale.lens.focal_px[0] == pytest.approx(first.focal_px, rel=0.005)
    assert scale.camera_height_mm == pytest.approx(first.centre_height_mm, rel=0.005)
    assert scale.tilt_degree == pytest.approx(np.degrees(np.arccos(first.pose[0][2, 2])), abs=0.5)
    errors = length_errors(scale, first)
    assert np.abs(errors[8:-8, 8:-8]).max() < 0.01
    assert np.abs(errors).mean() < 0.003


def test_without_lens_pictures_a_distorting_lens_shows_as_wrong_sizes_at_the_edges() -> None:
    """What the documentation warns of: one picture of a board in the middle cannot tell."""
    camera = BenchCamera(tilt_degree=(10, -4), distortion=DISTORTED)

    assert np.abs(length_errors(found([camera]), camera)).max() > 0.05


def disc(camera: BenchCamera, place: Placement, middle: tuple[float, float], radius_mm: float) -> Region:
    """A disc on the bench as a region of the network's input."""
    y, x = (np.indices((place.input_height_px, place.input_width_px)) + 0.5) / place.scale
    mm = camera.to_mm(np.column_stack([x.ravel(), y.ravel()])).reshape(*x.shape, 2)
    inside = np.hypot(*(mm - middle).transpose(2, 0, 1)) < radius_mm
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left, bottom, right = rows[0] // 4 * 4, columns[0] // 4 * 4, rows[-1] // 4 * 4 + 4, columns[-1] // 4 * 4 + 4
    mask = inside[top:bottom, left:right].astype(np.uint8) * np.uint8(255)
    pixels = np.zeros((*mask.shape, 3), np.uint8)
    return Region(np.ascontiguousarray(mask), pixels, 1 / place.scale, top / place.scale, left / place.scale)


@pytest.mark.parametrize("middle", [(0.0, 0.0), (-300.0, 150.0), (250.0, -180.0)])
def test_a_disc_has_its_size_wherever_it_lies_under_a_tilted_camera(middle: tuple[float, float]) -> None:
    camera = BenchCamera(tilt_degree=(14, 6), turn_degree=10)
    plane = Plane.of(found([camera]), placed(camera))
    region = disc(camera, plane.placement, middle, 60.0)
    sizes = {name: measure(region, plane) for name, measure in SIZES.items()}

    for name, truth in {
        "projected_leaf_area": np.pi * 60**2, "convex_hull_area": np.pi * 60**2, "extent_x": 120.0, "extent_y": 120.0,
    }.items():  # fmt: skip
        size = sizes[name]
        assert size is not None
        assert size.sd is not None
        assert size.value == pytest.approx(truth, rel=0.03)
        assert abs(size.value - truth) < 3 * size.sd


def test_leaves_over_the_board_are_smaller_than_they_look_by_the_height_stated() -> None:
    """A sheet 100 mm over the bench, under a camera 1 m over it, looks 11 % longer than it is."""
    camera = BenchCamera()
    low = found([camera])
    high = found([camera], Heights(camera_mm=1000.0, canopy_mm=100.0, canopy_sd_mm=20.0))
    place = placed(camera)
    ratio = np.sqrt(Plane.of(high, place).pixel_mm2 / Plane.of(low, place).pixel_mm2)

    corners = np.array([[0.0, 0.0], [100.0, 0.0]])
    raised, flat = (np.hypot(*np.diff(camera.to_px(corners, height), axis=0)[0]) for height in (100.0, 0.0))
    assert ratio == pytest.approx(np.full_like(ratio, flat / raised), rel=1e-6)
    assert Plane.of(high, place).relative_sd.min() > 20 / 900


def test_a_height_of_leaves_without_one_of_the_camera_is_refused() -> None:
    with pytest.raises(CalibrationFailed, match="camera's height"):
        found([BenchCamera()], Heights(canopy_mm=100.0))


def test_a_distance_gives_one_scale_with_the_uncertainty_of_its_ends() -> None:
    scale = scale_from_distance(((100.0, 100.0), (400.0, 500.0)), 250.0, 1.0, (720, 1280), Heights())
    plane = Plane.of(scale, placed(BenchCamera()))

    assert plane.pixel_mm2 == pytest.approx(np.full_like(plane.pixel_mm2, (250 / 500 * 2.5) ** 2))
    assert plane.relative_sd[0, 0] == pytest.approx(np.hypot(np.sqrt(2) / 500, 1 / 250))


def test_two_points_at_one_place_are_no_distance() -> None:
    with pytest.raises(CalibrationFailed, match="at least 20 px"):
        scale_from_distance(((10.0, 10.0), (15.0, 10.0)), 250.0, 1.0, (720, 1280), Heights())


def test_a_picture_without_a_board_is_refused_with_what_was_seen() -> None:
    with pytest.raises(CalibrationFailed, match="0 of the board's 24 corners"):
        find_corners(np.full((720, 1280, 3), 120, np.uint8), BOARD)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_printed_board_fits_its_paper_and_is_the_one_that_is_looked_for(board) -> None:
    boxes = np.array(list(black_boxes(board)))
    assert (boxes[:, :2] >= 5).all()
    assert (boxes[:, 0] + boxes[:, 2] <= board.paper_mm[0] - 5).all()
    assert (boxes[:, 1] + boxes[:, 3] <= board.paper_mm[1] - 5).all()

    content = np.frombuffer(as_png(board), np.uint8)
    page = cv2.resize(cv2.imdecode(content, cv2.IMREAD_COLOR), None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    corners = find_corners(page, board)
    dots = 600 / 25.4 * 0.2
    assert len(corners.px) == (board.columns - 1) * (board.rows - 1)
    assert np.diff(corners.px[:2, 0]) / dots == pytest.approx(board.square_mm, rel=0.002)


def test_every_form_of_the_board_holds_the_same_boxes_in_mm() -> None:
    boxes = np.array(list(black_boxes(BOARD)))
    svg = np.array(
        re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', as_svg(BOARD).decode()), float
    )
    pdf = np.array(re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re", as_pdf(BOARD)), float) * 25.4 / 72
    pdf[:, 1] = BOARD.paper_mm[1] - pdf[:, 1] - pdf[:, 3]

    assert svg == pytest.approx(boxes, abs=1e-3)
    assert pdf == pytest.approx(boxes, abs=1e-3)


def test_the_pdf_names_where_each_of_its_objects_begins() -> None:
    pdf = as_pdf(BOARD)
    start = int(pdf.split(b"startxref\n")[1].split()[0])
    lines = io.BytesIO(pdf[start:]).readlines()
    for number, line in enumerate(lines[3:7], 1):
        assert pdf[int(line.split()[0]) :].startswith(b"%d 0 obj" % number)
