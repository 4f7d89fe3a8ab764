"""Built engines on disk, each under a name made of everything that decides about it.

Layout: ``<digest of the key>/engine.plan`` and beside it ``sidecar.json``, which says what built it, for what, and what
bytes it must have; ``timing-<digest of the machine>.cache`` holds the builder's measurements for that machine. A folder
appears whole or not at all: it is written under another name, flushed to the disk and renamed.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from edge import __version__
from edge.clock import utc_now
from edge.engine.machine import Machine
from edge.errors import BuildFailed, EngineInvalid, EngineMissing

PLAN_FILE: Final = "engine.plan"
SIDECAR_FILE: Final = "sidecar.json"
MAX_SIDECAR_BYTES: Final = 100_000
MAX_TIMING_BYTES: Final = 64 * 2**20

_PARTIAL = ".partial-"
_OTHERS_MAY_WRITE = 0o022


class EngineKey(BaseModel):
    """What an engine depends on. Two that are equal are exchangeable although their bytes differ: no build repeats.

    Attributes:
        onnx: SHA-256 of the graph that it was built from.
        machine: where it was built, which is where it runs.
        flags: what the builder was told.
    """

    model_config = ConfigDict(frozen=True)

    onnx: str
    machine: Machine
    flags: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A name for the key, 32 hexadecimal digits."""
        return _name(self)


class Sidecar(BaseModel):
    """What is known of an engine: what built it, for what, and what bytes it has.

    ``positional``: its tensors have names of their own, and stand in the order of the graph contract.
    """

    model_config = ConfigDict(frozen=True)

    key: EngineKey
    graph: str
    plan_sha256: str
    plan_bytes: int
    built_by: str
    built_at: datetime
    build_s: float
    peak_rss_bytes: int
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine in the cache."""

    folder: Path
    sidecar: Sidecar

    def plan(self) -> bytes:
        """The serialized engine.

        Raises:
            EngineInvalid: its bytes are not those that were built.
        """
        path = self.folder / PLAN_FILE
        try:
            plan = path.read_bytes() if path.stat().st_size == self.sidecar.plan_bytes else b""
        except OSError as error:
            raise EngineInvalid(f"cannot read the engine {path}: {error}; {REBUILD}") from error
        if _digest(plan) != self.sidecar.plan_sha256:
            raise EngineInvalid(f"the engine {path} was cut short or altered since it was built; {REBUILD}")
        return plan


REBUILD: Final = "it is built again by the daemon, or by: canopy accept"


class EngineCache:
    """The engines in one folder. What lies there is executed, so others must not be able to write to it."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def find(self, key: EngineKey) -> Engine:
        """The engine for ``key``.

        Raises:
            EngineMissing: there is none; says what has changed since the last one of this graph was built.
            EngineInvalid: there is one, and it cannot be trusted.
        """
        folder = self.folder / key.digest
        if not folder.is_dir():
            raise EngineMissing(f"no engine of {key.onnx[:19]}… for this machine is built yet{self._changed(key)}")
        self._check_private(folder)
        sidecar = _read_sidecar(folder)
        if sidecar.key != key:
            raise EngineInvalid(f"the engine in {folder} was put there from elsewhere; {REBUILD}")
        return Engine(folder, sidecar)

    @contextmanager
    def building(self, told_to_wait: Callable[[], None]) -> Iterator[Path]:
        """Hold the cache for a build, alone among all processes; gives an empty folder to build in.

        ``told_to_wait`` is called if another process builds now.

        Raises:
            BuildFailed: the cache's folder cannot be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.folder / "lock").open("w", encoding="ascii")
        except OSError as error:
            raise BuildFailed(f"cannot use {self.folder} for engines: {error}; set inference.engine.folder") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                told_to_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left_over in self.folder.glob(f"{_PARTIAL}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            partial = self.folder / f"{_PARTIAL}{os.getpid()}"
            try:
                partial.mkdir(mode=0o700)
                yield partial
            except OSError as error:
                raise BuildFailed(f"cannot write an engine to {self.folder}: {error}; free space there") from error
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def put(
        self,
        partial: Path,
        key: EngineKey,
        graph: str,
        build_s: float,
        peak_rss_bytes: int,
        *,
        positional: bool = False,
    ) -> Engine:
        """Take over what was built in ``partial``, and let go of the oldest engines beyond those to keep."""
        plan = (partial / PLAN_FILE).read_bytes()
        sidecar = Sidecar(
            key=key,
            graph=graph,
            plan_sha256=_digest(plan),
            plan_bytes=len(plan),
            built_by=f"canopy {__version__}",
            built_at=utc_now(),
            build_s=round(build_s, 1),
            peak_rss_bytes=peak_rss_bytes,
            positional=positional,
        )
        (partial / SIDECAR_FILE).write_text(sidecar.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for path in (partial / PLAN_FILE, partial / SIDECAR_FILE, partial):
            _flush(path)
        target = self.folder / key.digest
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
        _flush(self.folder)
        self._evict(target)
        return Engine(target, sidecar)

    def discard(self, engine: Engine) -> None:
        """Remove an engine that proved useless."""
        shutil.rmtree(engine.folder, ignore_errors=True)

    def last_build_s(self, machine: Machine) -> float | None:
        """How long the newest build on this machine took; None before the first."""
        built = [sidecar for _, sidecar in self._entries() if sidecar.key.machine == machine]
        return max(built, key=lambda sidecar: sidecar.built_at).build_s if built else None

    def timing_file(self, machine: Machine) -> Path:
        """Where the builder's measurements of one machine are kept."""
        return self.folder / f"timing-{_name(machine)}.cache"

    def keep_timing(self, machine: Machine, measured: Path) -> None:
        """Replace the measurements of a machine by those that a build left in ``measured``, if it left any."""
        if measured.is_file() and 0 < measured.stat().st_size <= MAX_TIMING_BYTES:
            _flush(measured)
            measured.replace(self.timing_file(machine))

    def _entries(self) -> list[tuple[Path, Sidecar]]:
        found = []
        for path in sorted(self.folder.glob(f"[0-9a-f]*/{SIDECAR_FILE}")):
            try:
                found.append((path.parent, _read_sidecar(path.parent)))
            except EngineInvalid:
                continue
        return found

    def _changed(self, key: EngineKey) -> str:
        same = [sidecar for _, sidecar in self._entries() if sidecar.key.onnx == key.onnx]
        if not same:
            return ""
        newest = max(same, key=lambda sidecar: sidecar.built_at)
        changed = newest.key.machine.differences(key.machine) or ["the builder's settings"]
        return f"; since the last one these have changed: {', '.join(changed)}"

    def _evict(self, newest: Path) -> None:
        others = [(sidecar.built_at, folder) for folder, sidecar in self._entries() if folder != newest]
        for _, folder in sorted(others, reverse=True)[self._keep - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _check_private(folder: Path) -> None:
        for path in (folder.parent, folder):
            stat = path.stat()
            if stat.st_uid not in {0, os.geteuid()} or stat.st_mode & _OTHERS_MAY_WRITE:
                raise EngineInvalid(
                    f"others may write to {path}, and an engine is a program; "
                    f"give it to this user alone: chmod -R go-w {folder.parent}"
                )


def _read_sidecar(folder: Path) -> Sidecar:
    path = folder / SIDECAR_FILE
    try:
        with path.open("rb") as file:
            return Sidecar.model_validate_json(file.read(MAX_SIDECAR_BYTES))
    except (OSError, ValidationError) as error:
        raise EngineInvalid(f"the engine in {folder} has no usable {SIDECAR_FILE}: {error}; {REBUILD}") from error


def _name(model: BaseModel) -> str:
    return hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:32]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
