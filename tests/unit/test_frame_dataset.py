"""Frames that came home are a dataset: exact outlines, COCO's rules, and what canopy-train takes as it is."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from typer.testing import CliRunner

from edge.contract.frames import PIECE_BYTES, Reason
from edge.contract.masks import magnified
from edge.frame import Frame
from edge.harvest.harvester import Harvester
from edge.harvest.labels import runs_of
from edge.harvest.shelf import Shelf, all_frames
from edge.model import Model
from edge.observe import Observer
from edge.settings import CameraSettings, InferenceSettings
from edge.settings.harvest import HarvestSettings
from fleet.cli import app as fleet_command
from fleet.frames.desk import FrameDesk
from fleet.frames.outlines import area_px, cells_of, polygons, rings
from fleet.settings import FrameSettings
from fleet.store import Store
from tests.sim.kept_frames import described
from tests.sim.waiting import wait_for
from training.cli import app as train_command
from training.synthetic import render_rosettes

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "packages/rosette"
BEGIN = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@settings(max_examples=150, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 9999), share=st.floats(0.05, 0.98))
def test_outlines_cover_exactly_the_cells(rows: int, columns: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    cells = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    covered = np.zeros((8 * rows, 8 * columns), np.uint8)
    for ring in rings(cells):
        assert len(ring) >= 4
        one = np.zeros_like(covered)
        inner = np.array([[8 * x, 8 * y] for y, x in ring], np.int32)
        cv2.fillPoly(one, [inner], 1)
        covered |= one
    middles = covered[4::8, 4::8].astype(bool)
    assert (middles == mask).all()


@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 9999), cell_px=st.floats(2, 9),
    more=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)  # fmt: skip
def test_the_area_is_that_of_the_pixels(
    rows: int, columns: int, seed: int, cell_px: float, more: tuple[int, int]
) -> None:
    height, width = int(rows * cell_px) + more[0], int(columns * cell_px) + more[1]
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    counts = runs_of(mask)
    pixels = magnified(counts, rows, columns, height, width, cell_px)
    assert area_px(cells_of(counts, rows), (rows, columns), cell_px, height, width) == sum(pixels[1::2])


def test_an_outline_ends_with_the_picture() -> None:
    (outline,) = polygons({(0, 0), (0, 1)}, 10.0, height=8, width=15)
    assert (max(outline[::2]), max(outline[1::2])) == (15, 8)


def deliver(desk: FrameDesk, state: Path) -> None:
    for shelved in all_frames(state):
        frame, jpeg = shelved.read(), shelved.path.read_bytes()
        assert frame is not None
        name = f"{frame.site}/{frame.device}"
        receipt = desk.announce(name, frame.image, frame.encode())
        while not receipt.stored:
            piece = jpeg[receipt.offset : receipt.offset + PIECE_BYTES]
            receipt = desk.take(name, frame.image, receipt.offset, piece)


def harvest_rosettes(state: Path, camera: str, first: int, count: int) -> None:
    """Rendered trays through the shipped model and a harvester that keeps every frame."""
    limits = HarvestSettings(random_share=1.0, day_bytes=10**9, keep_days=3650)
    settings_of_camera = CameraSettings(name=camera, source={"kind": "v4l2", "device": 0}, harvest=limits, drift=None)
    harvester = Harvester(("gh", "cam", camera), limits, Shelf(state, camera), rng=random.Random(1))
    harvester.start()
    observer = Observer(settings_of_camera, Model(InferenceSettings(package=PACKAGE)), live=False, harvester=harvester)
    for number in range(count):
        pixels = render_rosettes(first + number, 256, 256).pixels
        observer.observe(Frame(pixels, number, camera, BEGIN + timedelta(hours=number), float(number)))
        wait_for(harvester._waiting.empty, 10, str)
    harvester.stop(10)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of a fleet with the frames of two cameras."""
    folder = tmp_path_factory.mktemp("fleet")
    config = folder / "fleet.yaml"
    config.write_text("state_dir: state\n")
    store = Store(f"sqlite:///{folder / 'state' / 'fleet.sqlite'}")
    desk = FrameDesk(store, folder / "state" / "frames", FrameSettings())
    for number, camera in enumerate(("left", "right")):
        harvest_rosettes(folder / "device", camera, 7_000_000 + 100 * number, 6)
    deliver(desk, folder / "device")
    yield config
    store.close()


def command(app, *words: object) -> str:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def count(fleet: Path) -> int:
    """Frames that are there: of a dark picture there is none."""
    return len(json.loads(command(fleet_command, "dataset", "list", "--json", "--config", fleet)))


def test_a_dataset_keeps_the_rules_of_coco(fleet: Path, tmp_path: Path) -> None:
    command(fleet_command, "dataset", "build", tmp_path / "data", "--config", fleet)
    document = json.loads((tmp_path / "data/annotations.json").read_text())
    coco = COCO(str(tmp_path / "data/annotations.json"))
    assert len(document["images"]) == count(fleet) > 8
    for part in ("images", "annotations", "categories"):
        numbers = [each["id"] for each in document[part]]
        assert numbers == sorted(set(numbers))
        assert min(numbers) > 0
    for each in document["annotations"]:
        image = coco.imgs[each["image_id"]]
        assert each["iscrowd"] in {0, 1}
        assert isinstance(each["segmentation"], dict if each["iscrowd"] else list)
        left, top, width, height = each["bbox"]
        assert min(left, top) >= 0
        assert left + width <= image["width"]
        assert top + height <= image["height"]
        drawn = int(coco.annToMask(each).sum())
        assert abs(drawn - each["area"]) <= max(24, 0.25 * each["area"]), "polygon and area tell of the same mask"
    lineage = document["info"]["canopy"]
    assert lineage["frames"] == [image["digest"] for image in document["images"]]
    assert len(lineage["models"]) == 1
    assert all(image["weight"] == 1 / image["probability"] for image in document["images"])


def test_canopy_train_takes_the_dataset_as_it_is(fleet: Path, tmp_path: Path) -> None:
    command(fleet_command, "dataset", "build", tmp_path / "data", "--config", fleet)
    told = command(train_command, "validate", tmp_path / "data", "--init", PACKAGE)
    assert "leaf" in told
    assert "plant" in told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_network_is_fitted_on_it(fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    command(fleet_command, "dataset", "build", tmp_path / "data", "--config", fleet)
    config = tmp_path / "short.yaml"
    config.write_text("steps: 4\nbatch: 2\nworkers: 0\ncheck_every: 2\n")
    run = tmp_path / "run"
    words = ("--data", tmp_path / "data", "--init", PACKAGE, "--run", run, "--config", config, "--tracking", "none")
    command(train_command, "fit", *words)
    assert (run / "network.safetensors").is_file()
    assert "sha256:" in (run / "run.json").read_text()


def test_a_selection_takes_what_it_names(fleet: Path, tmp_path: Path) -> None:
    def images(*words: object) -> list[dict]:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        command(fleet_command, "dataset", "build", out, *words, "--config", fleet)
        return list(json.loads((out / "annotations.json").read_text())["images"])

    assert {image["file_name"].split("/")[1] for image in images("--camera", "left")} == {"gh.cam.left"}
    assert len(images("--since", "2026-03-01T14:00:00", "--until", "2026-03-01T16:00:00")) == 4
    assert [image["date_captured"][11:13] for image in images("--limit", 2)] == ["17", "17"]
    assert len(images("--reason", "random")) == count(fleet)
    for words, code in (
        (("--site", "elsewhere"), 3), (("--reason", "x"), 2), (("--crop", "basil"), 3), (("--camera", "../x"), 3)
    ):  # fmt: skip
        asked = ["dataset", "build", str(tmp_path / "none"), *words, "--config", str(fleet)]
        assert CliRunner().invoke(fleet_command, asked).exit_code == code
    assert "gh/cam/left" in command(fleet_command, "dataset", "list", "--config", fleet)
    assert '"dataset build"' in command(fleet_command, "audit", "list", "--json", "--config", fleet)


def test_a_dataset_is_never_mixed_with_another(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    done = CliRunner().invoke(fleet_command, ["dataset", "build", str(tmp_path), "--config", str(fleet)])
    assert done.exit_code == 2
    assert "not empty" in done.output


def test_every_reason_has_its_place_in_the_store(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    desk = FrameDesk(store, tmp_path / "frames", FrameSettings())
    for number, reason in enumerate(Reason, 1):
        frame, jpeg = described(number)
        frame = frame.model_copy(update={"reason": reason})
        desk.announce("gh/cam", frame.image, frame.encode())
        assert desk.take("gh/cam", frame.image, 0, jpeg).stored
    store.close()
