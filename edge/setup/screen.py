"""What a setup shows: where it stands, pictures, and the first reading."""

import sys

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from edge.aim_view import half_blocks
from edge.stored import StoredRecord
from edge.views import records_view

STEPS = 5
PICTURE_ROWS, PICTURE_COLUMNS = 20, 76


def step(number: int, title: str) -> None:
    """A heading."""
    typer.secho(f"\n{number}/{STEPS}  {title}", bold=True)


def show_picture(picture: NDArray[np.uint8]) -> None:
    """The picture by half blocks, where a terminal can show it."""
    if sys.stdout.isatty():
        console = Console(highlight=False)
        console.print(half_blocks(picture, PICTURE_ROWS, min(PICTURE_COLUMNS, console.width - 2)), end="")


def show_reading(records: list[StoredRecord]) -> None:
    """The first observations, as ``canopy buffer tail`` would show them."""
    Console(highlight=False).print(records_view(records))
