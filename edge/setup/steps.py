"""The steps of a setup, one after the other, as a technician goes through them."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError

from edge.aim import advice, aim
from edge.config_file import replace as replace_file
from edge.contract.message import Name
from edge.disk import write_whole
from edge.errors import ConfigError, DeliveryError
from edge.frame import Frame
from edge.lookout import View
from edge.model import LoadedModel
from edge.overlay import jpeg, overlay
from edge.package import ModelPackage
from edge.settings import (
    CameraSettings,
    DeviceSettings,
    InferenceSettings,
    MqttSettings,
    Settings,
    checked,
    settings_of,
)
from edge.setup import find
from edge.setup.broker import NONE, anchored, broker_of, tried
from edge.setup.identity import enrolled
from edge.setup.plots import FOUND, WHOLE, counted, looked_at, plots_of, proposed
from edge.setup.questions import Questions
from edge.setup.screen import show_picture, step
from edge.setup.write import Plan, written

PICTURE = "setup.jpg"
TLS_PORT = 8883


class _Named(Settings):
    name: Name


@dataclass(frozen=True)
class Places:
    """Where the configuration is to lie, and the device's state; ``token`` enrols the device, once."""

    config: Path
    state_dir: Path
    token: str | None = None


def plan(questions: Questions, places: Places) -> Plan:
    """Ask and try everything that the configuration needs.

    Raises:
        CanopyError: something cannot be used, and nobody is there to say otherwise.
    """
    step(1, "the camera")
    name = questions.ask("name", "Name of the camera", "top", _name)
    source, frame = _camera(questions, name)
    step(2, "the model")
    package = _model(questions, places)
    step(3, "the plots")
    plots = _plots(questions, places, frame, package, name, source)
    interval_s = questions.ask(
        "interval", "Seconds between pictures (0: every picture, one a second at most)", "600", _interval
    )
    step(4, "the place, and the fleet")
    site = questions.ask("site", "Name of the site (greenhouse)", None, _name)
    device = questions.ask("device", "Name of this device", find.name_of_machine(), _name)
    fleet = _fleet(questions, places, site, device)
    mqtt = _broker(questions, places, site, device, fleet)
    return Plan(site, device, places.state_dir, package, name, source, interval_s, plots, mqtt)


def write(chosen: Plan, places: Places) -> DeviceSettings:
    """Write the configuration, if it is right as a whole.

    Raises:
        ConfigError: it is not, or it cannot be written.
    """
    text = written(chosen)
    settings = settings_of(text, places.config)
    replace_file(places.config, text)
    places.config.chmod(0o640)
    return settings


def _camera(questions: Questions, name: str) -> tuple[dict[str, Any], Frame]:
    known = find.cameras()
    for each in known:
        typer.echo(f"  found {each}")
    if not known:
        typer.echo("  no USB camera is plugged in; a network camera has an address, rtsp://…")
    proposed_camera = known[0] if known else None
    while True:
        source, frame = questions.ask(
            "camera",
            "Camera (device, rtsp://…, folder or video)",
            proposed_camera,
            lambda words: find.probe(name, words),
        )
        found = aim(frame.pixels)
        show_picture(frame.pixels)
        typer.echo(
            f"  {found.width_px} x {found.height_px} px, focus score {found.focus:.1f}, median {found.median:.0f}"
        )
        told = advice(found, 0.0)
        for each in told:
            typer.secho(f"  {each}", fg="yellow")
        if questions.confirm("Is this the picture that it shall measure?"):
            return source, frame
        typer.echo("  turn the camera, or its ring; canopy aim shows it live. Then answer again")
        proposed_camera = questions.forget("camera")


def _model(questions: Questions, places: Places) -> Path:
    known = find.packages(Path.cwd() / "packages", places.config.parent / "packages")
    for each in known:
        manifest = ModelPackage.open(each).manifest
        typer.echo(f"  {manifest.name} {manifest.version}: counts {', '.join(thing.name for thing in manifest.things)}")
        typer.echo(f"    {each}")
    return questions.ask("model", "Model package", str(known[0]) if known else None, _package)


def _package(words: str) -> Path:
    path = Path(words).expanduser().resolve()
    manifest = ModelPackage.open(path).manifest
    typer.echo(f"  {manifest.name} {manifest.version} is whole")
    return path


def _plots(
    questions: Questions, places: Places, frame: Frame, package: Path, name: str, source: dict[str, Any]
) -> dict[str, Any] | None:
    """Ask for plots until the picture with them is right."""
    model = LoadedModel.load(package, InferenceSettings(package=package))
    try:
        found = proposed(frame, model)
        if found is not None:
            typer.echo(f"  pots were found by their plants: answer {FOUND} to see them")
        while True:
            words = f"Plots (ROWSxCOLUMNS, {WHOLE}{f', {FOUND}' if found else ''})"
            plots, view = questions.ask(
                "plots",
                words,
                FOUND if found else WHOLE,
                lambda answer: _with_view(plots_of(answer, found), frame, model, name, source),
            )
            drawn = overlay(view)
            show_picture(drawn)
            typer.echo(f"  {counted(view)}")
            _keep_picture(places, jpeg(drawn))
            if questions.confirm("Do the plots lie right?"):
                return plots
            questions.forget("plots")
    finally:
        model.backend.close()


def _with_view(
    plots: dict[str, Any] | None, frame: Frame, model: LoadedModel, name: str, source: dict[str, Any]
) -> tuple[dict[str, Any] | None, View]:
    camera = checked(CameraSettings, {"name": name, "source": source, "plots": plots}, "the plots")
    return plots, looked_at(replace(frame, camera_id=name), model, camera)


def _keep_picture(places: Places, content: bytes) -> None:
    try:
        places.state_dir.mkdir(parents=True, exist_ok=True)
        write_whole(places.state_dir / PICTURE, content)
    except OSError as error:
        raise ConfigError(f"cannot write to {places.state_dir}: {error}; use sudo, or name a --state-dir") from error
    typer.echo(f"  the picture is in {places.state_dir / PICTURE}")


def _fleet(questions: Questions, places: Places, site: str, device: str) -> str | None:
    """The fleet service that knows this device; it is enrolled there if a token is at hand."""

    def use(words: str) -> str | None:
        wanted = words.strip().lower() not in {NONE, ""}
        token = places.token or (questions.secret("Token of canopy-fleet device enroll-token") if wanted else None)
        return enrolled(places.state_dir, site, device, words, token)

    known = questions.ask("fleet", f"Fleet service to enrol with (https://…, or {NONE})", NONE, use)
    if known:
        typer.secho(f"  this device has a certificate of {known}", fg="green")
    return known


def _broker(questions: Questions, places: Places, site: str, device: str, fleet: str | None) -> dict[str, Any] | None:
    """The broker, tried at once; kept although it does not answer if the technician says so."""
    secured: dict[str, Any] = {"tls": {}} if fleet else {}
    proposed_broker = f"{urlsplit(fleet).hostname}:{TLS_PORT}" if fleet else NONE
    while True:
        wanted = questions.ask(
            "broker", f"Broker (HOST[:PORT], or {NONE})", proposed_broker, lambda words: broker_of(words, secured)
        )
        if wanted is None:
            typer.echo("  results stay on this device; canopy buffer export writes them as CSV")
            return None
        try:
            reached = tried(anchored(wanted, places.state_dir), site, device)
        except DeliveryError as error:
            typer.secho(f"  {error}", fg="yellow")
            if questions.confirm("Keep it? Results wait on the disk until it answers"):
                return _values(wanted) | secured
            questions.forget("broker")
            continue
        typer.secho(f"  {reached.host}:{reached.port} answers by MQTT {reached.protocol}", fg="green")
        return _values(reached) | secured


def _values(mqtt: MqttSettings) -> dict[str, Any]:
    return {"host": mqtt.host, "port": mqtt.port, "protocol": mqtt.protocol}


def _name(words: str) -> str:
    try:
        return _Named(name=words.strip()).name
    except ValidationError as error:
        raise ConfigError(
            f"{words!r} is no name: letters, digits, - _ and . without spaces, 64 at most, such as greenhouse-1"
        ) from error


def _interval(words: str) -> float | None:
    try:
        seconds = float(words)
    except ValueError as error:
        raise ConfigError(f"{words!r} is no number of seconds") from error
    if not (math.isfinite(seconds) and 0 <= seconds <= 86_400):
        raise ConfigError(f"{words} s: 0 to 86400 are allowed")
    return seconds or None
