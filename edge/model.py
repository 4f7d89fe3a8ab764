"""The model in use: opened from its package, and opened again while it cannot be."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, open_backend
from edge.backends.background import prepare_in_background
from edge.contract.manifest import Manifest
from edge.errors import ModelError
from edge.package import ModelPackage
from edge.preprocess import Placement
from edge.segmentation import Segmentation, decode
from edge.settings import InferenceSettings

RETRY_AFTER_S = 30.0

log = logging.getLogger(__name__)


class Model:
    """Segments pictures with the configured package.

    A package that cannot be opened does not end the daemon: each use raises why, and after ``RETRY_AFTER_S`` it is
    tried again, so copying the right files is all that a technician has to do. Where a faster backend lacks only its
    engine, that is built in the background and takes over between two pictures.
    """

    def __init__(self, settings: InferenceSettings) -> None:
        self._settings = settings
        self._package: ModelPackage | None = None
        self._backend: Backend | None = None
        self._error: ModelError | None = None
        self._retry_at_s = 0.0

    def open(self) -> Manifest:
        """Open the package and its backend, unless they are open.

        Raises:
            ModelError: they cannot be used.
        """
        if self._backend is not None and self._package is not None:
            return self._package.manifest
        if self._error is not None and time.monotonic() < self._retry_at_s:
            raise self._error
        try:
            self._package = ModelPackage.open(self._settings.package)
            self._backend = open_backend(self._package, self._settings)
        except ModelError as error:
            self._error, self._retry_at_s = error, time.monotonic() + RETRY_AFTER_S
            raise
        self._error = None
        if self._backend.can_be_bettered:
            prepare_in_background(self._package, self._settings, self._take_over)
        log.info("model %s %s on %s", self._package.manifest.name, self._package.manifest.version, self._backend.name)
        return self._package.manifest

    @property
    def package(self) -> ModelPackage | None:
        """The package in use, if it could be opened."""
        return self._package if self._backend is not None else None

    def segment(self, image: NDArray[np.uint8], placement: Placement) -> Segmentation:
        """Find the plants in a fitted picture, uint8 [1, H, W, 3].

        Raises:
            ModelError: there is no usable model, or it failed on this picture.
        """
        manifest = self.open()
        assert self._backend is not None  # noqa: S101  open() has just proved it
        return decode(self._backend.infer(image), manifest, placement)

    def close(self) -> None:
        """Give back what the backend holds; a GPU's context does not end well by itself."""
        if self._backend is not None:
            self._backend.close()

    def _take_over(self, backend: Backend) -> None:
        """Use ``backend`` from the next picture on; called from another thread, so it replaces one reference."""
        log.info("the model moves from %s to %s", self._backend and self._backend.name, backend.name)
        self._backend = backend
