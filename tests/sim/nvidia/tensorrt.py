"""TensorRT as far as Canopy uses it, on ONNX Runtime and the fake GPU beside it: real numbers, real refusals, no speed.

Its classes have the names, and only names, that TensorRT 10.3 and 11 both have. A plan is a line that says what it was
built by and for, its length, and the graph. The environment can ask for another version, a slow or hungry builder, or
one that dies.
"""

import enum
import json
import os
import signal
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime
from cuda.bindings import runtime as fake_cuda
from google.protobuf.message import DecodeError

__version__ = os.environ.get("FAKE_TENSORRT_VERSION", "10.3.0")
_COMPUTE_CAPABILITY = os.environ.get("FAKE_TENSORRT_SM", "8.7")
_MAGIC = b"plan "


class ILogger:
    class Severity(enum.IntEnum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class DataType(enum.Enum):
    FLOAT = 0
    HALF = 1
    INT64 = 8
    UINT8 = 5


class ErrorCode(enum.IntEnum):
    MODEL_DESERIALIZE_FAILED = 3
    UNSUPPORTED_NODE = 8


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


_TYPES = {onnx.TensorProto.FLOAT: DataType.FLOAT, onnx.TensorProto.UINT8: DataType.UINT8}
_UNSUPPORTED = {"Bernoulli", "Unique"}


def nptype(trt_type: DataType) -> type:
    return {DataType.FLOAT: np.float32, DataType.UINT8: np.uint8}[trt_type]


class IProgressMonitor:
    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None: ...
    def step_complete(self, phase_name: str, step: int) -> bool: ...
    def phase_finish(self, phase_name: str) -> None: ...


class ITensor:
    def __init__(self, value: onnx.ValueInfoProto) -> None:
        described = value.type.tensor_type
        self.name = value.name
        self.dtype = _TYPES.get(described.elem_type, DataType.HALF)
        self.shape = tuple(side.dim_value or -1 for side in described.shape.dim)


class INetworkDefinition:
    def __init__(self, flags: int) -> None:
        assert flags == 1 << int(NetworkDefinitionCreationFlag.STRONGLY_TYPED), "one strongly typed path"
        self._model: onnx.ModelProto | None = None

    @property
    def num_inputs(self) -> int:
        return len(self._graph.input)

    @property
    def num_outputs(self) -> int:
        return len(self._graph.output)

    def get_input(self, index: int) -> ITensor:
        return ITensor(self._graph.input[index])

    def get_output(self, index: int) -> ITensor:
        return ITensor(self._graph.output[index])

    @property
    def _graph(self) -> onnx.GraphProto:
        assert self._model is not None
        return self._model.graph


class ParserError:
    def __init__(self, code: ErrorCode, desc: str, node: onnx.NodeProto | None = None) -> None:
        self._code, self._desc, self._node = code, desc, node

    def code(self) -> ErrorCode:
        return self._code

    def desc(self) -> str:
        return self._desc

    def node_name(self) -> str:
        return self._node.name if self._node else ""

    def node_operator(self) -> str:
        return self._node.op_type if self._node else ""


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network, self._errors = network, []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def parse(self, model: bytes, path: str | None = None) -> bool:
        try:
            graph = onnx.load_model_from_string(model)
            onnx.checker.check_model(graph)
        except (ValueError, DecodeError, onnx.checker.ValidationError) as error:
            self._errors.append(ParserError(ErrorCode.MODEL_DESERIALIZE_FAILED, str(error)[:200]))
            return False
        for node in graph.graph.node:
            if node.op_type in _UNSUPPORTED:
                self._errors.append(ParserError(ErrorCode.UNSUPPORTED_NODE, "no importer", node))
        self._network._model = graph
        return not self._errors


class IHostMemory(bytes):
    __slots__ = ()


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._content)


class IBuilderConfig:
    def __init__(self) -> None:
        self.progress_monitor: IProgressMonitor | None = None
        self._timing = ITimingCache(b"")

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        assert pool_size > 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        if serialized_timing_cache.startswith(b"\0"):
            return None
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if cache._content and not cache._content.startswith(__version__.encode()):
            return False
        self._timing = cache
        return True

    def get_timing_cache(self) -> ITimingCache:
        return ITimingCache(self._timing._content + f"{__version__} measured\n".encode())


class Builder:
    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        if "FAKE_TENSORRT_CRASH" in os.environ:
            os.kill(os.getpid(), signal.SIGSEGV)
        hunger = bytearray(int(os.environ.get("FAKE_TENSORRT_EATS_BYTES", "0")))
        hunger[:: 2**12] = b"\1" * len(hunger[:: 2**12])
        assert config.progress_monitor is not None
        config.progress_monitor.phase_start("Building engine", None, 4)
        for step in range(4):
            time.sleep(float(os.environ.get("FAKE_TENSORRT_BUILD_S", "0")) / 4)
            if not config.progress_monitor.step_complete("Building engine", step):
                return None
        config.progress_monitor.phase_finish("Building engine")
        assert network._model is not None
        graph = network._model.SerializeToString()
        if b"RefuseToBuild" in graph:
            self._logger.log(ILogger.ERROR, "node has no runners")
            return None
        return IHostMemory(_MAGIC + json.dumps([__version__, _COMPUTE_CAPABILITY, len(graph)]).encode() + b"\n" + graph)


class IExecutionContext:
    def __init__(self, engine: "ICudaEngine") -> None:
        self._engine, self._addresses = engine, {}

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return memory % 256 == 0

    def execute_async_v3(self, stream_handle: int) -> bool:
        if set(self._addresses) != set(self._engine._names):
            return False
        return fake_cuda.DEVICE.give(stream_handle, self._execute) == fake_cuda.cudaError_t.cudaSuccess

    def _execute(self) -> None:
        session = self._engine._session
        (picture,) = session.get_inputs()
        feed = self._memory(picture.name, np.dtype(np.uint8), picture.shape)
        wanted = [output.name for output in session.get_outputs()]
        for name, value in zip(wanted, session.run(wanted, {picture.name: feed}), strict=True):
            self._memory(name, value.dtype, value.shape)[...] = value

    def _memory(self, name: str, dtype: np.dtype[Any], shape: Any) -> np.ndarray:
        size_bytes = int(np.prod(shape)) * dtype.itemsize
        return fake_cuda.DEVICE.memory(self._addresses[name], size_bytes).view(dtype).reshape(shape)


class ICudaEngine:
    def __init__(self, graph: bytes, logger: ILogger) -> None:
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self._logger = logger
        self._tensors = {each.name: each for each in (*self._session.get_inputs(), *self._session.get_outputs())}
        self._names = list(self._tensors)

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        inputs = {each.name for each in self._session.get_inputs()}
        return TensorIOMode.INPUT if name in inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return {"tensor(uint8)": DataType.UINT8, "tensor(float)": DataType.FLOAT}[self._tensors[name].type]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def create_execution_context(self) -> IExecutionContext | None:
        if fake_cuda.cudaMemGetInfo()[1] < 2**10:
            self._logger.log(ILogger.ERROR, "Error Code 2: OutOfMemory: no device memory for activations")
            return None
        return IExecutionContext(self)


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        assert fake_cuda.DEVICE.count, "without a driver the real one crashes"
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        head, _, graph = serialized_engine.partition(b"\n")
        try:
            version, sm, length = json.loads(head.removeprefix(_MAGIC))
        except ValueError:
            return self._refuse("Error Code 1: Serialization: magic tag does not match")
        if version != __version__:
            return self._refuse(
                f"Error Code 6: the engine plan file is not compatible: expecting {__version__}, got {version}"
            )
        if sm != _COMPUTE_CAPABILITY:
            return self._refuse(f"Error Code 6: generated on an incompatible device {sm}")
        if len(graph) != length:
            return self._refuse("Error Code 1: Serialization: the buffer is too short")
        return ICudaEngine(graph, self._logger)

    def _refuse(self, why: str) -> None:
        self._logger.log(ILogger.ERROR, why)
