"""``canopy-train`` as a person uses it: every command on small data, and every mistake an exit code and a mend."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from edge.contract.reference import Reference
from tests.sim.painted import ROSETTE, TINY, painted_pool
from training.checkpoint import CHECKPOINT_FILE, save_network
from training.cli import app
from training.network import Network

SIZE_PX = 64
POOL = painted_pool(10, SIZE_PX)


@pytest.fixture(scope="module")
def greenhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with masks, a network to begin from, and a short configuration."""
    folder = tmp_path_factory.mktemp("greenhouse")
    for kind in ("images", "masks"):
        (folder / "mine" / kind).mkdir(parents=True)
    for index in range(len(POOL)):
        cv2.imwrite(str(folder / f"mine/images/{index}.png"), POOL.pixels[index])
        cv2.imwrite(str(folder / f"mine/masks/{index}.png"), POOL.instances[index, 1].astype(np.uint8))
    save_network(Network(ROSETTE.model, TINY), folder / "start.safetensors")
    settings = {"steps": 4, "check_every": 2, "batch": 2, "workers": 0, "size_px": SIZE_PX, "top_k": 32}
    (folder / "short.yaml").write_text(yaml.safe_dump(settings | {"augmentation": {"crop_px": SIZE_PX}}))
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_own_photographs_are_checked_trained_on_and_measured(greenhouse: Path, tmp_path: Path) -> None:
    own = ("--config", greenhouse / "short.yaml", "--init", greenhouse / "start.safetensors")
    code, said = run("validate", greenhouse / "mine", *own)
    assert code == 0
    assert "held back" in said
    assert "no errors" in said
    code, said = run("fit", "--data", greenhouse / "mine", *own, "--run", tmp_path / "run", "--tracking", "none")
    assert code == 0, said
    assert (tmp_path / "run" / CHECKPOINT_FILE).exists()
    report = tmp_path / "report"
    code, said = run(
        *("evaluate", tmp_path / "run" / CHECKPOINT_FILE, greenhouse / "mine", "--config", greenhouse / "short.yaml"),
        *("--held-back", "--report", report, "--size-px", SIZE_PX, "--top-k", 32),
    )
    assert code == 0, said
    assert "leaf count mae" in said
    told = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in told["pictures"]]
    assert [row["badness"] for row in told["pictures"]] == sorted(
        (r["badness"] for r in told["pictures"]), reverse=True
    )
    page = (report / "report.html").read_text(encoding="utf-8")
    for row in told["pictures"]:
        assert row["name"] in page
    assert len(list((report / "pictures").glob("*.jpg"))) == 2 * len(told["pictures"])


def test_scenes_are_rendered_and_evaluated(greenhouse: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load((Path(__file__).parents[2] / "configs/training/fruit.yaml").read_text(encoding="utf-8"))
    settings["scenes"] |= {"count": 2, "held_back": 1, "size_px": 96}
    (tmp_path / "fruit.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    code, said = run("render", "--run", tmp_path / "run", "--config", tmp_path / "fruit.yaml")
    assert code == 0, said
    code, said = run("evaluate", greenhouse / "start.safetensors", tmp_path / "run/scenes", "--size-px", 96)
    assert code == 2
    assert "render them anew" in " ".join(said.split())


def test_pictures_are_drawn_into_and_counted(greenhouse: Path, tmp_path: Path) -> None:
    code, said = run("predict", greenhouse / "start.safetensors", greenhouse / "mine/images/3.png", "--out", tmp_path)
    assert code == 0
    assert "3.png: " in said
    assert cv2.imread(str(tmp_path / "3.png")).shape == (512, 512, 3)


def test_a_reference_has_every_statistic_of_the_pictures_and_of_the_answers(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "packages/rosette"
    pictures = []
    for index in range(20):
        pictures.append(tmp_path / f"{index}.png")
        cv2.imwrite(str(pictures[-1]), POOL.pixels[index % 10] + np.uint8(index))
    code, said = run("reference", package, *pictures, "--out", tmp_path / "reference.json")
    assert code == 0, said
    made = Reference.model_validate_json((tmp_path / "reference.json").read_bytes())
    assert made.pictures == 20
    assert {"mean_grey", "sharpness", "noise", "certainty.leaf", "share.leaf", "count.plant"} <= set(made.statistics)
    for name, held in made.statistics.items():
        assert sum(held.shares) == pytest.approx(1), name
    code, said = run("reference", package, pictures[0], "--out", tmp_path / "few.json")
    assert code == 2
    assert "too few" in said


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["validate", "nowhere"], 2, "nowhere"),
        (["fit", "--config", "nowhere.yaml"], 2, "nowhere.yaml cannot be read"),
        (["fit", "--init", "nowhere"], 2, "nowhere is no checkpoint"),
        (["fit", "--run", "nowhere", "--tracking", "none"], 2, "canopy-train render"),
        (["evaluate", "nowhere", "nowhere"], 2, "make one with canopy-train fit"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_mistake_is_told_with_a_mend(arguments: list[str], code: int, named: str) -> None:
    given, said = run(*arguments)
    assert given == code
    assert named in " ".join(said.split())
