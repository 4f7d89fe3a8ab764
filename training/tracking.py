"""Where a run writes what it measures: a table beside its checkpoints, and MLflow."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger

from training.run import RunRecord

ARTIFACTS = "artifacts"
TABLES = "metrics"


def loggers(name: str, folder: Path, tracking: str | None, tracked_as: str | None) -> list[Logger]:
    """``metrics.csv`` under the run's folder, and a run in MLflow at ``tracking``, such as sqlite:///runs/mlflow.db.

    A run that goes on begins a new table; in MLflow it goes on as ``tracked_as``.
    """
    table = CSVLogger(folder, TABLES, flush_logs_every_n_steps=50)
    if tracking is None:
        return [table]
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it tells of every table that it creates
    artifacts = (folder.parent / ARTIFACTS).resolve().as_uri()
    return [table, MLFlowLogger(name, folder.name, tracking, artifact_location=artifacts, run_id=tracked_as)]


def track(trainer: lightning.Trainer, record: RunRecord) -> str | None:
    """Tell MLflow what a run is made of; returns the number that it has there."""
    for store in _mlflow(trainer):
        store.log_hyperparams(dict(_flat(record.settings.model_dump(mode="json") | {"data": record.data})))
        store.experiment.set_tag(store.run_id, "git_commit", record.git_commit or "unknown")
        return str(store.run_id)
    return None


def keep_pictures(trainer: lightning.Trainer, folder: Path) -> None:
    """Give MLflow the pictures in ``folder``."""
    for store in _mlflow(trainer):
        store.experiment.log_artifacts(store.run_id, str(folder), folder.name)


def commit() -> str | None:
    """The commit that this code is at, with ``+`` if it was changed since; None outside a repository."""
    try:
        head = _git("rev-parse", "HEAD")
        return f"{head}+" if _git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ("git", *arguments)
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def _mlflow(trainer: lightning.Trainer) -> Iterator[MLFlowLogger]:
    return (store for store in trainer.loggers if isinstance(store, MLFlowLogger))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
