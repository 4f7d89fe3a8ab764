"""A float file and pictures become INT8 and FP16 files; what cannot be one is refused before anything is written."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from edge.preprocess import fit
from export.cli import app
from export.compat import Incompatible, read_graph
from export.package import content_digest
from export.sensitivity import answers
from export.to_onnx import to_float_graph, with_border, without_border
from tests.sim.green_model import green_graph
from tests.sim.painted import ROSETTE, TINY, painted_pool
from training.network import Network

SIZE_PX = 96

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    torch.manual_seed(5)
    network = Network(ROSETTE.model, TINY).eval()
    torch.nn.init.normal_(network.heat.weight, 0, 0.5)
    return to_float_graph(network, SIZE_PX, SIZE_PX, 32)


@pytest.fixture(scope="module")
def material(plain: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The float file, and a folder of pictures of its size."""
    folder = tmp_path_factory.mktemp("float")
    onnx.save(with_border(plain), folder / "model.fp32.onnx")
    (folder / "pictures").mkdir()
    for number, picture in enumerate(painted_pool(6, SIZE_PX).pixels):
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), picture)
    (folder / "pictures" / "notes.txt").write_text("no picture")
    return folder / "model.fp32.onnx", folder / "pictures"


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, " ".join(done.output.split())


def test_the_border_comes_off_as_it_was_put_on(plain: onnx.ModelProto) -> None:
    bare, height_px, width_px = without_border(with_border(plain))
    assert (height_px, width_px) == (SIZE_PX, SIZE_PX)
    picture = painted_pool(1, SIZE_PX).pixels[:, None]
    (ours,), (theirs,) = answers(plain, list(picture)), answers(bare, list(picture))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_files_and_a_report_come_out(material: tuple[Path, Path], tmp_path: Path) -> None:
    code, said = run("quantize", *material, "--out", tmp_path / "out", "--layers")
    assert code == 0, said
    report = json.loads((tmp_path / "out" / "quantize.json").read_text())
    assert report["source"] == f"sha256:{hashlib.sha256(material[0].read_bytes()).hexdigest()}"
    pictures = [fit(picture, SIZE_PX, SIZE_PX)[0] for picture in painted_pool(6, SIZE_PX).pixels]
    assert (report["pictures"], report["calibration"]) == (6, content_digest(pictures))
    assert [file["precision"] for file in report["files"]] == ["int8.cpu", "int8.trt", "fp16"]
    for file in report["files"]:
        content = (tmp_path / "out" / f"model.{file['precision']}.onnx").read_bytes()
        assert (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}") == (file["length_bytes"], file["sha256"])
    moved = {file["precision"]: file["moved"]["offsets"] for file in report["files"]}
    assert 0 < moved["fp16"] < moved["int8.cpu"] < 0.2
    costs = [layer["cost"] for layer in report["layers"]]
    assert costs == sorted(costs, reverse=True)
    heads = 3  # which INT8 makes one
    assert len(costs) == sum(node.op_type == "Conv" for node in onnx.load(material[0]).graph.node) - heads + 1


def test_a_layer_that_is_left_in_float_is_not_quantised(material: tuple[Path, Path], tmp_path: Path) -> None:
    layer = next(node.name for node in onnx.load(material[0]).graph.node if node.op_type == "Conv")
    options = ("--precision", "int8.cpu", "--out", tmp_path, "--leave", layer)
    assert run("quantize", *material, *options)[0] == 0
    graph = onnx.load(tmp_path / "model.int8.cpu.onnx").graph
    dequantised = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    in_float = [node.name for node in graph.node if node.op_type == "Conv" and node.input[1] not in dequantised]
    assert in_float == [layer]
    assert json.loads((tmp_path / "quantize.json").read_text())["left_in_float"] == [layer]


def test_a_layer_that_is_not_there_cannot_be_left(material: tuple[Path, Path], tmp_path: Path) -> None:
    code, said = run("quantize", *material, "--out", tmp_path / "out", "--leave", "node_of_nobody")
    assert (code, "no convolution node_of_nobody" in said) == (7, True)
    assert not (tmp_path / "out").exists()


def test_what_is_no_float_graph_of_ours_is_refused(material: tuple[Path, Path], tmp_path: Path) -> None:
    onnx.save(green_graph(96, 96, 32), tmp_path / "green.onnx")
    assert run("quantize", material[0], material[1], "--precision", "int8.cpu", "--out", tmp_path)[0] == 0
    (tmp_path / "text.onnx").write_bytes(b"no graph")
    for name, named in (
        ("green.onnx", "give what canopy-export onnx wrote"),
        ("model.int8.cpu.onnx", "give what canopy-export onnx wrote"),
        ("text.onnx", "is no ONNX graph"),
        ("nowhere.onnx", "is no ONNX graph"),
    ):
        code, said = run("quantize", tmp_path / name, material[1], "--out", tmp_path / "out")
        assert (code, named in said) == (7, True), said
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_picture_is_refused(material: tuple[Path, Path], tmp_path: Path) -> None:
    code, said = run("quantize", material[0], material[1] / "notes.txt", "--out", tmp_path / "out")
    assert (code, "notes.txt is no picture" in said) == (3, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_pictures_is_refused(material: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, said = run("quantize", material[0], tmp_path / "empty", "--out", tmp_path / "out")
    assert (code, "no pictures to calibrate on" in said) == (2, True)


def test_two_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(Incompatible, match="has 2147483649 bytes"):
        read_graph(tmp_path / "huge.onnx")
