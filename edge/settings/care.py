"""How the device cares for itself: heat, disk, and who may read its figures."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.settings.base import Settings


class HeatSettings(Settings):
    """When the device does less, so that the chip need not slow down by itself.

    ``margin_c`` is the distance, in K, between a sensor and the temperature at which the kernel begins to throttle; a
    machine that names none is taken to throttle at ``limit_c``. Relief ends ``hysteresis_c`` further down, and each
    step is held for ``hold_s``.
    """

    margin_c: Annotated[float, Field(gt=0, le=50)] = 10.0
    hysteresis_c: Annotated[float, Field(gt=0, le=30)] = 5.0
    limit_c: Annotated[float, Field(ge=40, le=120)] = 85.0
    hold_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    package: Path | None = None
    """A smaller model that measures in the greatest heat; absent: the model stays, and fewer pictures are measured."""


class StorageSettings(Settings):
    """Where results are kept, and how much of the disk is left to others.

    When less than ``keep_free_bytes`` are free, databases that were damaged and put aside go first, then engines but
    the newest, then frames kept for training, then delivered records. What the fleet does not have is given up by
    ``outbox.max_bytes`` alone.
    """

    folder: Path | None = None
    """Holds the database, on a disk of its own, say; it is never made, so that a missing disk is an error and no second
    database is begun beside it. Absent: the state directory."""
    run_dir: Path | None = None
    """Holds what a power cut may take, the status: a folder in memory, like /run/canopy, spares the flash. Absent: the
    state directory."""
    keep_free_bytes: Annotated[int, Field(ge=0)] = 200_000_000


class MetricsSettings(Settings):
    """The device's own figures for Prometheus, over plain HTTP: on the loopback unless another address is named."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
