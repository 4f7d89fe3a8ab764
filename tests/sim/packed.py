"""A package as one file, made without the device's code: small, and whole as far as a manifest can say."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.contract.manifest import MANIFEST_FILE, FileEntry, GraphInput, Lineage, Manifest, Thing

GRAPH = b"a graph, as far as its digest is concerned" * 50


def manifest(version: str = "1.0.0", files: Mapping[str, bytes] | None = None) -> Manifest:
    """The manifest of a model called rosette."""
    files = files or {"model.fp32.onnx": GRAPH}
    return Manifest(
        name="rosette",
        version=version,
        input=GraphInput(height_px=64, width_px=64),
        classes=("background", "leaf"),
        plant_classes=("leaf",),
        things=(Thing(name="plant", threshold=0.1, count_trait="plant_count"),),
        top_k=8,
        features=4,
        traits=("plant_count",),
        files={
            name: FileEntry(sha256=f"sha256:{hashlib.sha256(content).hexdigest()}", length_bytes=len(content))
            for name, content in files.items()
        },
        models={"fp32": "model.fp32.onnx"},
        lineage=Lineage(created_at=datetime(2024, 1, 1, tzinfo=timezone.utc)),
    )


def packed(
    path: Path,
    version: str = "1.0.0",
    *,
    graph: bytes = GRAPH,
    held: Mapping[str, bytes] | None = None,
    said: Mapping[str, Any] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Write a package to ``path``. ``held`` are other files than the manifest says, ``said`` other words of its own."""
    document = json.loads(manifest(version, {"model.fp32.onnx": graph}).encode()) | dict(said or {})
    files = {MANIFEST_FILE: json.dumps(document).encode(), "model.fp32.onnx": graph} | dict(held or {})
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, compression)
    return path
