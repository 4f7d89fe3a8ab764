"""Packages that exist by their manifests alone: enough for a fleet, which never opens a network."""

import hashlib
import json
import zipfile
from pathlib import Path

from edge.contract.manifest import MANIFEST_FILE, Manifest
from fleet.registry import Package

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "manifest.json"


def manifest_bytes(version: str, name: str = "rosette") -> bytes:
    return json.dumps(json.loads(GOLDEN.read_text()) | {"name": name, "version": version}).encode()


def package(version: str, name: str = "rosette") -> Package:
    content = manifest_bytes(version, name)
    return Package(Manifest.model_validate_json(content), f"sha256:{hashlib.sha256(content).hexdigest()}")


def zipped(folder: Path, version: str, name: str = "rosette") -> Path:
    path = folder / f"{name}-{version}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST_FILE, manifest_bytes(version, name))
    return path


def packed(folder: Path, version: str, name: str = "rosette") -> tuple[Path, Package]:
    """A package of one small file that a repository takes, as a zip, and what it says of itself."""
    network = f"no network, but {name} {version}".encode()
    entry = {"sha256": f"sha256:{hashlib.sha256(network).hexdigest()}", "length_bytes": len(network)}
    tree = json.loads(manifest_bytes(version, name)) | {"files": {"n.onnx": entry}, "models": {"fp32": "n.onnx"}}
    content = json.dumps(tree).encode()
    path = folder / f"{name}-{version}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST_FILE), content)
        archive.writestr(zipfile.ZipInfo("n.onnx"), network)
    return path, Package(Manifest.model_validate_json(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
