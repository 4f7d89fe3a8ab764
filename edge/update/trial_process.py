"""The process in which a model is tried: ``python -m edge.update.trial_process``.

It lowers its own priority, is the first to go when memory runs out, and dies with the daemon, so that a graph which
eats the machine or brings the runtime down takes nothing with it. It answers questions on stdin until that closes; see
``edge.update.trial``.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import CanopyError
from edge.golden import Golden, read_golden
from edge.health import peak_rss_bytes
from edge.model import LoadedModel
from edge.preprocess import fit
from edge.settings import InferenceSettings
from edge.sights import Finding
from edge.update.pipe import Array, receive, send

NICENESS = 10
PR_SET_PDEATHSIG = 1
"""Option of prctl(2)."""

Answer = tuple[dict[str, Any], tuple[Array, ...]]


def main() -> None:
    """Answer questions until nobody asks any more."""
    _be_modest()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a runtime prints must not land between the answers
    questions = sys.stdin.buffer
    subject: Subject | None = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            question, arrays = receive(questions)
            try:
                if subject is None:
                    subject = Subject(question)
                header, found = subject.answer(question, arrays)
            except CanopyError as error:
                header, found = {"error": str(error)}, ()
            except Exception as error:  # noqa: BLE001 - the runtime's, or memory that there is not: the model has failed
                header, found = {"error": repr(error)}, ()
            send(answers, {**header, "peak_bytes": peak_rss_bytes()}, *found)


class Subject:
    """The model on trial.

    Args:
        question: the first one; it names the package and the settings.
    """

    def __init__(self, question: dict[str, Any]) -> None:
        settings = InferenceSettings.model_validate(question["inference"])
        self._model = LoadedModel.load(Path(question["package"]), settings)
        self._answers: dict[str, Callable[[dict[str, Any], list[Array]], Answer]] = {
            "load": self._load,
            "golden": self._golden,
            "time": self._time,
            "look": self._look,
        }

    def answer(self, question: dict[str, Any], arrays: list[Array]) -> Answer:
        """Do what is asked for."""
        return self._answers[question["do"]](question, arrays)

    def _load(self, _question: dict[str, Any], _arrays: list[Array]) -> Answer:
        self._model.warm_up()
        return {"backend": self._model.backend.name}, ()

    def _golden(self, _question: dict[str, Any], _arrays: list[Array]) -> Answer:
        """Which golden frames come out otherwise than they were recorded, and how many show plants at all."""
        frames, with_plants, apart = 0, 0, []
        for golden in read_golden(self._model.package):
            frames += 1
            with_plants += self._shows_plants(golden)
            size = self._model.manifest.input
            found = self._model.backend.infer(fit(golden.picture, size.height_px, size.width_px)[0])
            if not golden.agrees(found):
                apart.append(golden.name)
        return {"frames": frames, "with_plants": with_plants, "apart": apart}, ()

    def _shows_plants(self, golden: Golden) -> bool:
        manifest = self._model.manifest
        plant = [index for index, name in enumerate(manifest.classes) if name in manifest.plant_classes]
        return bool(np.isin(golden.classes, plant).any())

    def _time(self, question: dict[str, Any], _arrays: list[Array]) -> Answer:
        """The fastest of several runs: what else the machine does makes runs slower, never faster."""
        size = self._model.manifest.input
        noise = np.random.default_rng(0).integers(0, 256, (1, size.height_px, size.width_px, 3), np.uint8)
        took_s = []
        for _ in range(int(question["runs"])):
            began_s = time.perf_counter()
            self._model.backend.infer(noise)
            took_s.append(time.perf_counter() - began_s)
        return {"latency_ms": min(took_s) * 1e3}, ()

    def _look(self, _question: dict[str, Any], arrays: list[Array]) -> Answer:
        size = self._model.manifest.input
        image, placement = fit(arrays[0], size.height_px, size.width_px)
        finding = Finding.of(self._model.segment(image, placement), placement, self._model.manifest)
        header = {"class_names": finding.class_names, "counts": finding.counts}
        return header, (finding.classes, finding.plant.astype(np.uint8))


def _be_modest() -> None:
    """Give way to the camera loop, be the first to go when memory runs out, and die with the daemon."""
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
