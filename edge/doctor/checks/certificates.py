"""When the device's certificates, and the root of its updates, cease to be valid."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from edge.clock import utc_now
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.doctor.tls import days_left, expiries, read_pem
from edge.settings import DeviceSettings

SOON_DAYS = 30
MAX_FILES = 64
PATTERNS = ("*.pem", "*.crt", "*/*.pem", "*/*.crt")
RENEW = "enrol the device anew, or ask the fleet's operator for a new certificate"
NEW_ROOT = "let the device reach its update repository, which brings a newer root; or: canopy update import"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Read every certificate that the configuration names, or that lies in the state directory."""
    found = [*_certificates(patient.settings, scribe), *_root(patient.settings, scribe)]
    yield from found or [scribe.skipped("the configuration names none")]


def judge(scribe: Scribe, end: datetime, mend: str) -> Finding:
    """Whether it is late for something that ends at ``end``."""
    left = days_left(end, utc_now())
    told = f"{'expired' if left < 0 else 'is valid until'} {end:%Y-%m-%d}"
    if left < 0:
        return scribe.fail(told, mend)
    return scribe.warn(f"{told}, {left:.0f} days from now", mend) if left < SOON_DAYS else scribe.ok(told)


def _certificates(settings: DeviceSettings, scribe: Scribe) -> Iterator[Finding]:
    folder = settings.state_dir
    beside = {path for pattern in PATTERNS for path in folder.glob(pattern)} if folder.is_dir() else set()
    for path in sorted({*_paths(settings), *beside})[:MAX_FILES]:
        about, pem = scribe.of(path.name), read_pem(path)
        if not pem:
            continue
        try:
            yield judge(about, min(expiries(pem)), RENEW)
        except ValueError as error:
            yield about.fail(f"{path} is damaged: {error}", RENEW)


def _paths(group: BaseModel) -> Iterator[Path]:
    """Every file that a group of settings names, wherever in it."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, Path):
            yield value
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                yield from _paths(part)


def _root(settings: DeviceSettings, scribe: Scribe) -> Iterator[Finding]:
    """The newest root that the device has, else the one that it was given."""
    if settings.update is None:
        return
    about = scribe.of("update root")
    kept = settings.state_dir / "update" / "metadata" / "root.json"
    path = kept if kept.is_file() else settings.update.root
    try:
        expires = json.loads(path.read_bytes()[:1_000_000])["signed"]["expires"]
        end = datetime.fromisoformat(expires.replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield about.fail(f"{path} cannot be read: {error}", "copy the fleet's 1.root.json there")
    else:
        yield judge(about, end, NEW_ROOT)
