"""Kept frames: the labels are the model's, what is private is not in the file, and a kill leaves whole frames only."""

import json
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from pydantic import ValidationError
from typer.testing import CliRunner

from edge.backends import Inference
from edge.cli import app
from edge.clock import read_clock, utc_now
from edge.contract.frames import KeptFrame, Reason
from edge.contract.masks import magnified, packed, unpacked
from edge.frame import Frame
from edge.harvest.harvester import Harvester, Measured
from edge.harvest.labels import runs_of
from edge.harvest.shelf import Shelf, all_frames
from edge.model import Model
from edge.observe import Observer
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.segmentation import Objects, Segmentation
from edge.settings import CameraSettings, InferenceSettings
from edge.settings.harvest import HarvestSettings
from tests.sim.green_model import build_green_package
from tests.sim.kept_frames import described
from tests.sim.pictures import discs
from tests.sim.waiting import wait_for

RED = (40, 40, 200)


@settings(max_examples=100, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30), seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_masks_are_packed_as_coco_packs_them(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    text = packed(runs_of(mask))
    assert text == coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    assert unpacked(text, mask.size) == runs_of(mask)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), cell_px=st.floats(0.5, 9.5), seed=st.integers(0, 99))
def test_a_mask_is_magnified_onto_its_picture(rows: int, columns: int, cell_px: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    height, width = max(1, round(rows * cell_px)), max(1, round(columns * cell_px))
    counts = magnified(runs_of(mask), rows, columns, height, width, cell_px)
    y = np.minimum(rows - 1, ((np.arange(height) + 0.5) / cell_px).astype(int))
    x = np.minimum(columns - 1, ((np.arange(width) + 0.5) / cell_px).astype(int))
    assert counts == runs_of(mask[np.ix_(y, x)])


@given(st.text(max_size=40), st.integers(1, 10_000))
def test_foreign_text_is_no_mask(text: str, cells: int) -> None:
    try:
        counts = unpacked(text, cells)
    except ValueError:
        return
    assert sum(counts) == cells


def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(-20, 20, (200, 260, 3))
    pixels = np.clip(np.array([90, 120, 110]) + noise, 0, 255).astype(np.uint8)
    pixels = discs(pixels, [(60, 60, 24), (180, 130, 30)])
    pixels[:40, 200:] = RED  # a face at the door
    return pixels


def harvest(folder: Path, count: int = 1, plots: dict | None = None, **wanted: object) -> Shelf:
    """Pictures through the real observer and a harvester that keeps each."""
    limits = HarvestSettings(**{"random_share": 1.0, "frame_bytes": 100_000, "day_bytes": 10**9, **wanted})
    camera = CameraSettings(name="top", source={"kind": "v4l2", "device": 0}, harvest=limits, plots=plots)
    shelf = Shelf(folder, "top")
    harvester = Harvester(("gh", "cam", "top"), limits, shelf, rng=random.Random(1))
    harvester.start()
    package = build_green_package(folder / "package")
    observer = Observer(camera, Model(InferenceSettings(package=package)), live=False, harvester=harvester)
    for number in range(count):
        observer.observe(Frame(picture(), number, "top", utc_now(), float(number)))
        wait_for(harvester._waiting.empty, 5, str)
    harvester.stop(5)
    return shelf


def test_a_kept_frame_is_whole_and_says_what_the_model_found(tmp_path: Path) -> None:
    (kept,) = harvest(tmp_path).frames()
    known = kept.read()
    assert known is not None
    pixels = cv2.imread(str(kept.path))
    assert pixels.shape[:2] == (known.height_px, known.width_px) == (200, 260)
    assert (known.reason, known.probability) == (Reason.RANDOM, 1.0)
    assert np.abs(pixels.astype(int) - picture()).mean() < 8
    for label in known.labels:
        mask = coco.decode(coco.frPyObjects(
            {"size": [200, 260], "counts": magnified(unpacked(label.counts, known.grid[0] * known.grid[1]),
                                                     *known.grid, 200, 260, known.cell_px)}, 200, 260))  # fmt: skip
        green = picture()[mask.astype(bool)].astype(int)
        assert (green[:, 1] - green[:, 2]).mean() > 25, "labels lie on the plants"
    assert known.labels


def test_what_is_private_is_black_in_the_file(tmp_path: Path) -> None:
    blank = [{"left": 0.74, "top": 0, "right": 1, "bottom": 0.25}]
    (kept,) = harvest(tmp_path, privacy={"blank": blank}).frames()
    pixels = cv2.imread(str(kept.path)).astype(int)
    assert pixels[:40, 200:].max() < 60, "JPEG rings a little at an edge"
    assert pixels[:32, 208:].max() <= 2
    assert pixels[100:, :150].mean() > 60, "the rest is there"
    known = kept.read()
    assert known is not None
    assert known.blanked


def test_plots_only_shows_the_plots_alone_and_no_label_beside_them(tmp_path: Path) -> None:
    grid = {"kind": "grid", "rows": 1, "columns": 1, "top_left": (0.1, 0.1), "bottom_right": (0.45, 0.5)}
    (kept,) = harvest(tmp_path, plots=grid, privacy={"plots_only": True}).frames()
    pixels, known = cv2.imread(str(kept.path)).astype(int), kept.read()
    assert pixels[120:, :].max() <= 2
    assert pixels[:, 140:].max() <= 2
    assert pixels[30:90, 40:100].mean() > 40
    assert known is not None
    assert len([label for label in known.labels if not label.crowd and label.category == "plant"]) <= 1


def test_plots_only_without_plots_keeps_nothing(tmp_path: Path) -> None:
    assert not harvest(tmp_path, privacy={"plots_only": True}).frames()


def test_the_day_goes_on_with_its_budget_after_a_restart(tmp_path: Path) -> None:
    shelf = harvest(tmp_path, count=3)
    spent = shelf.read_budget(utc_now())
    assert spent.seen == 3
    assert spent.by_chance_bytes == sum(frame.size_bytes for frame in shelf.frames())
    (shelf.folder / "budget.json").write_text("{")
    assert shelf.read_budget(utc_now()).by_chance_bytes > 10**12, "what cannot be read is not spent twice"


def answer(score: float, certainty: float = 0.9) -> Inference:
    centers = np.array([[2, 2, score, 0], [5, 5, 0.95, 0]], np.float32)
    classes = np.ones((8, 8), np.uint8)
    return Inference(
        classes, centers, np.zeros((2, 8, 8), np.float32), np.array([1, certainty], np.float32), np.zeros(4, np.float32)
    )  # fmt: skip


def measured(folder: Path, number: int, inference: Inference, **more: Any) -> Measured:
    manifest = ModelPackage.open(folder / "package").manifest
    pixels = np.zeros((32, 32, 3), np.uint8)
    _, placement = fit(pixels, manifest.input.height_px, manifest.input.width_px)
    grid = placement.grid_shape
    empty = np.zeros(0, np.float32)
    nothing = Objects(empty, empty, empty, np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = Segmentation(np.zeros(grid, np.uint8), np.zeros(grid, bool), np.full(grid, -1, np.int32), nothing)
    at = datetime(2026, 3, 1, 12, tzinfo=timezone.utc) + timedelta(minutes=number)
    clock = read_clock().model_copy(update={"at": at, "clock_ok": True})
    frame = Frame(pixels, number, "top", at, float(number))
    known = {"plots": None, "calibration": None, "evidence": {}, **more}
    return Measured(frame, clock, placement, manifest, "sha256:" + "0" * 64, inference, found, **known)


def test_frames_are_kept_for_what_drift_a_shadow_run_and_the_model_itself_say(tmp_path: Path) -> None:
    build_green_package(tmp_path / "package")
    limits = HarvestSettings(random_share=0.5, day_bytes=10**8, frame_bytes=20_000, apart_s=0, keep_days=3650)
    doubts, shelf = [False] * 62 + [True, False], Shelf(tmp_path, "top")
    harvester = Harvester(("gh", "cam", "top"), limits, shelf, doubted=lambda: doubts.pop(0), rng=NeverDraws())
    harvester.start()
    sure = [answer(0.9) for _ in range(60)]
    for number, each in enumerate(sure):
        harvester.look(measured(tmp_path, number, each))
    harvester.look(measured(tmp_path, 60, answer(0.9, certainty=0.3)))
    harvester.look(measured(tmp_path, 61, answer(0.9), evidence={"sharpness": 400.0}))
    wait_for(harvester._waiting.empty, 5, str)
    harvester.look(measured(tmp_path, 62, answer(0.9)))
    harvester.stop(5)
    told = [(known.reason, known.probability, known.evidence) for frame in shelf.frames() if (known := frame.read())]
    assert told == [
        (Reason.UNCERTAIN, 1.0, {}), (Reason.DRIFTED, 1.0, {"sharpness": 400.0}), (Reason.DISAGREEING, 1.0, {})
    ]  # fmt: skip


class NeverDraws(random.Random):
    """Chance keeps nothing."""

    def random(self) -> float:
        return 1.0


def test_a_worker_that_hangs_costs_frames_and_never_the_loop(tmp_path: Path) -> None:
    build_green_package(tmp_path / "package")
    limits = HarvestSettings(random_share=1.0, day_bytes=10**9, frame_bytes=20_000)
    harvester = Harvester(("gh", "cam", "top"), limits, Shelf(tmp_path, "top"), rng=random.Random(1))
    for number in range(50):  # nobody has started it
        harvester.look(measured(tmp_path, number, answer(0.9)))
    assert harvester._waiting.qsize() == 2
    assert harvester._budget.uncovered == 48, "and it is known that they had no chance"


def test_old_frames_and_the_oldest_of_too_many_go(tmp_path: Path) -> None:
    shelf = harvest(tmp_path, count=3)
    size = shelf.frames()[0].size_bytes
    shelf.trim(HarvestSettings(max_bytes=max(100_000, 2 * size + 100)), utc_now())
    newest = shelf.frames()[-1].path
    shelf.trim(HarvestSettings(keep_days=1), utc_now() + timedelta(days=2))
    assert not newest.exists()
    assert not list(shelf.folder.glob("*-*.json"))


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from tests.sim.kept_frames import described
from edge.harvest.shelf import Shelf
shelf, number = Shelf(Path(sys.argv[1]), "top"), 0
while True:
    number += 1
    shelf.write(*described(number))
    print(number, flush=True)
"""


def test_a_kill_while_frames_are_written_leaves_whole_ones_only(tmp_path: Path) -> None:
    for round_number in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, tmp_path], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.03 * (1 + round_number))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for frame in all_frames(tmp_path):
            known = frame.read()
            assert known is not None
            assert len(frame.path.read_bytes()) == known.image_bytes
    shelf = Shelf(tmp_path, "top")
    shelf.sweep()
    assert not list(shelf.folder.glob(".*"))
    assert len(list(shelf.folder.glob("*.json"))) == len(shelf.frames()) > 0


def test_a_label_must_lie_on_its_grid() -> None:
    frame, _ = described(1)
    with pytest.raises(ValidationError):
        KeptFrame.model_validate({**frame.model_dump(by_alias=True), "grid": (3, 3)})


def test_a_technician_lists_shows_takes_and_drops_frames(tmp_path: Path) -> None:
    harvest(tmp_path / "state", count=2)
    config = tmp_path / "device.yaml"
    config.write_text(
        "site: gh\ndevice: cam\nstate_dir: state\ninference: {package: package}\nmqtt: null\n"
        "cameras: [{name: top, source: {kind: folder, path: pictures}, harvest: {}}]\n"
    )

    def canopy(*words: str) -> str:
        done = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["harvest", *words, "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.stdout

    table = canopy("list")
    assert max(map(len, table.splitlines())) <= 80
    assert table.count("random") == 2
    names = [line["name"] for line in json.loads(canopy("list", "--json"))]
    assert "random, with probability 1" in canopy("show", names[0])
    assert "2 frames written" in canopy("export", str(tmp_path / "stick"))
    assert len(list((tmp_path / "stick/top").iterdir())) == 4
    canopy("drop", names[0])
    assert [line["name"] for line in json.loads(canopy("list", "--json"))] == names[1:]
    canopy("drop", "--all")
    assert json.loads(canopy("list", "--json")) == []
