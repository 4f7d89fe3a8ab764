"""One report of an evaluation: what it measured, and its pictures, the worst first."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from edge.contract.manifest import Manifest
from edge.segmentation import decode
from training import metrics
from training.augment import fitted
from training.evaluate import Finding, Look, Report, each, evaluate_look
from training.overlay import overlay, truth_overlay
from training.pool import Examples
from training.spec import ModelSpec

SHOWN: Final = 24
"""Pictures in the page; the JSON tells of all."""

PICTURES = "pictures"
JPEG_QUALITY = 85


def measure(look: Look, manifest: Manifest, examples: Examples, folder: Path | None = None) -> Report:
    """Run a model on labelled pictures; into ``folder`` go ``report.html``, ``report.json`` and pictures."""
    report = evaluate_look(look, manifest, each(examples))
    if folder is not None:
        order = sorted(range(len(examples)), key=lambda index: -report.findings[index].badness)
        draw_pictures(look, manifest, examples, order[:SHOWN], folder / PICTURES)
        rows = [_row(examples.name(index), report.findings[index]) for index in order]
        said = {"data": examples.digest, "metrics": report.metrics(), "pictures": rows}
        (folder / "report.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        template = _environment().get_template("report.html")
        size_px = manifest.input.height_px
        page = template.render(**said, model=manifest.name, shown=SHOWN, folder=PICTURES, size_px=size_px)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return report


def draw_pictures(look: Look, manifest: Manifest, examples: Examples, order: list[int], folder: Path) -> None:
    """Fill ``folder`` with the pictures of ``order``, each as it is and as it was found."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size_px, spec = manifest.input.height_px, ModelSpec.of(manifest)
    for place, index in enumerate(order):
        pixels, labels = examples[index]
        image, placed, placement = fitted(pixels, labels, size_px)
        found = decode(look(image), manifest, placement)
        drawn = {"there": truth_overlay(image[0], placed, spec), "found": overlay(image[0], found, manifest)}
        top, left = placement.top_px, placement.left_px
        for kind, picture in drawn.items():
            inside = np.ascontiguousarray(picture[top : size_px - top, left : size_px - left])
            cv2.imwrite(str(folder / f"{place:02d}-{kind}.jpg"), inside, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))


def _row(name: str, finding: Finding) -> dict[str, Any]:
    return {
        "name": name,
        "badness": round(finding.badness, 4),
        "mean_iou": round(metrics.mean_iou(finding.confused), 4) if finding.confused.any() else None,
        "best_dice": round(finding.best_dice, 4),
        "counts": {
            thing: {"found": round(found, 2), "there": round(there, 2)}
            for thing, (found, there) in finding.counts.items()
        },
    }


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
