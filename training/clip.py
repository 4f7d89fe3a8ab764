"""A rendered time-lapse as a video, with its ground truth beside it."""

import csv
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edge.errors import ConfigError
from training.synthetic import Tray, render_timelapse

PICTURES_PER_S = 6
HEADINGS = ("picture", "hour", "plot", "leaves", "area_px")


def write_clip(out: Path, seed: int, tray: Tray, days: float, step_h: float) -> Iterator[int]:
    """Write ``out`` (H.264) and ``.truth.csv`` beside it, a line for each picture and plot; yields pictures written.

    Raises:
        ConfigError: there is no ffmpeg, or it fails.
    """
    command = [
        _ffmpeg(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24",
        "-s", f"{tray.width_px}x{tray.height_px}", "-r", str(PICTURES_PER_S), "-i", "-",
        "-c:v", "libx264", "-preset", "slow", "-crf", "27", "-pix_fmt", "yuv420p", str(out),
    ]  # fmt: skip
    with (
        out.with_suffix(".truth.csv").open("w", encoding="utf-8", newline="") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoder,  # noqa: S603
    ):
        assert encoder.stdin is not None  # noqa: S101  it was asked for
        assert encoder.stderr is not None  # noqa: S101
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(HEADINGS)
        for picture, moment in enumerate(render_timelapse(seed, tray, days, step_h)):
            try:
                encoder.stdin.write(moment.scene.pixels.tobytes())
            except BrokenPipeError:  # it has ended early; what it said tells why
                break
            lines.writerows((picture, f"{moment.hour:g}", plot, *moment.truth(plot)) for plot in tray.places)
            yield picture + 1
        with suppress(BrokenPipeError):
            encoder.stdin.close()
        said = encoder.stderr.read().decode(errors="replace")
    if encoder.returncode:
        raise ConfigError(
            f"ffmpeg could not write {out}: {said.strip()}; see that it has libx264 and the folder exists"
        )


def _ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        raise ConfigError("there is no ffmpeg to write the video with; install it (apt install ffmpeg)")
    return found
