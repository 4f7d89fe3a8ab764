"""Environments for peers, each with nothing but what its own documentation says to install."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = {
    "yolo": ("ultralytics==8.4.*", "onnx", "onnxslim", "onnxruntime"),
    "plantcv": ("plantcv==4.*",),
}

HANDICAPS: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Settings of some machines that make NumPy slower than it is."""


def python_of(peers: Path, name: str) -> Path:
    """The interpreter of a peer; its environment is made first if it is not there."""
    python = peers / name / "bin" / "python"
    if not python.exists():
        print(f"installing {', '.join(REQUIREMENTS[name])} into {peers / name}", file=sys.stderr)
        partial = peers / f".{name}.partial"
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(partial)], check=True)
        pip = [str(partial / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS[name]], check=True)
        partial.replace(peers / name)
    return python


def environment(peers: Path) -> dict[str, str]:
    """One thread for everybody, settings of ultralytics apart from the user's, and no telemetry."""
    kept = {name: value for name, value in os.environ.items() if name not in HANDICAPS}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return (
        kept
        | threads
        | {"YOLO_CONFIG_DIR": str(peers), "YOLO_OFFLINE": "true", "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    )
