"""``python -m edge.engine.build``: one engine from one ONNX file, in a process of its own.

One path for TensorRT 10.3 and 11: the network is strongly typed, so its types, INT8 among them, are those of the file.
No calibrator, no precision flag, and no name that one of the two releases lacks.

The order comes as JSON on stdin; as long as stdin is open somebody waits, and when it closes the process ends. Lines of
JSON on stdout tell of progress and of the end; exit code 0: built, 3: refused, anything else: it crashed.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from edge.engine.progress import monitor
from edge.engine.records import Records, make_logger
from edge.errors import BuildFailed
from edge.health import peak_rss_bytes

REFUSED: Final = 3
MAX_ONNX_BYTES: Final = 2**31 - 1
"""What protobuf can hold."""

TELL_EVERY_S: Final = 0.5
MAX_PROBLEMS: Final = 8

Tensor = tuple[str, tuple[int, ...]]
"""A type by TensorRT's name, and a shape."""


class BuildOrder(BaseModel):
    """What to build.

    Attributes:
        onnx: the graph.
        plan: the file to write.
        timing: measurements of earlier builds on this machine; need not be there.
        new_timing: where to leave them with this build's added.
        library: the module with TensorRT's interface.
        workspace_bytes: the most that one layer may use for speed.
        inputs: the graph's inputs as they must be; None where nobody knows.
        outputs: the same of its outputs.
    """

    onnx: Path
    plan: Path
    timing: Path
    new_timing: Path
    library: str
    workspace_bytes: int
    inputs: dict[str, Tensor] | None = None
    outputs: dict[str, Tensor] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What the builder is told, as far as it changes the engine."""
        return ("STRONGLY_TYPED", f"WORKSPACE={self.workspace_bytes}")


def build(order: BuildOrder, trt: Any, tell: Callable[[float, str], None]) -> None:
    """Parse, build, and write the plan.

    Raises:
        BuildFailed: the file is no such graph, or TensorRT refused it; with what it said.
    """
    records = Records()
    logger = make_logger(trt, records)
    try:
        builder = trt.Builder(logger)
    except TypeError as error:  # what the bindings make of a null pointer
        raise BuildFailed(f"{order.library} has no builder here: {records.errors() or error}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    tell(0.0, "reading the graph")
    if not parser.parse(read_onnx(order.onnx)):
        raise BuildFailed(f"{order.library} cannot read {order.onnx}: {_problems(parser) or records.errors()}")
    if not network.num_outputs:  # many bytes that are no graph pass for an empty one
        raise BuildFailed(f"{order.library} cannot read {order.onnx}: it holds no graph")
    for kind, expected, found in (
        ("inputs", order.inputs, _tensors(network.num_inputs, network.get_input)),
        ("outputs", order.outputs, _tensors(network.num_outputs, network.get_output)),
    ):
        if expected is not None and found != expected:
            raise BuildFailed(f"{order.onnx} has the {kind} {found}, its manifest describes {expected}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, order.workspace_bytes)
    config.progress_monitor = monitor(trt, tell)
    _use_measurements(config, order.timing)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BuildFailed(f"{order.library} cannot build {order.onnx}: {records.errors() or 'it does not say why'}")
    order.plan.write_bytes(plan)
    order.new_timing.write_bytes(config.get_timing_cache().serialize())


def _use_measurements(config: Any, timing: Path) -> None:
    """Start from what earlier builds measured; from nothing if that is broken, or another version's."""
    measured = timing.read_bytes() if timing.is_file() else b""
    for content in (measured, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return


def read_onnx(path: Path) -> bytes:
    """The file's bytes; given as such, so that a graph cannot name other files to read.

    Raises:
        BuildFailed: it cannot be read, or is larger than any graph.
    """
    try:
        if path.stat().st_size > MAX_ONNX_BYTES:
            raise BuildFailed(f"{path} has {path.stat().st_size} bytes, an ONNX graph has at most {MAX_ONNX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise BuildFailed(f"cannot read {path}: {error}") from error


def _tensors(count: int, get: Callable[[int], Any]) -> dict[str, Tensor]:
    tensors = [get(index) for index in range(count)]
    return {tensor.name: (tensor.dtype.name, tuple(tensor.shape)) for tensor in tensors}


def _problems(parser: Any) -> str:
    """The parser's own account: what is wrong at which node."""

    def each() -> Iterator[str]:
        for index in range(min(parser.num_errors, MAX_PROBLEMS)):
            error = parser.get_error(index)
            node = f"{error.node_operator()} {error.node_name()}".strip()
            yield f"{error.code().name}{f' at {node}' if node else ''}: {error.desc()}"

    return "; ".join(each())


def yield_to_everything() -> None:
    """Let others go first: the CPU and the disk when nobody wants them, and the first to go when memory ends."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # the kernel derives an idle I/O class from it
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with_parent() -> None:
    """Nobody waits any more once stdin is closed, for instance because the daemon was killed."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Teller:
    """Says where the build is, not more often than anybody can read."""

    def __init__(self) -> None:
        self._next_at_s = 0.0

    def __call__(self, share: float, doing: str) -> None:
        if time.monotonic() >= self._next_at_s:
            self._next_at_s = time.monotonic() + TELL_EVERY_S
            _say({"share": round(share, 3), "doing": doing})


def main() -> int:
    """Read the order, build, tell."""
    order = BuildOrder.model_validate_json(sys.stdin.readline())
    _end_with_parent()
    yield_to_everything()
    try:
        build(order, import_module(order.library), _Teller())
    except (BuildFailed, ImportError, OSError) as error:
        _say({"refused": str(error)})
        return REFUSED
    _say({"peak_rss_bytes": peak_rss_bytes()})
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())  # TensorRT's own teardown is of no use, and may crash what has succeeded
