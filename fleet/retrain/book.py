"""The retrainings of the fleet in the store: opened for a reason, judged, rolled out or dropped.

Each step stands in the audit log, in the same transaction.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, time, timezone
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from edge.contract.comparison import Comparison
from edge.contract.control import ModelRef
from fleet import audit, registry, schema
from fleet.drift.cause import CameraName
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.retrain.gate import Finding, judge, passes
from fleet.retrain.reason import Reason
from fleet.retrain.settings import GateSettings

_table = schema.retrainings.c


class Stage(str, Enum):
    """How far a retraining is."""

    PROPOSED = "proposed"
    REFUSED = "refused"
    PASSED = "passed"
    ROLLED_OUT = "rolled_out"
    DROPPED = "dropped"


OPEN = frozenset({Stage.PROPOSED, Stage.REFUSED, Stage.PASSED})


@dataclass(frozen=True, slots=True)
class Retraining:
    """One of them. ``cameras`` are those that have changed ``since``; ``findings`` what the gate last said."""

    name: str
    stage: Stage
    champion: ModelRef
    why: str
    cameras: tuple[CameraName, ...]
    since: datetime
    opened_at: datetime
    candidate: ModelRef | None
    findings: tuple[Finding, ...]
    rollout: str | None

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        told = asdict(self) | {"stage": self.stage.value, "cameras": ["/".join(camera) for camera in self.cameras]}
        models = {"champion": self.champion.model_dump(), "candidate": self.candidate and self.candidate.model_dump()}
        return told | models


def propose(connection: Connection, reason: Reason, who: str, now: datetime) -> Retraining:
    """Open a retraining.

    Raises:
        NotFound: the model is not registered.
        NotPossible: one of it is open already.
    """
    champion = registry.find_digest(connection, reason.model)
    same = [each for each in listed(connection) if each.stage in OPEN and each.champion.digest == champion.digest]
    if same:
        raise NotPossible(
            f"{same[0].name} is open for {champion.name} {champion.version}; go on with it, or end it with "
            f"canopy-fleet retrain drop {same[0].name}"
        )
    name = _free_name(connection, f"{champion.name}-{champion.version}-{now:%Y%m%d}")
    connection.execute(
        insert(schema.retrainings).values(
            name=name, state=Stage.PROPOSED.value, champion=champion.model_dump_json(), why=reason.why,
            cameras=json.dumps(reason.cameras), since=datetime.combine(reason.since, time(), timezone.utc),
            opened_at=now, changed_at=now,
        )
    )  # fmt: skip
    audit.record(connection, who, "retrain propose", name, champion.digest, why=reason.why)
    return read(connection, name)


def read(connection: Connection, name: str) -> Retraining:
    """One by its name.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(schema.retrainings).where(_table.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"there is no retraining {name}; canopy-fleet retrain list shows all")
    return _of(row)


def listed(connection: Connection) -> list[Retraining]:
    """All, the newest first."""
    rows = connection.execute(select(schema.retrainings).order_by(_table.opened_at.desc(), _table.name.desc()))
    return [_of(row) for row in rows]


def file_judgement(
    connection: Connection,
    retraining: Retraining,
    comparison: Comparison,
    package: registry.Package,
    sites: Sequence[str],
    asked: GateSettings,
    who: str,
) -> Retraining:
    """Judge a candidate, register it, and write down what was found, whether it passes or not.

    Raises:
        NotPossible: the retraining has ended.
        PlanError: the comparison is of other models.
    """
    _refuse_ended(retraining)
    if comparison.champion.digest != retraining.champion.digest or comparison.candidate != package.ref:
        raise PlanError(
            f"the comparison is of {_named(comparison.champion)} and {_named(comparison.candidate)}, not of "
            f"{_named(retraining.champion)} and {_named(package.ref)}; make one of these with canopy-export compare"
        )
    if package.ref.digest == retraining.champion.digest:
        raise PlanError(f"{_named(package.ref)} is the champion itself; name the package that was trained anew")
    findings = judge(comparison, sites, asked)
    stage = Stage.PASSED if passes(findings) else Stage.REFUSED
    registry.register(connection, package, who)
    content, told = comparison.encode().decode(), json.dumps([asdict(finding) for finding in findings])
    _change(
        connection, retraining.name, state=stage.value, candidate=package.ref.model_dump_json(),
        candidate_digest=package.ref.digest, comparison=content, findings=told,
    )  # fmt: skip
    audit.record(
        connection, who, f"retrain {stage.value}", retraining.name, package.ref.digest,
        comparison=f"sha256:{hashlib.sha256(content.encode()).hexdigest()}",
        against=[f"{each.slice}: {each.says}" for each in findings if not each.ok][:20],
    )  # fmt: skip
    return read(connection, retraining.name)


def note_rollout(connection: Connection, retraining: Retraining, rollout: str, who: str) -> None:
    """Its candidate goes to the devices."""
    _change(connection, retraining.name, state=Stage.ROLLED_OUT.value, rollout_id=rollout)
    digest = retraining.candidate.digest if retraining.candidate else None
    audit.record(connection, who, "retrain roll-out", retraining.name, digest, rollout=rollout)


def drop(connection: Connection, name: str, who: str, why: str) -> None:
    """End one without a rollout.

    Raises:
        NotFound: there is none.
        NotPossible: it has ended.
    """
    retraining = read(connection, name)
    _refuse_ended(retraining)
    _change(connection, name, state=Stage.DROPPED.value)
    audit.record(connection, who, "retrain drop", name, why=why)


def refuse_refused(connection: Connection, models: Sequence[ModelRef]) -> None:
    """Let no model go out that the gate has refused.

    Raises:
        NotPossible: it has.
    """
    for model in models:
        rows = connection.execute(select(schema.retrainings).where(_table.candidate_digest == model.digest)).all()
        judged = [_of(row) for row in rows]
        if judged and not any(each.stage in {Stage.PASSED, Stage.ROLLED_OUT} for each in judged):
            raise NotPossible(
                f"the gate has refused {_named(model)}; canopy-fleet retrain show {judged[0].name} says why. Train "
                "it on more frames"
            )


def _refuse_ended(retraining: Retraining) -> None:
    if retraining.stage not in OPEN:
        raise NotPossible(f"{retraining.name} is {retraining.stage.value.replace('_', ' ')}; propose another")


def _change(connection: Connection, name: str, **values: Any) -> None:
    now = datetime.now(timezone.utc)
    connection.execute(update(schema.retrainings).where(_table.name == name).values(changed_at=now, **values))


def _free_name(connection: Connection, wanted: str) -> str:
    taken = set(connection.execute(select(_table.name)).scalars())
    names = (wanted[:60] if number == 1 else f"{wanted[:60]}.{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _named(model: ModelRef) -> str:
    return f"{model.name} {model.version} ({model.digest[7:19]})"


def _of(row: Row[Any]) -> Retraining:
    return Retraining(
        name=row.name, stage=Stage(row.state), champion=ModelRef.model_validate(row.champion), why=row.why,
        cameras=tuple((site, device, camera) for site, device, camera in row.cameras), since=row.since,
        opened_at=row.opened_at, candidate=ModelRef.model_validate(row.candidate) if row.candidate else None,
        findings=tuple(Finding(**each) for each in row.findings or ()), rollout=row.rollout_id,
    )  # fmt: skip
