"""A device and a fleet service as the processes that they are, that can be killed and started again."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, select

from edge.errors import StoreError
from edge.outbox import OUTBOX_FILE, stored_stats
from edge.stream import OutboxStats
from fleet import schema
from fleet.store import Store
from tests.sim.green_model import build_green_package
from tests.sim.pictures import draw_pictures
from tests.sim.waiting import wait_for

SITE, DEVICE, CAMERA = "gh", "cam", "top"
STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 15.0
OBSERVED = ("plot", "frame_id", "outcome", "error")
HAPPENED = ("kind", "message")
WATCHED = ("band",)
PLOTS = {"kind": "grid", "rows": 2, "columns": 2}


class Command:
    """One of our commands in a process of its own; its log survives its restarts."""

    def __init__(self, folder: Path, module: str, *words: str | Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / "log"
        self._command = [
            sys.executable,
            "-c",
            f"from {module}.cli import app; app(prog_name='{module}')",
            *map(str, words),
        ]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> tuple[int, str]:
        """SIGTERM; exit code and what it printed."""
        return self._end(signal.SIGTERM)

    def wait(self, timeout_s: float) -> tuple[int, str]:
        """Exit code and what it printed by itself."""
        assert self.process
        output, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, output

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return self.log_file.read_text()[-6000:]

    def _end(self, how: signal.Signals) -> tuple[int, str]:
        assert self.process
        self.process.send_signal(how)
        return self.wait(ENDS_WITHIN_S)


class Fleet(Command):
    """``canopy-fleet serve``; ``mqtt_port`` names the broker that it uses, 0 its own."""

    def __init__(self, folder: Path, mqtt_port: int) -> None:
        self.folder, self.ready = folder, folder / "ready.json"
        self.mqtt_port = mqtt_port
        self._embedded = not mqtt_port
        super().__init__(folder, "fleet", "serve", "--config", folder / "fleet.yaml", "--ready-file", self.ready)

    def start(self) -> None:
        mqtt = {"embedded": self._embedded, "host": "127.0.0.1", "port": self.mqtt_port}
        _write_yaml(self.folder / "fleet.yaml", {"state_dir": "state", "http": {"port": 0}, "mqtt": mqtt})
        self.ready.unlink(missing_ok=True)
        super().start()
        wait_for(self.ready.exists, STARTS_WITHIN_S, lambda: self.log)
        self.mqtt_port = int(json.loads(self.ready.read_text())["mqtt_port"])

    def rows(self) -> dict[str, dict[int, tuple[Any, ...]]]:
        """What the store holds of each record, by epoch and number."""
        found: dict[str, dict[int, tuple[Any, ...]]] = {}
        with self._reading() as connection:
            for table, columns in (
                (schema.observations, OBSERVED),
                (schema.events, HAPPENED),
                (schema.drift_windows, WATCHED),
            ):
                named = {"plot": schema.plots.c.name}
                wanted = [named[name] if name in named else table.c[name] for name in columns]
                query = select(schema.streams.c.epoch, table.c.seq, *wanted).join_from(table, schema.streams)
                if table is schema.observations:
                    query = query.join(schema.plots, schema.plots.c.id == table.c.plot_id)
                for epoch, seq, *values in connection.execute(query):
                    numbers = found.setdefault(epoch, {})
                    assert seq not in numbers, f"{seq} of {epoch} stands in the fleet twice"
                    numbers[seq] = tuple(values)
        return found

    def gaps(self) -> list[tuple[str, int, int, str]]:
        """Epoch, first and last number, and reason of every gap."""
        table = schema.gaps.c
        query = select(schema.streams.c.epoch, table.first_seq, table.last_seq, table.reason)
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query.join_from(schema.gaps, schema.streams))]

    def camera_kinds(self) -> list[str]:
        """What the one device says of its cameras."""
        with self._reading() as connection:
            return list(connection.execute(select(schema.devices.c.info)).scalar_one()["camera_kinds"])

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        store = Store(f"sqlite:///{self.folder / 'state' / 'fleet.sqlite'}")
        try:
            with store.reading() as connection:
                yield connection
        finally:
            store.close()


class Device(Command):
    """``canopy run`` over a folder of pictures."""

    def __init__(self, folder: Path, mqtt_port: int, pictures: int = 40, **settings: Any) -> None:
        self.folder, self.mqtt_port, self.settings = folder, mqtt_port, settings
        self.state = folder / "state"
        self.pictures = folder / "pictures"
        if not self.pictures.exists():
            build_green_package(folder / "package")
            draw_pictures(self.pictures, pictures)
        super().__init__(folder, "edge", "run", "--config", folder / "device.yaml", "--json", "--log-level", "warning")

    def start(self, *more: str) -> None:
        camera = {"name": CAMERA, "source": {"kind": "folder", "path": "pictures"}, "plots": PLOTS}
        tree = {
            "site": SITE,
            "device": DEVICE,
            "state_dir": "state",
            "inference": {"package": "package"},
            "cameras": [{**camera, **self.settings.get("camera", {})}],
            "outbox": {"commit_after_s": 0.02, "commit_records": 16, **self.settings.get("outbox", {})},
            "mqtt": {
                "host": "127.0.0.1",
                "port": self.mqtt_port,
                "protocol": self.settings.get("protocol", "5"),
                "resend_after_s": 1.0,
                **self.settings.get("mqtt", {}),
            },
        }
        _write_yaml(self.folder / "device.yaml", tree)
        command, self._command = self._command, [*self._command, *more]
        super().start()
        self._command = command

    def run_to_end(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """Read everything as fast as it goes, deliver everything, and end; the summary."""
        self.settings["camera"] = {}
        self.start("--until-end")
        code, output = self.wait(timeout_s)
        assert code == 0, f"{code}: {self.log}"
        return dict(json.loads(output))

    def stats(self) -> OutboxStats:
        return stored_stats(self.state / OUTBOX_FILE)

    @property
    def last_seq(self) -> int:
        """The last number given; 0 before the outbox is born."""
        with suppress(StoreError):
            return self.stats().last_seq
        return 0

    @property
    def watermark(self) -> int:
        """The number up to which the fleet has everything; 0 before the outbox is born."""
        with suppress(StoreError):
            return self.stats().watermark
        return 0

    def rows(self) -> dict[int, tuple[Any, ...]]:
        """What the outbox holds of each record, by number, in the fleet's columns."""
        with closing(sqlite3.connect(self.state / OUTBOX_FILE)) as database:
            found = {seq: json.loads(body) for seq, body in database.execute("SELECT seq, body FROM log")}
        return {seq: tuple(body[name] for name in _columns(body)) for seq, body in found.items()}

    def tallies(self) -> list[tuple[int, int, int, int]]:
        """Captured, processed, dropped, failed of every run."""
        with closing(sqlite3.connect(self.state / OUTBOX_FILE)) as database:
            return database.execute("SELECT captured, processed, dropped, failed FROM tally").fetchall()


def _columns(body: dict[str, Any]) -> tuple[str, ...]:
    return OBSERVED if "plot" in body else WATCHED if "band" in body else HAPPENED


def assert_everything_arrived_once(device: Device, fleet: Fleet) -> None:
    """Each record of the device's stream is in the fleet's store, once and as it was written; nothing else is."""
    at = device.stats()
    kept, stored = device.rows(), fleet.rows()
    assert sorted(kept) == list(range(1, at.last_seq + 1)), "the outbox has kept everything"
    assert stored == {at.epoch: kept}, "the fleet has exactly what the device has appended"
    for captured, processed, dropped, failed in device.tallies():
        assert captured == processed + dropped + failed


def random_moment(rng: random.Random, longest_s: float) -> None:
    """Let a random time pass."""
    time.sleep(rng.uniform(0, longest_s))


def _write_yaml(path: Path, tree: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(tree))
