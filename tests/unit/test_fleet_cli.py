"""The command says what is wrong and ends with the documented code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app
from fleet.store import Store
from tests.sim.fleet_records import batch, letter

RUN = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text("state_dir: state\nmqtt: {port: 0}\nhttp: {port: 0}\n")
    return path


def test_devices_and_completeness_read_the_store(config: Path) -> None:
    (config.parent / "state").mkdir()
    store = Store(f"sqlite:///{config.parent / 'state' / 'fleet.sqlite'}")
    store.commit([letter(batch([1, 2, 3]))])
    store.close()
    listed = RUN.invoke(app, ["devices", "--config", str(config), "--json"])
    assert [row["device"] for row in json.loads(listed.stdout)] == ["dev"]
    hours = RUN.invoke(app, ["completeness", "--config", str(config), "--hours", "3", "--json"])
    assert len(json.loads(hours.stdout)) == 3
    assert "dev" in RUN.invoke(app, ["devices", "--config", str(config)]).stdout


def test_config_check_names_what_is_wrong(config: Path) -> None:
    assert RUN.invoke(app, ["config", "check", "--config", str(config)]).exit_code == 0
    config.write_text("state_dir: s\nmqqt: {}\n")
    wrong = RUN.invoke(app, ["config", "check", "--config", str(config)])
    assert wrong.exit_code == 2
    assert "mqqt" in wrong.stderr


def test_a_damaged_store_ends_with_the_stores_code(config: Path) -> None:
    (config.parent / "state").mkdir()
    (config.parent / "state" / "fleet.sqlite").write_bytes(b"rubbish" * 1000)
    assert RUN.invoke(app, ["devices", "--config", str(config)]).exit_code == 5


def test_asking_for_help_loads_neither_the_web_server_nor_the_database() -> None:
    code = "import sys, fleet.cli; print([m for m in ('sqlalchemy', 'fastapi', 'amqtt', 'paho') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
