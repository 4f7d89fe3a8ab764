"""Fixtures that every test may ask for, and ``--device``, which leaves out what a device's packages cannot run."""

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.sim.mosquitto import mosquitto
from tests.sim.postgres import database_url, postgres, postgres_store, sqlite_store, store_url

__all__ = ["database_url", "mosquitto", "postgres", "postgres_store", "sqlite_store", "store_url"]

settings.register_profile("same", derandomize=True, database=None)  # the same examples everywhere and every time
settings.register_profile("other", derandomize=False)  # others each time: pytest --hypothesis-profile other
settings.load_profile("same")

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell ignores it in what it runs in the background, and all that the tests start would inherit that."""

NOT_ON_A_DEVICE = {
    *("torch", "lightning", "model_signing", "onnxscript", "onnxslim", "pycocotools"),
    *("alembic", "amqtt", "argon2", "deltalake", "fastapi", "jinja2", "psycopg", "sqlalchemy", "uvicorn", "websockets"),
}
"""What tests of training, export and fleet import, and no test of the device."""

BROWSER = Path(__file__).with_name("browser")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", action="store_true", help="skip test files that import what a device does not have")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the fleet's pages on a device: what their tests share imports the fleet before any file is skipped."""
    return True if config.getoption("device") and collection_path == BROWSER else None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return DeviceModule.from_parent(parent, path=module_path) if parent.config.getoption("device") else None


class DeviceModule(pytest.Module):
    """A test file that is skipped, with its name, if it imports what a device does not have."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            cause = error.__cause__
            if isinstance(cause, ModuleNotFoundError) and cause.name in NOT_ON_A_DEVICE:
                pytest.skip(f"{self.nodeid} needs {cause.name}, which a device does not have")
            raise
