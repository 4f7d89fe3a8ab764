"""How far a build is: TensorRT's nested phases as one share that never goes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 8
"""Deeper phases do not show; names that come twice cannot lead in a circle."""


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0
    running: str | None = None


class Progress:
    """Adds up phases within phases. A step counts by its phase's share; the phase that runs in it counts within it."""

    def __init__(self) -> None:
        self.share = 0.0
        self.doing = ""
        self._phases: dict[str, _Phase] = {}
        self._root: str | None = None

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, within a step of ``parent`` if it has one."""
        self._phases[name] = _Phase(parent, max(1, steps))
        if parent in self._phases:
            self._phases[parent].running = name
        elif self._root is None:
            self._root = name
        self.doing = name

    def step(self, name: str) -> None:
        """A phase has done one of its steps."""
        if name in self._phases:
            phase = self._phases[name]
            phase.done, phase.running = min(phase.steps, phase.done + 1), None
            self._update()

    def finish(self, name: str) -> None:
        """A phase is over, whatever steps it left out."""
        phase = self._phases.pop(name, None)
        if phase is not None and phase.parent in self._phases:
            self._phases[phase.parent].running = None
            self.doing = phase.parent or self.doing
        if name == self._root:
            self.share = 1.0
        self._update()

    def _update(self) -> None:
        if self._root in self._phases:
            self.share = max(self.share, self._share_of(self._root))

    def _share_of(self, name: str | None, depth: int = 0) -> float:
        if name is None or name not in self._phases or depth == MAX_DEPTH:
            return 0.0
        phase = self._phases[name]
        return min(1.0, (phase.done + self._share_of(phase.running, depth + 1)) / phase.steps)


def monitor(trt: Any, tell: Callable[[float, str], None]) -> Any:
    """An ``IProgressMonitor`` of the library ``trt`` that tells of the share done and the phase that runs."""
    progress = Progress()

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # its type is known on the device only
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase, num_steps)
            tell(progress.share, progress.doing)

        def step_complete(self, phase_name: str, step: int) -> bool:  # noqa: ARG002  the interface
            progress.step(phase_name)
            tell(progress.share, progress.doing)
            return True

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)
            tell(progress.share, progress.doing)

    return Monitor()
