"""Objects whose traits PlantCV was asked for, and its answers.

    PLANTCV_PYTHON=.venv-plantcv/bin/python python -m tests.sim.plantcv > tests/unit/plantcv.json

writes them down anew; benchmarks/plantcv_traits.py tells how to get such an interpreter. With PLANTCV_PYTHON set the
tests ask it themselves, else they take what was written down.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.sim.pictures import REAL, read

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "tests" / "unit" / "plantcv.json"
INTERPRETER = "PLANTCV_PYTHON"
HUE_BINS = 36
_VERSIONS = "import cv2, importlib.metadata as m; print('PlantCV', m.version('plantcv'), 'OpenCV', cv2.__version__)"


class Object(NamedTuple):
    """One object: pixels uint8 [h, w, 3], BGR, and its mask uint8 [h, w], 255 or 0."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def drawn_objects() -> dict[str, Object]:
    """Objects of every kind, made of whole numbers alone, so that they are the same everywhere."""
    y, x = np.indices((160, 200))
    disc = (y - 80) ** 2 + (x - 90) ** 2 <= 50**2
    leaf = (3 * (x - 100) + 4 * (y - 80)) ** 2 + 9 * (4 * (x - 100) - 3 * (y - 80)) ** 2 <= 350**2
    petals = np.abs(x - 100) * np.abs(y - 80) <= 600
    masks = {
        "disc": disc,
        "leaf": leaf,
        "star": petals & disc,
        "ring": disc & ~((y - 80) ** 2 + (x - 90) ** 2 <= 30**2),
        "island in a hole": disc & ~(((y - 80) ** 2 + (x - 90) ** 2 <= 30**2) & ((y - 80) ** 2 + (x - 90) ** 2 > 9**2)),
        "two pieces": (disc & (x < 70)) | (leaf & (x > 120)),
        "ragged": disc & ((x * 7919 + y * 104729) % 13 > 1),
        "cut by the frame": (y - 10) ** 2 + (x - 190) ** 2 <= 40**2,
        "seedling": (y - 30) ** 2 + (x - 40) ** 2 <= 5**2,
    }
    return {
        name: Object(_painted(y, x, number), mask.astype(np.uint8) * np.uint8(255))
        for number, (name, mask) in enumerate(masks.items())
    }


def _painted(y: NDArray[np.int64], x: NDArray[np.int64], number: int) -> NDArray[np.uint8]:
    """Leaves from green to yellow, one of them red, with grain."""
    grain = (x * 31 + y * 17 + x * y) % 23
    green, red = 120 + grain + x // 4, 30 + 15 * number + y // 2 + grain
    return np.stack([25 + grain, green, red if number != 3 else red + 120], axis=-1).clip(0, 255).astype(np.uint8)


def real_objects() -> dict[str, Object]:
    """The rosette of each day, and every third of its leaves, by their published masks."""
    found = {}
    folder = REAL / "arabidopsis-timelapse"
    for path in sorted((folder / "masks").glob("*.png")):
        pixels = read(folder / f"{path.stem}.jpg")
        leaves = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        day = path.stem.split("_")[-2][:10]
        found[f"{day} rosette"] = Object(pixels, (leaves > 0).astype(np.uint8) * np.uint8(255))
        for number in np.unique(leaves[leaves > 0])[::3]:
            found[f"{day} leaf {number}"] = Object(pixels, (leaves == number).astype(np.uint8) * np.uint8(255))
    return found


def answers(objects: dict[str, Object]) -> dict[str, dict[str, Any]]:
    """What PlantCV says of each: asked now if there is an interpreter that has it, else as it was written down."""
    interpreter = os.environ.get(INTERPRETER)
    if interpreter:
        return ask(interpreter, objects)
    known = json.loads(ANSWERS.read_text(encoding="utf-8"))["objects"]
    return {name: known[name] for name in objects}


def ask(interpreter: str, objects: dict[str, Object]) -> dict[str, dict[str, Any]]:
    """PlantCV's traits of each object; shares of hue in bins of ten degrees."""
    with tempfile.TemporaryDirectory() as name:
        requests = [request_for(Path(name), number, item) for number, item in enumerate(objects.values())]
        process = subprocess.run(
            [interpreter, str(ROOT / "benchmarks" / "plantcv_traits.py")],
            input="".join(f"{json.dumps(request)}\n" for request in requests),
            stdout=subprocess.PIPE, text=True, check=True, env=interpreter_environment(),
        )  # fmt: skip
    found = [json.loads(line)["traits"] for line in process.stdout.splitlines()]
    return {name: _short(traits) for name, traits in zip(objects, found, strict=True)}


def interpreter_environment() -> dict[str, str]:
    """The environment without what is meant for our own interpreter."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "OPENBLAS_CORETYPE")}


def request_for(folder: Path, number: int, item: Object) -> dict[str, str]:
    """What benchmarks/plantcv_traits.py reads."""
    image, mask = folder / f"{number}.png", folder / f"{number}-mask.png"
    cv2.imwrite(str(image), item.pixels)
    cv2.imwrite(str(mask), item.mask)
    return {"image": str(image), "mask": str(mask)}


def _short(traits: dict[str, Any]) -> dict[str, Any]:
    shares = np.reshape(traits["hue_frequencies"], (HUE_BINS, -1)).sum(axis=1) / 100
    return {
        **{name: round(float(value), 6) for name, value in traits.items() if not isinstance(value, list)},
        "center_of_mass": [round(float(value), 4) for value in traits["center_of_mass"]],
        "hue_frequencies": [round(float(value), 5) for value in shares],
    }


def main() -> None:
    interpreter = os.environ[INTERPRETER]
    version = subprocess.run(
        [interpreter, "-c", _VERSIONS],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    answered = ask(interpreter, drawn_objects() | real_objects())
    head = {"made_by": f"{INTERPRETER}=… python -m tests.sim.plantcv", "version": version}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(traits)}" for name, traits in answered.items())
    sys.stdout.write(f'{json.dumps(head, ensure_ascii=False)[:-1]},\n "objects": {{\n{lines}\n }}\n}}\n')


if __name__ == "__main__":
    main()
