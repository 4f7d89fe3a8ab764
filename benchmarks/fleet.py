"""How many devices one fleet carries: ingest, watermark delay, a reconnect storm, the overview at many observations.

python -m benchmarks.fleet ingest [--processes 1 2] [--devices 500] [--rounds 3]   as fast as it goes
python -m benchmarks.fleet paced [--devices 10000]                                 one batch a minute each
python -m benchmarks.fleet storm [--devices 10000]                                 every connection breaks at once
python -m benchmarks.fleet overview [--observations 10000000] [--queries 60]

A real Mosquitto, a real PostgreSQL that syncs every commit to disk, ``canopy-fleet ingest`` in processes of their own,
and the simulator of ``fleet_devices.py`` share this one machine. A batch holds 30 plots of twelve traits. Beside what
was reached on a busy machine stands what an observation costs in processor time, which other work changes less.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine, func, select, text

from edge.contract.traits import VOCABULARY
from fleet import schema
from fleet.questions.overview import overview
from fleet.store import Store
from tests.sim.mosquitto import Mosquitto
from tests.sim.postgres import new_database, postgres_server

DURABLE = "-c shared_buffers=1GB -c max_wal_size=8GB -c checkpoint_timeout=15min -c max_connections=50"
BROKER = "allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 100000\nmax_connections -1\n"
_TICK = os.sysconf("SC_CLK_TCK")


class Machine:
    """Broker, database and so many ingest processes."""

    def __init__(self, folder: Path, broker: Mosquitto, url: str, processes: int) -> None:
        self.broker, self.url = broker, url
        config = folder / "fleet.yaml"
        config.write_text(
            f"state_dir: state\ndatabase: {url}\nmqtt: {{embedded: false, port: {broker.port}}}\n"
            "ingest: {shared: true}\n"
        )
        Store(url).close()
        self.members = []
        for number in range(processes):
            ready = folder / f"ready{number}"
            command = [sys.executable, "-m", "fleet", "ingest", "--config", str(config), "--ready-file", str(ready)]
            with (folder / f"log{number}").open("ab") as log:
                self.members.append(subprocess.Popen(command, stdout=log, stderr=log))
            wait_for(ready)

    def cpu_s(self) -> dict[str, float]:
        """Processor time so far."""
        found = {"ingest": sum(cpu_s(member.pid) for member in self.members), "broker": cpu_s(self.broker.pid)}
        engine = create_engine(self.url)
        with engine.connect() as connection:
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            parent = int(fields_of(backend)[1])
        engine.dispose()
        found["database"] = sum(cpu_s(pid) for pid in children(parent)) + cpu_s(parent, ended=True)
        return found

    def stop(self) -> None:
        for member in self.members:
            member.send_signal(signal.SIGTERM)
        for member in self.members:
            member.wait(timeout=20)


def fields_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_s(pid: int, *, ended: bool = False) -> float:
    """Of a process; with ``ended``, also of its children that have ended."""
    try:
        return sum(int(ticks) for ticks in fields_of(pid)[11 : 15 if ended else 13]) / _TICK
    except FileNotFoundError:  # it ended since: its parent has its time now
        return 0.0


def children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(fields_of(int(path.parent.name))[1]) == parent:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_for(path: Path, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.05)


@contextmanager
def machine(processes: int) -> Iterator[Machine]:
    with ExitStack() as parts:
        folder = Path(parts.enter_context(TemporaryDirectory(prefix="canopy-bench-")))
        server = parts.enter_context(postgres_server(DURABLE))
        url = parts.enter_context(new_database(server))
        broker = Mosquitto(folder / "mosquitto", BROKER)
        broker.start()
        parts.callback(broker.kill)
        made = Machine(folder, broker, url, processes)
        parts.callback(made.stop)
        yield made


def simulate(here: Machine, *options: object) -> dict[str, Any]:
    """Run the devices; the processor time is that of the measured period."""
    command = [sys.executable, "-m", "benchmarks.fleet_devices", "--port", str(here.broker.port), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as devices:
        assert devices.stdout
        devices.stdout.readline()
        before, began = here.cpu_s(), time.monotonic()
        observations = count(here.url)
        found = json.loads(devices.stdout.readline())
        spent = {name: value - before[name] for name, value in here.cpu_s().items()}
        seconds, stored = time.monotonic() - began, count(here.url) - observations
    per = {name: round(value * 1e6 / max(stored, 1), 1) for name, value in spent.items()}
    return {**found, "stored_per_s": round(stored / seconds), "cpu_us_per_observation": per, "load": os.getloadavg()[0]}


def count(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(select(func.coalesce(func.sum(schema.streams.c.received), 0))).scalar_one()
    engine.dispose()
    return int(found)


def ingest(asked: argparse.Namespace) -> dict[str, Any]:
    """One and two processes in turn, so that other work falls on both alike."""
    rates: dict[int, list[dict[str, Any]]] = {processes: [] for processes in asked.processes}
    for _ in range(asked.rounds):
        for processes, found in rates.items():
            with machine(processes) as here:
                eager = ("--mode", "eager", "--warm-up-s", asked.warm_up_s, "--seconds", asked.seconds)
                found.append(simulate(here, "--devices", asked.devices, "--plots", asked.plots, *eager))
    medians = {
        str(number): statistics.median(one["observations_per_s"] for one in found) for number, found in rates.items()
    }
    first = next(iter(medians.values()))
    times = {number: round(rate / first, 2) for number, rate in medians.items()}
    return {"observations_per_s": medians, "times": times, "runs": {str(number): one for number, one in rates.items()}}


def paced(asked: argparse.Namespace) -> dict[str, Any]:
    with machine(asked.processes[-1]) as here:
        pace = ("--mode", "paced", "--period-s", asked.period_s, "--warm-up-s", asked.warm_up_s)
        found = simulate(here, "--devices", asked.devices, "--plots", asked.plots, *pace, "--seconds", asked.seconds)
    return {"processes": asked.processes[-1], "devices": asked.devices, "plots": asked.plots, **found}


def storm(asked: argparse.Namespace) -> dict[str, Any]:
    with machine(asked.processes[-1]) as here:
        found = simulate(here, "--devices", asked.devices, "--plots", asked.plots, "--mode", "storm")
        engine = create_engine(here.url)
        with engine.connect() as connection:
            each = select(schema.observations.c.stream_id, schema.observations.c.seq)
            stored = connection.execute(select(func.count()).select_from(each.subquery())).scalar_one()
            distinct = connection.execute(select(func.count()).select_from(each.distinct().subquery())).scalar_one()
        engine.dispose()
    what = {"processes": asked.processes[-1], "devices": asked.devices, "plots": asked.plots}
    return {**what, **found, "stored": stored, "distinct": distinct}


def measure_overview(asked: argparse.Namespace) -> dict[str, Any]:
    """One page of fifty cameras, each time another one. With ``--database``, one that was filled before is asked."""
    with ExitStack() as parts:
        url, filled_s = asked.database, 0.0
        now = datetime.now(timezone.utc)
        if url is None:
            quick = f"{DURABLE} -c fsync=off -c synchronous_commit=off"
            url = parts.enter_context(new_database(parts.enter_context(postgres_server(quick))))
            Store(url).close()
            began = time.monotonic()
            fill(url, asked.observations, asked.devices, now)
            filled_s = time.monotonic() - began
        store = Store(url)
        parts.callback(store.close)
        with store.reading() as connection:
            count_all = select(func.count()).select_from(schema.observations)
            observations = connection.execute(count_all).scalar_one()
            size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
            now = connection.execute(select(func.max(schema.devices.c.last_seen))).scalar_one()
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        times_ms, spent_ms = [], []
        for number in range(asked.queries + 5):
            began, spent = time.perf_counter(), time.process_time() + cpu_s(backend)
            with store.reading() as connection:
                found = overview(connection, now, after=(f"s{number % 19:02}", "", ""), limit=50)
            times_ms.append((time.perf_counter() - began) * 1e3)
            spent_ms.append((time.process_time() + cpu_s(backend) - spent) * 1e3)
            assert len(found.cameras) == 50
            assert found.cameras[0].headlines[0].yesterday is not None
    times_ms = sorted(times_ms[5:])
    return {
        "observations": observations,
        "overview_p50_ms": round(statistics.median(times_ms), 1),
        "overview_p95_ms": round(times_ms[int(len(times_ms) * 0.95)], 1),
        "overview_least_ms": round(times_ms[0], 1),
        "cpu_ms": round(statistics.mean(spent_ms[5:]), 1),
        "database_gb": round(size / 1e9, 2),
        "filled_s": round(filled_s),
        "load": os.getloadavg()[0],
    }


def fill(url: str, observations: int, devices: int, now: datetime) -> None:
    """As many as wanted, over 30 plots of every device and the hours until now, made by the database itself."""
    each = max(1, observations // (devices * 30))
    traits = list(VOCABULARY.values())[:12]
    engine = create_engine(url)
    with engine.begin() as connection:
        for number, trait in enumerate(traits, 1):
            row = {"id": number, "trait": trait.name, "unit": trait.unit.value, "method": trait.method}
            connection.execute(schema.kinds.insert().values(**row, fingerprint=str(number)))
        connection.execute(schema.trait_sets.insert().values(id=1, fingerprint="1"))
        rows = [{"trait_set_id": 1, "position": place, "kind_id": place + 1} for place in range(len(traits))]
        connection.execute(schema.trait_set_members.insert(), rows)
        connection.execute(schema.digests.insert().values(id=1, digest="sha256:" + "ab" * 32))
        for name in ("observations_by_plot", "observations_by_time"):
            connection.execute(text(f"DROP INDEX {name}"))
        values = {"devices": devices, "each": each, "now": now, "yesterday": now - timedelta(days=1)}
        for statement in Path(__file__).with_name("fleet_fill.sql").read_text().split(";")[:-1]:
            connection.execute(text(statement), values)
        for index in schema.observations.indexes:
            index.create(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["ingest", "paced", "storm", "overview"])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--devices", type=int)
    parser.add_argument("--plots", type=int, default=30, help="observations in a batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up-s", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--period-s", type=float, default=60.0)
    parser.add_argument("--observations", type=int, default=10_000_000)
    parser.add_argument("--database", help="a URL: what to ask, instead of filling one")
    parser.add_argument("--queries", type=int, default=60)
    asked = parser.parse_args()
    asked.devices = asked.devices or (500 if asked.part == "ingest" else 10_000)
    parts = {"ingest": ingest, "paced": paced, "storm": storm, "overview": measure_overview}
    print(json.dumps({"part": asked.part, **parts[asked.part](asked)}, indent=2))


if __name__ == "__main__":
    main()
