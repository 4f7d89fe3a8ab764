"""What Prometheus reads of a device: every figure of the last status, from a real daemon, and to nobody unasked."""

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from edge.clock import utc_now
from edge.contract.messages import Health, Tally
from edge.daemon import Daemon
from edge.metrics import MetricsServer
from edge.settings import DeviceSettings, MetricsSettings
from edge.status import CameraStatus, Status
from tests.sim.green_model import build_green_package
from tests.sim.mosquitto import free_port
from tests.sim.pictures import draw_pictures
from tests.sim.waiting import wait_for

STATUS = Status(
    pid=7, started_at=utc_now(), site="gh", device="cam", model="rosette 0.4.0", connected=False,
    cameras={"top": CameraStatus(connected=True, outages=2)}, peak_rss_bytes=1,
    health=Health(
        at=utc_now(), boot_id="b", epoch="a" * 32, last_seq=9, watermark=4, outbox_bytes=17, rss_bytes=100,
        frames={"top": Tally(captured=6, processed=3, dropped=2, failed=1)}, step_p50_ms=12.5, fps={"top": 1.5},
        temperatures_c={"tj-thermal": 61.0}, clocks_mhz={"gpu": 624.75}, relief="half the pictures",
    ),
)  # fmt: skip


@pytest.fixture
def served() -> Iterator[MetricsServer]:
    server = MetricsServer(MetricsSettings(port=0), lambda: STATUS)
    yield server
    server.stop()


def scrape(port: int | None) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, as a strict reader of OpenMetrics finds it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for each in families
        for sample in each.samples
    }


def test_every_figure_of_the_status_is_there_under_its_unit(served: MetricsServer) -> None:
    found = scrape(served.port)
    expected = {
        ("canopy_pictures_total", (("camera", "top"), ("outcome", "dropped"))): 2,
        ("canopy_camera_connected", (("camera", "top"),)): 1,
        ("canopy_camera_outages_total", (("camera", "top"),)): 2,
        ("canopy_camera_fps", (("camera", "top"),)): 1.5,
        ("canopy_step_seconds", (("quantile", "0.5"),)): 0.0125,
        ("canopy_records_total", ()): 9,
        ("canopy_delivered_total", ()): 4,
        ("canopy_broker_connected", ()): 0,
        ("canopy_temperature_celsius", (("sensor", "tj-thermal"),)): 61,
        ("canopy_clock_hertz", (("clock", "gpu"),)): 624.75e6,
        ("canopy_heat_relief", ()): 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_what_is_not_known_has_no_sample(served: MetricsServer) -> None:
    names = {name for name, _ in scrape(served.port)}
    assert not names & {"canopy_throttled", "canopy_disk_free_bytes", "canopy_clock_believed"}


def test_somebody_who_connects_and_says_nothing_does_not_keep_others_out_for_long(
    served: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.metrics._Handler.timeout", 0.2)
    with socket.create_connection(("127.0.0.1", served.port or 0)):
        assert scrape(served.port)


def test_a_port_that_is_taken_is_told_and_no_reason_to_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = MetricsServer(MetricsSettings(port=taken.getsockname()[1]), lambda: STATUS)
        assert server.port is None
        server.stop()


def tree(folder: Path, **more: Any) -> DeviceSettings:
    build_green_package(folder / "package")
    draw_pictures(folder / "pictures", 5)
    source = {"kind": "folder", "path": str(folder / "pictures")}
    return DeviceSettings.model_validate(
        {
            "site": "gh", "device": "cam", "state_dir": str(folder / "state"), "mqtt": None,
            "inference": {"package": str(folder / "package")}, "cameras": [{"name": "top", "source": source}], **more,
        }
    )  # fmt: skip


def test_a_real_daemon_is_scraped_and_answers_nobody_after_its_end(tmp_path: Path) -> None:
    port = free_port()
    daemon = Daemon(tree(tmp_path, metrics={"port": port}))
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        processed = ("canopy_pictures_total", (("camera", "top"), ("outcome", "processed")))
        wait_for(lambda: answers(port), 20)
        wait_for(lambda: scrape(port).get(processed) == 5, 20)
    finally:
        daemon.stop()
        thread.join(20)
    assert not answers(port)


def answers(port: int) -> bool:
    try:
        scrape(port)
    except OSError:
        time.sleep(0.05)
        return False
    return True


def test_without_the_setting_nothing_listens() -> None:
    assert DeviceSettings.model_fields["metrics"].default is None
    assert MetricsSettings().host == "127.0.0.1"
