import subprocess
import sys

import pytest

HEAVY = {"torch", "onnxruntime", "cv2", "numpy", "sqlite_utils", "paho", "yaml", "typer"}


NVIDIA = {"tensorrt", "cuda", "pycuda"}


def loaded_by(statement):
    """Top-level modules that a fresh interpreter holds after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_the_device_is_free():
    assert not loaded_by("import edge") & {*HEAVY, "pydantic"}


@pytest.mark.parametrize("module", ["message", "messages", "records", "control", "topics", "traits", "manifest"])
def test_the_wire_contract_needs_pydantic_only(module):
    assert not loaded_by(f"import edge.contract.{module}") & HEAVY


def test_the_runtime_is_loaded_with_the_first_model_not_before():
    assert not loaded_by("import edge.backends, edge.segmentation, edge.traits") & {"onnxruntime", "torch", *NVIDIA}


def test_nvidias_libraries_are_loaded_where_they_are_used_not_where_they_are_looked_for():
    modules = "edge.backends.cuda, edge.engine.engine, edge.engine.build, edge.backends.background"
    assert not loaded_by(f"import {modules}") & {"onnxruntime", "torch", *NVIDIA}


def test_the_device_never_needs_torch():
    assert "torch" not in loaded_by("import edge.backends.ort")


def test_help_of_the_device_is_told_before_anything_heavy_is_loaded():
    asked = "from typer.testing import CliRunner; from edge.cli import app; CliRunner().invoke(app, ['--help'])"
    assert not loaded_by(asked) & {*(HEAVY - {"typer"}), *NVIDIA}
