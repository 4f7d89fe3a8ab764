"""The model in use: opened from its package, opened again while it cannot be, and switched between two pictures."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, open_backend
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
        size = self.manifest.input
        self.backend.infer(np.zeros((1, size.height_px, size.width_px, 3), np.uint8))

    def segment(self, image: NDArray[np.uint8], placement: Placement) -> Segmentation:
        """Find the plants in a fitted picture, uint8 [1, H, W, 3].

        Raises:
            ModelError: the model failed on this picture.
        """
        return decode(self.backend.infer(image), self.manifest, placement)


class Model:
    """The model that pictures are measured with.

    A package that cannot be opened does not end the daemon: each use raises why, and after ``RETRY_AFTER_S`` it is
    tried again, so copying the right files is all that a technician has to do. ``switch`` may be called from any
    thread: it replaces one reference, so the loop meets it between two pictures and waits for nothing.
    """

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._loaded: LoadedModel | None = None
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
        if (loaded := self._loaded) is not None:
            return loaded
        if self._error is not None and time.monotonic() < self._retry_at_s:
            raise self._error
        try:
            self._loaded = loaded = LoadedModel.load(self._settings.package, self._settings)
        except ModelError as error:
            self._error, self._retry_at_s = error, time.monotonic() + RETRY_AFTER_S
            raise
        self._error = None
        return loaded

    def switch(self, loaded: LoadedModel) -> None:
        """Measure with ``loaded`` from the next picture on."""
        self._loaded = loaded
