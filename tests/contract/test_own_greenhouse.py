"""Somebody with a greenhouse of their own: fifty labelled pictures make the shipped model better on others there."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.sim.measured import evaluate
from training.args import load_settings
from training.checkpoint import CHECKPOINT_FILE, load_network
from training.cli import app
from training.datasets import open_dataset
from training.datasets.photographs import Photographs
from training.datasets.split import split
from training.synthetic import render_rosettes
from training.synthetic.scene import LEAF

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "packages/rosette"
SIZE_PX, COUNT = 256, 50


def red_lettuce(pixels: np.ndarray) -> np.ndarray:
    """The same plants in a house where leaves are dark red and the soil is bluish: a kind that no scene has."""
    blue, green, red = cv2.split(pixels)
    return cv2.merge([blue, (0.45 * red + 0.1 * green).astype(np.uint8), (0.25 * blue + 0.75 * green).astype(np.uint8)])


@pytest.fixture(scope="module")
def greenhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("greenhouse")
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    seed, written = 9_000_000, 0
    while written < COUNT:
        scene = render_rosettes(seed, SIZE_PX, SIZE_PX)
        seed += 1
        if 1 <= len(scene.labels.centres[LEAF]) <= 40 and scene.pixels.mean() > 40:
            cv2.imwrite(str(folder / f"images/{written:03d}.png"), red_lettuce(scene.pixels))
            cv2.imwrite(str(folder / f"masks/{written:03d}.png"), scene.labels.instances[LEAF])
            written += 1
    return folder


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_fifty_own_pictures_improve_what_was_held_back(greenhouse: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    start = load_network(PACKAGE)
    settings = load_settings(REPOSITORY / "configs/training/finetune.yaml", start)
    held_back = Photographs(split(open_dataset(greenhouse), settings.data)[1], start.spec)
    before = evaluate(start, held_back, settings.size_px, settings.top_k).metrics()
    command = ["fit", "--data", greenhouse, "--init", PACKAGE, "--run", tmp_path / "run", "--tracking", "none"]
    done = CliRunner().invoke(app, [str(word) for word in command])
    assert done.exit_code == 0, done.output
    after = evaluate(
        load_network(tmp_path / "run" / CHECKPOINT_FILE), held_back, settings.size_px, settings.top_k
    ).metrics()
    assert after["mean_iou"] > before["mean_iou"] + 0.02
    assert after["symmetric_best_dice"] > before["symmetric_best_dice"] + 0.02
    assert after["leaf_count_mae"] < before["leaf_count_mae"]
