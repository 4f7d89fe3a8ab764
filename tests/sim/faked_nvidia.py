"""Puts the fake GPU and the fake TensorRT of ``tests/sim/nvidia`` where the real ones would be imported from."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.engine import machine

FAKES = Path(__file__).parent / "nvidia"
FAKED = ("tensorrt", "cuda", "pycuda", "edge.backends.cuda_runtime", "edge.backends.cuda_driver")


_ask = machine._ask
_answers: dict[tuple[object, ...], Any] = {}


def _ask_once(library: str, gpu_required: bool) -> Any:
    """What the probe's process says, asked once for each state of the fakes."""
    state = (library, gpu_required, *(os.environ.get(name) for name in ("FAKE_CUDA_DEVICES", "FAKE_TENSORRT_VERSION")))
    if state not in _answers:
        _answers[state] = _ask(library, gpu_required)
    return _answers[state]


def _forget() -> None:
    for name in [name for name in sys.modules if name in FAKED or name.startswith("cuda.")]:
        del sys.modules[name]


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The fake device, in this process and in those that it starts; it must have everything back at the end."""
    _forget()
    monkeypatch.setattr(machine, "_probe", _ask_once)
    monkeypatch.syspath_prepend(FAKES)
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{FAKES}:{root}")
    runtime = importlib.import_module("cuda.bindings.runtime")
    try:
        yield runtime.reset()
        assert runtime.DEVICE.live == 0, "something was not given back to the GPU"
    finally:
        _forget()
