"""From labelled frames to a rollout: divide, train, package, compare, judge, publish, roll out.

Steps that take hours hold no transaction. What a step made stays when a later one fails; the next try goes on with the
training where it was.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError
from sqlalchemy import Connection

from edge.contract.comparison import MAX_FILE_BYTES, Comparison
from edge.contract.control import ModelRef
from edge.contract.reference import REFERENCE_FILE, Reference
from fleet import audit, registry
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.frames import dataset
from fleet.repository import ceremony
from fleet.repository.folder import RepositoryFolder
from fleet.repository.package import read_package
from fleet.repository.publish import offered, publish
from fleet.retrain import book
from fleet.retrain.book import Retraining, Stage
from fleet.retrain.frames import selection, taken
from fleet.retrain.settings import RetrainSettings
from fleet.retrain.split import FIT, divided, read_labels, write_parts
from fleet.retrain.workshop import Workshop
from fleet.rollouts import commands, options
from fleet.rollouts.plan import Plan, load_plan, make_plan
from fleet.settings import FleetSettings
from fleet.store import Store
from fleet.updates import offered as hardware_of

WAVES = "5,25,100"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A candidate: its package's zip, and what it measured beside the champion."""

    zip: Path
    comparison: Path


def run(
    store: Store,
    settings: FleetSettings,
    name: str,
    labels: Path,
    who: str,
    say: Say,
    stopping: threading.Event | None = None,
) -> Retraining:
    """Everything, from labels to a rollout; it ends where the gate stays shut.

    Raises:
        FleetError: a step cannot be done; each says which and why.
    """
    made = make_candidate(store, settings, name, labels, who, say, stopping)
    judged = judge(store, settings, name, made.comparison, made.zip, who)
    say(f"the gate {'is open' if judged.stage is Stage.PASSED else 'stays shut'}")
    if judged.stage is Stage.PASSED:
        publish_candidate(store, settings, judged, made.zip, who)
        say(f"published; the rollout is {roll_out(store, settings, name, who)}")
    with store.reading() as connection:
        return book.read(connection, name)


def make_candidate(
    store: Store,
    settings: FleetSettings,
    name: str,
    labels: Path,
    who: str,
    say: Say,
    stopping: threading.Event | None = None,
) -> Made:
    """Train on the labelled frames, package, and measure beside the champion.

    The same labels go on with the training where it was; others begin one of their own.

    Raises:
        NotPossible: the service is not told how to train.
        PlanError: the labels cannot be used.
        NotFound: the champion is not published, so its package is not here.
        RetrainingFailed: training, packaging or measuring did not end well.
    """
    retraining = settings.retrain
    if retraining.fit is None:
        raise NotPossible("retrain.fit is not set: name a training configuration, as configs/training/finetune.yaml")
    with store.reading() as connection:
        case = book.read(connection, name)
        frames = taken(connection, case, retraining.history_days)
        version = registry.next_version(connection, case.champion)
    document = read_labels(labels)
    parts = write_parts(divided(document, frames, case.cameras, case.since), labels.parent)
    work = settings.retrain_folder / name
    work.mkdir(parents=True, exist_ok=True)
    shop, champion = Workshop(work, stopping), work / "champion"
    shop.run("canopy-export", "unpack", package_of(_repository(settings), case.champion), champion)
    labelled = hashlib.sha256(labels.read_bytes()).hexdigest()
    run_folder = work / f"run-{labelled[:12]}"
    with store.writing() as connection:
        audit.record(connection, who, "retrain train", name, case.champion.digest, labels=f"sha256:{labelled}")
    say(f"training on {len(document['images'])} labelled frames; {work / 'log'} tells how it goes")
    course = ("--run", run_folder, "--init", champion, "--config", retraining.fit)
    if _has_scenes(retraining.fit):
        shop.run("canopy-train", "render", *course)
    shop.run("canopy-train", "fit", *course, "--data", parts[FIT])
    made = Made(work / f"{case.champion.name}-{version}.zip", work / "comparison.json")
    candidate, network = work / "candidate", run_folder / "network.safetensors"
    shop.run("canopy-export", "package", network, candidate, "--version", version, "--data", parts[FIT])
    if _tells_errors(champion):  # devices that estimate how far counts may be off go on doing so
        shop.run("canopy-train", "count-errors", candidate)
    shop.run("canopy-export", "pack", candidate, made.zip)
    slices = [f"{part}={place}" for part, place in parts.items() if part != FIT]
    bench = ("--benchmark", retraining.benchmark) if retraining.benchmark else ()
    named = [word for part in slices for word in ("--slice", part)]
    shop.run("canopy-export", "compare", champion, candidate, "--out", made.comparison, *named, *bench)
    return made


def judge(store: Store, settings: FleetSettings, name: str, comparison: Path, package: Path, who: str) -> Retraining:
    """Hold a candidate against what the gate asks, and write the judgement down.

    Raises:
        PlanError: the comparison cannot be read, or is of other models.
        NotPossible: the retraining has ended.
    """
    measured, found = read_comparison(comparison), registry.read_package(package)
    with store.writing() as connection:
        case = book.read(connection, name)
        sites = _sites(connection, case, settings.retrain)
        return book.file_judgement(connection, case, measured, found, sites, settings.retrain.gate, who)


def publish_candidate(store: Store, settings: FleetSettings, case: Retraining, package: Path, who: str) -> None:
    """Offer the candidate for the hardware that the champion is offered for.

    Raises:
        RepositoryError: it cannot be signed or written.
    """
    repository = _repository(settings)
    read, keys = read_package(package), ceremony.named_keys(settings.retrain.keys)
    with repository.locked():
        ring = ceremony.ring_of(repository, keys)
        wanted = sorted(hardware_of(repository.path).get(case.champion.digest, frozenset()))
        for hardware in wanted:
            publish(repository, read, hardware, ring, ceremony.now())
    with store.writing() as connection:
        audit.record(connection, who, "retrain publish", case.name, read.model.digest, hardware=wanted)


def roll_out(store: Store, settings: FleetSettings, name: str, who: str) -> str:
    """Begin the rollout of a candidate that has passed; its name.

    Raises:
        NotPossible: it has not passed, or is not published for any device.
    """
    published = hardware_of(_repository(settings).path)
    plan = _plan(settings.retrain).model_copy(update={"may_disagree": True})  # it mends what the champion gets wrong
    with store.writing() as connection:
        case = book.read(connection, name)
        if case.stage is not Stage.PASSED or case.candidate is None:
            raise NotPossible(f"{name} is {case.stage.value.replace('_', ' ')}; only what the gate has passed goes out")
        rollout = commands.create(connection, [case.candidate], plan, who, published=published)
        book.note_rollout(connection, case, rollout.id, who)
    return rollout.id


def package_of(repository: RepositoryFolder, model: ModelRef) -> Path:
    """The zip of a published model.

    Raises:
        NotFound: it is not published.
    """
    for path, release in offered(repository).items():
        role = repository.delegated(release.hardware)
        if release.model.digest == model.digest and role is not None:
            return repository.targets / role.signed.targets[path].get_prefixed_paths()[0]
    raise NotFound(
        f"{model.name} {model.version} is not published in {repository.path}: publish its package, or train by hand "
        "and bring the candidate with canopy-fleet retrain judge"
    )


def read_comparison(path: Path) -> Comparison:
    """What canopy-export compare wrote.

    Raises:
        PlanError: it is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise PlanError(f"{path} has more than {MAX_FILE_BYTES} bytes; that is no comparison")
        return Comparison.model_validate_json(content)
    except (OSError, ValidationError) as error:
        raise PlanError(f"{path} is no comparison: {error!s:.300}; make one with canopy-export compare") from error


def _tells_errors(package: Path) -> bool:
    """Whether a package says how far its counts may be off."""
    reference = package / REFERENCE_FILE
    return reference.is_file() and bool(Reference.model_validate_json(reference.read_bytes()).count_errors)


def _has_scenes(config: Path) -> bool:
    """Whether a training configuration asks for rendered scenes beside the frames."""
    try:
        held = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PlanError(f"retrain.fit: {config} cannot be read: {error}") from error
    return isinstance(held, dict) and bool(held.get("scenes"))


def _sites(connection: Connection, case: Retraining, settings: RetrainSettings) -> list[str]:
    """Those with frames of the retraining."""
    return sorted({row.site for row in dataset.selected(connection, selection(case, settings.history_days))})


def _repository(settings: FleetSettings) -> RepositoryFolder:
    if settings.updates.repository is None:
        raise NotPossible("updates.repository is not set: without it nothing can be published; see docs/updates.md")
    return RepositoryFolder(settings.updates.repository)


def _plan(settings: RetrainSettings) -> Plan:
    if settings.plan is not None:
        return load_plan(settings.plan)
    return make_plan({"waves": options.waves(WAVES, [], "1h", 3, 95.0, 10.0)}, "the retraining's plan")
