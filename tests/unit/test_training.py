"""A run in miniature: a small network learns painted scenes in seconds, and a run gives back what it measured."""

import csv
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient

from edge.errors import ConfigError
from tests.sim.measured import evaluate
from tests.sim.painted import painted_pool, painted_source, tiny_run
from training.args import load_settings
from training.checkpoint import CHECKPOINT_FILE, load_network
from training.loop import RESUME_FILE, fit, schedule
from training.network import Network, transferred
from training.pool import Pool
from training.run import RunRecord

REPOSITORY = Path(__file__).parents[2]
SIZE_PX = 64
RUN = tiny_run(SIZE_PX, steps=120, check_every=60)


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
    fit(RUN, painted_source(24, SIZE_PX), {"scenes": painted_pool(8, SIZE_PX, seed=1)}, folder)
    return folder


def column(run: Path, name: str) -> list[float]:
    with (run / "metrics/version_0/metrics.csv").open(encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def measured(network: Network, seed: int) -> dict[str, float]:
    return evaluate(network, painted_pool(8, SIZE_PX, seed), SIZE_PX, RUN.top_k).metrics()


def test_training_lowers_every_term_of_the_loss(run: Path) -> None:
    for term in ("semantic", "dice", "heat", "offsets"):
        first, *_, last = column(run, f"loss/{term}")
        assert last < first, term


def test_training_finds_the_plants_of_scenes_it_has_not_seen(run: Path) -> None:
    metrics = measured(load_network(run / CHECKPOINT_FILE), seed=2)
    untrained = measured(Network(RUN.model, RUN.network).eval(), seed=2)
    assert metrics["mean_iou"] > 0.85 > untrained["mean_iou"]
    assert metrics["leaf_count_mae"] < 1.5


def test_the_kept_weights_are_those_that_were_measured(run: Path) -> None:
    metrics = measured(load_network(run / CHECKPOINT_FILE), seed=1)
    assert metrics["mean_iou"] == pytest.approx(column(run, "scenes/mean_iou")[-1], abs=1e-4)


def test_a_run_ends_when_its_minutes_are_used_up(tmp_path: Path) -> None:
    settings = RUN.model_copy(update={"steps": 10_000, "minutes": 0.01})
    network = fit(settings, painted_source(8, SIZE_PX), {"scenes": painted_pool(2, SIZE_PX)}, tmp_path)
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_a_run_that_was_killed_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path, run: Path) -> None:
    script = tmp_path / "begin.py"
    script.write_text(BEGIN, encoding="utf-8")
    arguments = [sys.executable, str(script), str(tmp_path / "run")]
    killed = subprocess.run(arguments, cwd=REPOSITORY, check=False, capture_output=True, timeout=100)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (tmp_path / "run" / RESUME_FILE).exists()
    again = fit(RUN, painted_source(24, SIZE_PX), {"scenes": painted_pool(8, SIZE_PX, seed=1)}, tmp_path / "run")
    assert len(list((tmp_path / "run/metrics").iterdir())) == 2
    assert not (tmp_path / "run" / RESUME_FILE).exists()
    for name, weights in load_network(run / CHECKPOINT_FILE).state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weights, rtol=0, atol=0, msg=name)


BEGIN = """
import os, signal, sys
from pathlib import Path
import torch
from tests.unit.test_training import RUN, SIZE_PX, painted_pool, painted_source
from training import loop

class Killed(loop.Fitting):
    def training_step(self, batch, index):
        if self.global_step == 90:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(batch, index)

torch.set_num_threads(1)
loop.Fitting = Killed
loop.fit(RUN, painted_source(24, SIZE_PX), {"scenes": painted_pool(8, SIZE_PX, seed=1)}, Path(sys.argv[1]))
"""
"""A run that dies in its second epoch."""


def test_an_interrupted_run_is_not_taken_over_by_another(tmp_path: Path) -> None:
    source = painted_source(8, SIZE_PX)
    record = RunRecord(settings=RUN, data={"scenes": source[0].examples.digest})
    record.write(tmp_path)
    (tmp_path / RESUME_FILE).write_bytes(b"")
    other = RUN.model_copy(update={"learning_rate": 1e-4})
    with pytest.raises(ConfigError, match="interrupted"):
        fit(other, source, {"scenes": source[0].examples}, tmp_path)
    with pytest.raises(ConfigError, match="interrupted"):
        fit(RUN, painted_source(8, SIZE_PX, seed=5), {"scenes": source[0].examples}, tmp_path)


def test_the_same_seed_gives_the_same_network_and_another_another(tmp_path: Path) -> None:
    short = RUN.model_copy(update={"steps": 4, "check_every": 4})
    weights = []
    for number, settings in enumerate((short, short, short.model_copy(update={"seed": 2}))):
        source = painted_source(8, SIZE_PX)
        network = fit(settings, source, {"scenes": source[0].examples}, tmp_path / str(number))
        weights.append(network.semantic.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_what_is_kept_lies_between_where_the_run_began_and_what_it_learned(tmp_path: Path, run: Path) -> None:
    start = load_network(run / CHECKPOINT_FILE)
    kept = []
    for share in (0.0, 0.25, 1.0):
        settings = RUN.model_copy(update={"steps": 4, "check_every": 4, "retain": share})
        held_back = {"scenes": painted_pool(2, SIZE_PX, seed=1)}
        network = fit(settings, painted_source(24, SIZE_PX), held_back, tmp_path / f"{share}", start)
        kept.append(network.state_dict())
    learned, between, begun = kept
    assert any(not torch.equal(learned[name], begun[name]) for name in begun)
    for name, value in start.state_dict().items():
        assert torch.equal(begun[name], value) or not value.is_floating_point(), name
        if value.is_floating_point():
            torch.testing.assert_close(between[name], 0.75 * learned[name] + 0.25 * value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("counts", ["nothing", "fruit"])
def test_nothing_can_be_retained_of_a_network_that_counts_other_things(tmp_path: Path, counts: str) -> None:
    fruit = Network(load_settings(REPOSITORY / "configs/training/fruit.yaml").model, RUN.network)
    settings, source = RUN.model_copy(update={"retain": 0.1}), painted_source(2, SIZE_PX)
    with pytest.raises(ConfigError, match="--init"):
        fit(settings, source, {"scenes": source[0].examples}, tmp_path, fruit if counts == "fruit" else None)


def test_a_run_that_gains_nothing_any_more_ends_before_its_steps(tmp_path: Path) -> None:
    still = RUN.model_copy(update={"steps": 400, "check_every": 10, "patience": 2, "learning_rate": 1e-12})
    source = painted_source(8, SIZE_PX)
    fit(still, source, {"scenes": source[0].examples}, tmp_path)
    assert max(column(tmp_path, "step")) < 400


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = tmp_path / "both.py"
    script.write_text(BOTH, encoding="utf-8")
    arguments = [sys.executable, str(script), str(tmp_path / "run")]
    done = subprocess.run(arguments, cwd=REPOSITORY, check=False, capture_output=True, timeout=110)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert measured(load_network(tmp_path / "run" / CHECKPOINT_FILE), seed=2)["mean_iou"] > 0.5


BOTH = """
import sys
from pathlib import Path
import torch
from tests.unit.test_training import RUN, SIZE_PX, painted_pool, painted_source
from training.loop import fit

torch.set_num_threads(1)
settings = RUN.model_copy(update={"devices": 2, "steps": 40, "check_every": 20})
fit(settings, painted_source(24, SIZE_PX), {"scenes": painted_pool(4, SIZE_PX, seed=1)}, Path(sys.argv[1]))
"""


def test_mlflow_is_told_what_the_run_is_made_of_and_what_it_measures(tmp_path: Path) -> None:
    short = RUN.model_copy(update={"steps": 4, "check_every": 2})
    source = painted_source(8, SIZE_PX)
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    fit(short, source, {"scenes": source[0].examples}, tmp_path / "run", tracking=store)
    client = MlflowClient(store)
    (experiment,) = (entry for entry in client.search_experiments() if entry.name == "rosette")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.data.params["learning_rate"] == str(short.learning_rate)
    assert tracked.data.params["data/scenes"] == source[0].examples.digest
    assert {"scenes/mean_iou", "loss/heat"} <= set(tracked.data.metrics)
    assert tracked.data.tags["git_commit"]
    assert {entry.path for entry in client.list_artifacts(tracked.info.run_id)} == {"samples"}
    assert RunRecord.read(tmp_path / "run").tracked_as == tracked.info.run_id


def test_a_network_for_other_things_keeps_what_was_learned_of_pictures() -> None:
    fruit = load_settings(REPOSITORY / "configs/training/fruit.yaml").model
    start = Network(RUN.model, RUN.network)
    moved = transferred(start, fruit)
    assert torch.equal(moved.head.conv.weight, start.head.conv.weight)
    assert moved.semantic.weight.shape[0] == 3
    same = transferred(start, RUN.model)
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in same.state_dict().items())


def test_the_rate_rises_then_falls() -> None:
    rates = [schedule(progress, 0.1) for progress in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1.001)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.001)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs/training").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_run_can_be_loaded(path: Path) -> None:
    assert load_settings(path, Network(RUN.model, RUN.network)).steps > 0


@pytest.mark.parametrize("text", ["stepz: 3", "steps: 0", "scenes: [", "- 1"])
def test_a_run_with_a_wrong_value_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_settings(tmp_path / "run.yaml")


def test_a_folder_without_scenes_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="canopy-train render"):
        Pool.open(tmp_path, RUN.model)
