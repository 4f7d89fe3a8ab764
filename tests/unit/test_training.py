"""A run in miniature: a small network learns painted scenes in seconds, and a run gives back what it measured."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edge.errors import ConfigError
from tests.sim.painted import painted_pool
from training.args import AugmentationSettings, FitSettings, load_settings
from training.checkpoint import load_network
from training.evaluate import evaluate
from training.loop import CHECKPOINT_FILE, fit, schedule
from training.network import Network, NetworkSettings
from training.pool import Pool

REPOSITORY = Path(__file__).parents[2]
TINY = FitSettings(
    network=NetworkSettings(
        widths=(16, 16, 32, 32), depths=(1, 1, 1, 1), pyramid_width=16, fine_width=16, head_width=16
    ),
    augmentation=AugmentationSettings(crop_px=64, least_zoom=1.0, most_zoom=1.3),
    steps=120,
    batch=8,
    workers=0,
    learning_rate=5e-3,
    average=0.9,
    check_every=60,
    top_k=32,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*num_workers", "ignore:.*barrier")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make small networks slow wherever else something runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    fit(TINY, painted_pool(24, 64), painted_pool(8, 64, seed=1), folder)
    return folder


def column(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_training_lowers_every_term_of_the_loss(run: Path) -> None:
    for term in ("semantic", "dice", "heat", "offsets"):
        first, *_, last = column(run, f"loss/{term}")
        assert last < first, term


def test_training_finds_the_plants_of_scenes_it_has_not_seen(run: Path) -> None:
    metrics = evaluate(load_network(run / CHECKPOINT_FILE), painted_pool(8, 64, seed=2), TINY.top_k).metrics()
    untrained = evaluate(Network(TINY.network).eval(), painted_pool(8, 64, seed=2), TINY.top_k).metrics()
    assert metrics["mean_iou"] > 0.85 > untrained["mean_iou"]
    assert metrics["leaf_count_mae"] < 1.5


def test_the_kept_weights_are_those_that_were_measured(run: Path) -> None:
    metrics = evaluate(load_network(run / CHECKPOINT_FILE), painted_pool(8, 64, seed=1), TINY.top_k).metrics()
    assert metrics["mean_iou"] == pytest.approx(column(run, "mean_iou")[-1], abs=1e-4)


def test_a_run_ends_when_its_minutes_are_used_up(tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"steps": 10_000, "minutes": 0.01})
    network = fit(settings, painted_pool(8, 64), painted_pool(2, 64), tmp_path)
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_the_rate_rises_then_falls() -> None:
    rates = [schedule(progress, 0.1) for progress in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1.001)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.001)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs/training").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_run_can_be_loaded(path: Path) -> None:
    assert load_settings(path).steps > 0


@pytest.mark.parametrize("text", ["stepz: 3", "steps: 0", "scenes: [", "- 1"])
def test_a_run_with_a_wrong_value_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_settings(tmp_path / "run.yaml")


def test_a_folder_without_scenes_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="canopy-train render"):
        Pool.open(tmp_path)
