"""A real PostgreSQL on a loopback port of its own, or DATABASE_URL's; every test gets a new database."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sim.mosquitto import free_port

_USER = "postgres"
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=50"


def _programs() -> Path | None:
    """Debian keeps them in a folder for each release."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "initdb").exists()), None)


@contextmanager
def postgres_server(options: str = _FAST) -> Iterator[str]:
    """The SQLAlchemy URL of a server that runs as long as the block. It refuses to be root: somebody else is."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql), and DATABASE_URL names none")
    folder = Path(tempfile.mkdtemp(prefix="canopy-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _USER, _USER)
    port = free_port()
    try:
        _run(programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "canopy", "--no-sync", "-E", "UTF8")
        served = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 {options}"
        _run(programs / "pg_ctl", "-D", folder / "data", "-o", served, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://canopy@127.0.0.1:{port}/postgres"
        finally:
            _run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: str, like: str = "template1") -> Iterator[str]:
    """The URL of an empty database, or of a copy of another one, which is gone after the block."""
    import psycopg  # a device's packages have neither
    from sqlalchemy.engine import make_url

    url, name = make_url(server), f"canopy_{uuid.uuid4().hex[:12]}"
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(*command: object) -> None:
    """As a user that is not root; what it says is told only if it fails."""
    words = [str(word) for word in command]
    user = {"user": _USER} if os.geteuid() == 0 else {}
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(words, stdout=said, stderr=said, cwd="/", check=False, **user)  # type: ignore[call-overload]
        said.seek(0)
        assert done.returncode == 0, said.read().decode(errors="replace")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server on which databases may be made."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with postgres_server() as started:
        yield started


@pytest.fixture(scope="session")
def postgres_store(postgres: str) -> Iterator[str]:
    """The name of a database with the store's tables."""
    with new_database(postgres) as url:
        _make_store(url)
        yield str(url.rpartition("/")[2])


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the store's tables."""
    path = tmp_path_factory.mktemp("store") / "fleet.sqlite"
    _make_store(f"sqlite:///{path}")
    return path


def _make_store(url: str) -> None:
    from fleet.store import Store

    Store(url).close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'fleet.sqlite'}"
        return
    with new_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the store's tables and nothing in them, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("sqlite_store"), tmp_path / "fleet.sqlite")
        yield f"sqlite:///{copy}"
        return
    with new_database(request.getfixturevalue("postgres"), request.getfixturevalue("postgres_store")) as url:
        yield url
