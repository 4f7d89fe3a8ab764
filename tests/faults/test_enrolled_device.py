"""The whole way of a device as its operator and its technician walk it: real commands, real TLS, a real Mosquitto."""

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update
from typer.testing import CliRunner

from edge.clock import utc_now
from fleet import schema
from fleet.ca.folder import CaFolder
from fleet.cli import app as fleet_command
from fleet.store import Store
from tests.sim.authority import PASSPHRASE, SecureMosquitto
from tests.sim.mosquitto import require_mosquitto
from tests.sim.spine import (
    CAMERA,
    DEVICE,
    PLOTS,
    SITE,
    STARTS_WITHIN_S,
    Command,
    Device,
    Fleet,
    assert_everything_arrived_once,
    wait_for,
)

NAME = f"{SITE}/{DEVICE}"
RUN = CliRunner()


class SecureFleet(Fleet):
    """``canopy-fleet serve`` over TLS, towards a broker over TLS."""

    def start(self) -> None:
        self.ready.unlink(missing_ok=True)
        Command.start(self)
        wait_for(self.ready.exists, STARTS_WITHIN_S, lambda: self.log)

    def configure(self, broker_port: int, **ca: Any) -> None:
        server = CaFolder(self.folder / "state" / "ca").path / "server"
        tree = {
            "state_dir": "state",
            "mqtt": {"embedded": False, "host": "localhost", "port": broker_port, "tls": {}},
            "http": {"port": 0, "tls": {"certificate": f"{server}/localhost.pem", "key": f"{server}/localhost.key"}},
            "ca": ca,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "fleet.yaml").write_text(yaml.safe_dump(tree))

    def command(self, *words: str, stdin: str = "") -> str:
        """What a command of the operator prints."""
        done = RUN.invoke(fleet_command, [*words, "--config", str(self.folder / "fleet.yaml")], input=stdin)
        assert done.exit_code == 0, done.output
        return done.stdout

    def token(self) -> str:
        return str(json.loads(self.command("device", "enroll-token", NAME, "--json"))["token"])

    @property
    def url(self) -> str:
        return f"https://localhost:{json.loads(self.ready.read_text())['http_port']}"


class Site:
    """A fleet service, its broker and one device, each with its files below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.fleet = SecureFleet(folder / "fleet", 1)
        self.fleet.configure(1)
        self.authority = CaFolder(folder / "fleet" / "state" / "ca")
        self.fleet.command("ca", "init")
        self.fleet.command("ca", "server", "localhost")
        server = self.authority.path / "server"
        self.broker = SecureMosquitto(
            folder / "mosquitto", self.authority, server / "localhost.pem", server / "localhost.key"
        )
        self.broker.start()
        self.fleet.configure(self.broker.port)
        self.fleet.mqtt_port = self.broker.port
        mqtt = {"host": "localhost", "tls": {}}
        self.device = Device(folder / "device", self.broker.port, mqtt=mqtt, camera={"interval_s": 0.25})
        self.config = folder / "device" / "device.yaml"

    @property
    def identity(self) -> Path:
        return self.device.state / "identity"

    def canopy(self, *words: str) -> tuple[int, str]:
        """Exit code of a command of the technician, and what it said in the end."""
        if not self.config.exists():
            self.config.write_text(yaml.safe_dump(_device(self.broker.port)))
        command = Command(self.config.parent / "by-hand", "edge", *words, "--config", str(self.config))
        command.start()
        code, output = command.wait(60)
        return code, output + command.log.strip()

    def enrol(self, token: str) -> tuple[int, str]:
        return self.canopy("enroll", "--fleet", self.fleet.url, "--token", token)

    def close(self) -> None:
        for command in (self.device, self.fleet):
            command.close()
        self.broker.stop()


def _device(port: int) -> dict[str, Any]:
    camera = {"name": CAMERA, "source": {"kind": "folder", "path": "pictures"}, "plots": PLOTS}
    mqtt = {"host": "localhost", "port": port, "tls": {}}
    package = {"package": "package"}
    return {
        "site": SITE, "device": DEVICE, "state_dir": "state", "inference": package, "cameras": [camera], "mqtt": mqtt,
    }  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    require_mosquitto()
    monkeypatch.setenv("CANOPY_CA_PASSPHRASE", PASSPHRASE)
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_device_enrols_delivers_renews_and_is_revoked(site: Site) -> None:
    site.fleet.start()
    code, said = site.canopy("identity")
    assert (code, "canopy enroll --fleet URL" in said) == (9, True)

    token = site.fleet.token()
    code, said = site.enrol(token)
    assert code == 0, said
    key = site.identity / "device.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(site.identity.stat().st_mode) == 0o700
    before = key.read_bytes()

    shutil.rmtree(site.identity)
    code, said = site.enrol(token)
    assert (code, "works once" in said) == (9, True), "another key cannot use the token again"
    _put(key, before, site)

    # A certificate whose end is near: the daemon renews it at its start, with a new key, while it delivers.
    first = _renewed_early(site)
    site.device.start()
    wait_for(lambda: key.read_bytes() != first, 30, lambda: site.device.log)
    serial = _certificates(site)[0]["serial"]
    _revoke_the_older(site, serial)
    known = site.device.watermark
    site.broker.restart()
    wait_for(lambda: site.device.watermark > known, 30, lambda: site.device.log)
    site.device.stop()
    site.device.run_to_end()
    assert_everything_arrived_once(site.device, site.fleet)

    site.fleet.command("device", "revoke", NAME, "--reason", "stolen")
    site.broker.reload()
    site.device.start()
    wait_for(lambda: "was revoked: ask the operator why" in site.device.log, 30, lambda: site.device.log)
    site.device.stop()
    code, said = site.enrol(site.fleet.token())
    assert code == 0, said
    site.device.run_to_end()
    assert_everything_arrived_once(site.device, site.fleet)
    actions = [entry["action"] for entry in json.loads(site.fleet.command("audit", "list", "--json"))]
    for action in ("device enroll-token", "device enroll", "device renew", "device revoke"):
        assert action in actions


def _put(key: Path, content: bytes, site: Site) -> None:
    """Back to the first certificate, as if the second try had never been made."""
    site.identity.mkdir(mode=0o700, exist_ok=True)
    key.write_bytes(content)
    key.chmod(0o600)
    shutil.copy(site.authority.ca, site.identity / "ca.pem")
    (site.identity / "fleet").write_text(site.fleet.url)


def _renewed_early(site: Site) -> bytes:
    """Enrol anew with a certificate of a minute, from a service that gives longer ones again afterwards."""
    site.fleet.stop()
    site.fleet.configure(site.broker.port, certificate_days=60 / 86_400)
    site.fleet.start()
    code, said = site.enrol(site.fleet.token())
    assert code == 0, said
    port = json.loads(site.fleet.ready.read_text())["http_port"]
    site.fleet.stop()
    site.fleet.configure(site.broker.port)
    text = (site.fleet.folder / "fleet.yaml").read_text().replace("port: 0", f"port: {port}")
    (site.fleet.folder / "fleet.yaml").write_text(text)
    site.fleet.start()
    return (site.identity / "device.pem").read_bytes()


def _certificates(site: Site) -> list[dict[str, Any]]:
    return list(json.loads(site.fleet.command("device", "certificates", "--json")))


def _revoke_the_older(site: Site, newest: str) -> None:
    """So that only the renewed certificate still opens the broker, as after the older one's end."""
    store = Store(f"sqlite:///{site.fleet.folder / 'state' / 'fleet.sqlite'}")
    older = schema.certificates.c.serial != newest
    with store.writing() as connection:
        changed = connection.execute(update(schema.certificates).where(older).values(revoked_at=utc_now()))
        assert changed.rowcount == 2
    store.close()
    site.fleet.command("ca", "crl")
