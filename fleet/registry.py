"""The models that the fleet knows: registered from packages, named by aliases, and followed from data set to readings.

Aliases are as MLflow has them (``champion``, ``candidate``): a name that points to one version and is moved, one set of
them for each crop. A model's digest is that of its manifest, which vouches for every file of the package.
"""

import hashlib
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, func, select, update

from edge.contract.control import ModelRef
from edge.contract.manifest import MANIFEST_FILE, Manifest
from fleet import audit, schema, statements
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.rollouts.rollout import Standing

MAX_MANIFEST_BYTES = 1_000_000

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """What a package says of itself."""

    manifest: Manifest
    digest: str

    @property
    def ref(self) -> ModelRef:
        """Its name on the wire."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version, digest=self.digest)


def read_package(path: Path) -> Package:
    """Read the manifest of a package: a zip, or a folder. Nothing is unpacked.

    Raises:
        PlanError: it is none.
    """
    try:
        content = _manifest_of_folder(path) if path.is_dir() else _manifest_of_zip(path)
        if len(content) > MAX_MANIFEST_BYTES:
            raise PlanError(f"the manifest of {path} has more than {MAX_MANIFEST_BYTES} bytes; that is none")
        manifest = Manifest.model_validate_json(content)
    except (OSError, KeyError, RuntimeError, NotImplementedError, EOFError, ValueError, zipfile.BadZipFile) as error:
        said = "its manifest cannot be used" if isinstance(error, ValidationError) else str(error)
        raise PlanError(
            f"{path} is no model package: {said}; make one with canopy-export package and canopy-export pack"
        ) from error
    return Package(manifest, f"sha256:{hashlib.sha256(content).hexdigest()}")


def _manifest_of_folder(path: Path) -> bytes:
    with (path / MANIFEST_FILE).open("rb") as file:
        return file.read(MAX_MANIFEST_BYTES + 1)


def _manifest_of_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(MANIFEST_FILE) as file:
        return file.read(MAX_MANIFEST_BYTES + 1)


def register(connection: Connection, package: Package, who: str, hardware: Iterable[str] = ()) -> bool:
    """Add a model, or the hardware that there is a package of it for; whether anything is new.

    Raises:
        NotPossible: another model has this name and version.
    """
    table, ref = schema.models, package.ref
    here = (table.c.name == ref.name) & (table.c.version == ref.version)
    known = connection.execute(select(table).where(here).with_for_update()).one_or_none()
    if known is not None and known.digest != ref.digest:
        raise NotPossible(
            f"{ref.name} {ref.version} is {known.digest} already, not {ref.digest}; give it a new version"
        )
    merged = sorted({*(known.hardware or () if known else ()), *hardware})
    if known is not None and merged == (known.hardware or []):
        return False
    row = {"hardware": _names(merged)}
    if known is None:
        row |= {"name": ref.name, "version": ref.version, "digest": ref.digest}
        manifest, now = package.manifest.model_dump_json(by_alias=True), datetime.now(timezone.utc)
        connection.execute(table.insert().values(**row, manifest=manifest, added_at=now))
    else:
        connection.execute(update(table).where(here).values(**row))
    audit.record(connection, who, "model add", f"{ref.name} {ref.version}", ref.digest, hardware=merged)
    return True


def _names(names: list[str]) -> str | None:
    """As ready JSON text; names hold nothing that needs escaping."""
    return "[" + ",".join(f'"{name}"' for name in names) + "]" if names else None


def promote(connection: Connection, crop: str, alias: str, model: ModelRef, who: str) -> ModelRef | None:
    """Point an alias of a crop to a model; returns the one that it pointed to."""
    before = find_alias(connection, crop, alias)
    row = {
        "crop": crop,
        "alias": alias,
        "model_id": _row(connection, model.name, model.version)["id"],
        "set_at": datetime.now(timezone.utc),
    }
    statements.replace_rows(connection, schema.aliases, [row])
    was = f"{before.name} {before.version}" if before else None
    audit.record(
        connection, who, f"model promote {alias}", f"{crop}: {model.name} {model.version}", model.digest, was=was
    )
    return before


def find(connection: Connection, spoken: str) -> ModelRef:
    """The model that somebody means: ``rosette-1.2.0``, or ``tomato@champion`` for an alias of a crop.

    Raises:
        NotFound: there is none.
    """
    crop, at, alias = spoken.partition("@")
    if at:
        found = find_alias(connection, crop, alias)
        if found is None:
            raise NotFound(
                f"{crop} has no {alias}; set one with canopy-fleet model promote MODEL --alias {alias} --crop {crop}"
            )
        return found
    name, _, version = spoken.rpartition("-")
    return _ref(_row(connection, name, version, spoken))


def find_alias(connection: Connection, crop: str, alias: str) -> ModelRef | None:
    """The model that an alias of a crop points to."""
    table, models = schema.aliases, schema.models
    query = select(models).join_from(table, models).where(table.c.crop == crop, table.c.alias == alias)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _ref(row)


def hardware_of(connection: Connection, model: ModelRef) -> frozenset[str] | None:
    """The hardware that there is a package for; None if nobody said."""
    named = _row(connection, model.name, model.version)["hardware"]
    return None if named is None else frozenset(named)


def list_models(connection: Connection) -> list[Document]:
    """Every model, the newest first, with its aliases and the devices that run it now."""
    table = schema.models
    aliases, running = _aliases(connection), running_now(connection)
    return [
        {
            "name": row["name"],
            "version": row["version"],
            "digest": row["digest"],
            "added_at": row["added_at"],
            "aliases": aliases[row["id"]],
            "hardware": row["hardware"],
            "devices": len(running[row["digest"]]),
        }
        for row in connection.execute(select(table).order_by(table.c.added_at.desc(), table.c.id.desc())).mappings()
    ]


def show(connection: Connection, model: ModelRef) -> Document:
    """One model with its lineage: data set, run and commit, package, rollouts, devices, readings."""
    row = _row(connection, model.name, model.version)
    manifest = Manifest.model_validate(row["manifest"])
    return {
        "name": row["name"],
        "version": row["version"],
        "digest": row["digest"],
        "added_at": row["added_at"],
        "aliases": _aliases(connection)[row["id"]],
        "hardware": row["hardware"],
        "lineage": manifest.lineage.model_dump(mode="json"),
        "metrics": manifest.metrics,
        "rollouts": _rollouts_of(connection, model),
        "devices": sorted(running_now(connection)[row["digest"]]),
        "observations": _observations_of(connection, row["digest"]),
    }


def running_now(connection: Connection) -> dict[str, list[str]]:
    """Which devices say that they run which digest."""
    devices, reported = schema.devices, schema.reported
    query = select(devices.c.site, devices.c.device, reported.c.payload).join_from(devices, reported)
    found: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        if row.payload.get("active"):
            found[row.payload["active"]["digest"]].append(f"{row.site}/{row.device}")
    return found


def _rollouts_of(connection: Connection, model: ModelRef) -> list[Document]:
    table, members = schema.rollouts, schema.rollout_devices
    rows = connection.execute(select(table).order_by(table.c.created_at))
    found = []
    for row in rows:
        arms = [number for number, arm in enumerate(row.arms) if arm["model"]["digest"] == model.digest]
        if arms:
            reached = select(func.count()).where(
                members.c.rollout_id == row.id, members.c.arm.in_(arms), members.c.standing == Standing.SUCCEEDED.value
            )
            devices = connection.execute(reached).scalar_one()
            found.append({"id": row.id, "state": row.state, "created_at": row.created_at, "confirmed": devices})
    return found


def _observations_of(connection: Connection, digest: str) -> Document:
    """How many readings a digest made, on how many devices, from when to when."""
    table, streams, digests = schema.observations, schema.streams, schema.digests
    number = select(digests.c.id).where(digests.c.digest == digest).scalar_subquery()
    query = select(
        func.count().label("count"),
        func.count(func.distinct(streams.c.device_id)).label("devices"),
        func.min(table.c.captured_at).label("first_at"),
        func.max(table.c.captured_at).label("last_at"),
    ).join_from(table, streams)
    return dict(connection.execute(query.where(table.c.model_id == number)).mappings().one())


def _aliases(connection: Connection) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(schema.aliases).order_by(schema.aliases.c.crop, schema.aliases.c.alias)):
        found[row.model_id].append(f"{row.crop}@{row.alias}")
    return found


def _row(connection: Connection, name: str, version: str, spoken: str = "") -> Any:
    table = schema.models
    query = select(table).where(table.c.name == name, table.c.version == version)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(
            f"no model {spoken or f'{name}-{version}'} is registered; say NAME-VERSION or CROP@ALIAS "
            "(canopy-fleet model list), or register it with canopy-fleet model add"
        )
    return row


def _ref(row: Any) -> ModelRef:
    return ModelRef(name=row["name"], version=row["version"], digest=row["digest"])
