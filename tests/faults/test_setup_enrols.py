"""A setup that enrols the device at a real fleet service and tries the broker with the certificate that it got."""

from pathlib import Path

from typer.testing import CliRunner

from edge.cli import app
from edge.settings import load_settings
from tests.faults import test_enrolled_device
from tests.sim.green_model import build_green_package
from tests.sim.spine import DEVICE, SITE, draw_pictures

site = test_enrolled_device.site

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


def test_the_certificate_is_fetched_and_the_broker_answers_to_it(site, tmp_path: Path) -> None:
    site.fleet.start()
    build_green_package(tmp_path / "package")
    draw_pictures(tmp_path / "pictures", 2)
    config = tmp_path / "fresh" / "device.yaml"
    words = {
        "config": config,
        "state-dir": tmp_path / "fresh" / "state",
        "camera": tmp_path / "pictures",
        "model": tmp_path / "package",
        "site": SITE,
        "device": DEVICE,
        "fleet": site.fleet.url,
        "token": site.fleet.token(),
        "broker": f"localhost:{site.broker.port}",
    }
    given = [str(part) for name, value in words.items() for part in (f"--{name}", value)]
    done = RUN.invoke(app, ["setup", "--yes", *given])
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "has a certificate of" in done.stdout
    assert "answers by MQTT 5" in done.stdout
    settings = load_settings(config)
    assert settings.mqtt is not None
    assert settings.mqtt.tls is not None
    assert words["token"] not in config.read_text()
