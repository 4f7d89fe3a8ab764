"""What an acceptance found, as it is written to a file."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Check(_Part):
    """One thing that must hold.

    Attributes:
        name: what was looked at.
        passed: whether it holds.
        found: what was found, in words.
    """

    name: str
    passed: bool
    found: str


class Board(_Part):
    """The machine, as far as it says.

    ``power_mode`` is what nvpmodel calls it; ``memory_bytes`` is what the kernel manages.
    """

    hardware: str
    kernel: str
    l4t: str
    power_mode: str
    cores: int
    memory_bytes: int | None
    python: str
    onnxruntime: str


class EngineMade(_Part):
    """The engine that ran, from its sidecar."""

    tensorrt: str
    sku: str
    sm: str
    cuda: str
    plan_bytes: int
    build_s: float
    build_peak_rss_bytes: int
    built_now: bool


class Latency(_Part):
    """Times of single runs in milliseconds."""

    runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Speed(_Part):
    """What was measured.

    Attributes:
        infer: from a fitted picture in memory to checked outputs.
        step: from a picture of ``step_picture`` size (height, width) to traits.
        throughput_hz: pictures in a second, back to back, as many in flight as the runtime takes.
        cpu_share: processor time by wall time in that run; 1 is one core.
    """

    infer: Latency
    step: Latency
    step_picture: tuple[int, int]
    throughput_hz: float
    cpu_share: float


class Load(_Part):
    """Memory, power and heat while it ran; None or empty where the machine does not say.

    ``machine_used_bytes`` is how much less the machine could give with the model loaded than before: on a board whose
    GPU shares its memory, the GPU's part as well. ``power_w`` are means by rail.
    """

    rss_bytes: int | None
    peak_rss_bytes: int
    machine_used_bytes: int | None
    idle_power_w: dict[str, float]
    power_w: dict[str, float]
    temperatures_c: dict[str, float]


class Acceptance(_Part):
    """Everything that ``canopy accept`` found."""

    schema_version: Literal[1] = 1
    at: datetime
    canopy: str
    package: str
    digest: str
    backend: str
    precision: str
    passed_over: tuple[str, ...]
    board: Board
    engine: EngineMade | None
    checks: tuple[Check, ...]
    speed: Speed
    load: Load

    @property
    def passed(self) -> bool:
        """Whether all checks hold."""
        return all(check.passed for check in self.checks)
