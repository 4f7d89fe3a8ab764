"""The model in use: opened from its package, opened again while it cannot be, and switched between two pictures."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, Inference, open_backend
from edge.backends.background import prepare_in_background
from edge.contract.control import ModelRef
from edge.contract.manifest import Manifest
from edge.errors import ModelError
from edge.package import ModelPackage
from edge.preprocess import Placement
from edge.segmentation import Segmentation, decode
from edge.settings import InferenceSettings

RETRY_AFTER_S = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A package and what runs it. A picture is measured with one of these from its beginning to its end."""

    package: ModelPackage
    backend: Backend

    @classmethod
    def load(cls, path: Path, settings: InferenceSettings) -> "LoadedModel":
        """Open and verify the package in ``path`` and load its graph.

        Raises:
            ModelError: the package or its graph cannot be used.
        """
        package = ModelPackage.open(path)
        loaded = cls(package, open_backend(package, settings))
        log.info("model %s on %s", loaded, loaded.backend.name)
        return loaded

    def __str__(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"

    @property
    def manifest(self) -> Manifest:
        """What the package holds."""
        return self.package.manifest

    @property
    def ref(self) -> ModelRef:
        """The package's name on the wire."""
        return self.package.ref

    def warm_up(self) -> None:
        """Run it once on nothing: a first run allocates, and no picture shall wait for that.

        Raises:
            ModelError: it does not run.
        """
        self.backend.warm_up()

    def segment(self, image: NDArray[np.uint8], placement: Placement) -> Segmentation:
        """Find the plants in a fitted picture, uint8 [1, H, W, 3].

        Raises:
            ModelError: the model failed on this picture.
        """
        return self.look(image, placement)[1]

    def look(self, image: NDArray[np.uint8], placement: Placement) -> tuple[Inference, Segmentation]:
        """What the graph says of a fitted picture, and the plants in it.

        Raises:
            ModelError: the model failed on this picture.
        """
        inference = self.backend.infer(image)
        return inference, decode(inference, self.manifest, placement)


class Model:
    """The model that pictures are measured with.

    A package that cannot be opened does not end the daemon: each use raises why, and after ``RETRY_AFTER_S`` it is
    tried again, so copying the right files is all that a technician has to do. Where a faster backend lacks only its
    engine, that is built in the background and takes over.

    ``switch`` may be called from any thread: it replaces one reference, so the loop meets it between two pictures and
    waits for nothing. ``use`` belongs to the loop, which is done with the last picture when it asks for the next
    model; only then is what was replaced given back.
    """

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: LoadedModel | None = None
        self._replaced: list[Backend] = []
        self._error: ModelError | None = None
        self._retry_at_s = 0.0

    @property
    def loaded(self) -> LoadedModel | None:
        """What is in use now, if anything is."""
        return self._loaded

    def use(self) -> LoadedModel:
        """What is in use; the configured package is opened if nothing is.

        Raises:
            ModelError: it cannot be used.
        """
        while self._replaced:
            self._replaced.pop().close()
        if (loaded := self._loaded) is not None:
            return loaded
        if self._error is not None and time.monotonic() < self._retry_at_s:
            raise self._error
        try:
            loaded = LoadedModel.load(self._settings.package, self._settings)
        except ModelError as error:
            self._error, self._retry_at_s = error, time.monotonic() + RETRY_AFTER_S
            raise
        self._error = None
        self.switch(loaded)
        return loaded

    def switch(self, loaded: LoadedModel) -> None:
        """Measure with ``loaded`` from the next picture on."""
        with self._lock:
            self._put(loaded)
        if loaded.backend.can_be_bettered:
            prepare_in_background(loaded.package, self._settings, lambda better: self._take_over(loaded, better))

    def close(self) -> None:
        """Give back what the backends hold; a GPU's context does not end well by itself."""
        with self._lock:
            self._put(None)
        while self._replaced:
            self._replaced.pop().close()

    def _take_over(self, loaded: LoadedModel, better: Backend) -> None:
        """Run the same package by ``better``, unless another one is in use by now."""
        with self._lock:
            if self._loaded is loaded:
                log.info("model %s moves from %s to %s", loaded, loaded.backend.name, better.name)
                self._put(replace(loaded, backend=better))
                return
        better.close()

    def _put(self, loaded: LoadedModel | None) -> None:
        if self._loaded is not None:
            self._replaced.append(self._loaded.backend)
        self._loaded = loaded
