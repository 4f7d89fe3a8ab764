"""A configuration is taken as a whole or refused with the place that is wrong."""

from pathlib import Path

import pytest

from fleet.errors import ConfigError
from fleet.settings import load_settings

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("fleet*.yaml"))


def written(folder: Path, text: str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_loads(path: Path) -> None:
    settings = load_settings(path)
    assert settings.state_dir.is_absolute()
    assert settings.mqtt.protocol == ("3.1.1" if settings.mqtt.embedded else "5")


def test_there_are_shipped_files() -> None:
    assert {path.name for path in SHIPPED} >= {"fleet.yaml", "fleet-mosquitto.yaml"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("state_dir: s\nhttp: {prot: 80}", "http.prot"),
        ("mqtt: {port: 1883}", "state_dir"),
        ("state_dir: s\nmqtt: {port: 99999}", "mqtt.port"),
        ("state_dir: s\nmqtt: {host: 0.0.0.0}", "Mosquitto"),
        ("state_dir: s\nmqtt: {embedded: false, port: 0}", "port 0"),
        ("state_dir: s\nhttp: {host: 0.0.0.0}", "passwords would cross the network"),
        ("state_dir: s\nhttp: {host: 0.0.0.0, proxies: [everywhere]}", "http.proxies"),
        ("state_dir: s\nhttp: {commands: true}", "http.commands"),
        ("[1, 2", "not YAML"),
        ("[" * 3000, "not YAML"),
        ("just text", "mapping"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_settings(written(tmp_path, text))


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        load_settings(tmp_path / "nowhere.yaml")


def test_secrets_come_from_the_environment_and_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_MQTT_USERNAME", "fleet")
    monkeypatch.setenv("CANOPY_MQTT_PASSWORD", "s3cret")
    path = written(tmp_path, "state_dir: s\nmqtt: {embedded: false}")
    settings = load_settings(path)
    assert settings.mqtt.password
    assert (settings.mqtt.username, settings.mqtt.password.get_secret_value()) == ("fleet", "s3cret")
    assert "s3cret" not in repr(settings)
    with pytest.raises(ConfigError) as failure:
        load_settings(written(tmp_path, "state_dir: s\nmqtt: {embedded: false, nonsense: 1}"))
    assert "s3cret" not in str(failure.value)
