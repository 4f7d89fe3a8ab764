"""One browser and one service for all tests of pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sim.browser import CHROMIUM, EPOCH, OPERATOR, PASSWORD, chromium, planted
from tests.sim.fleet_service import Service
from tests.sim.grower import Grower
from tests.sim.mosquitto import Mosquitto


@dataclass
class Fleet:
    """What a test looks at: the service's address, the device that measures, and the broker between them."""

    address: str
    device: Grower
    broker: Mosquitto
    folder: Path


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    broker = Mosquitto(folder / "broker")
    broker.start()
    last = planted(folder)
    service = Service(
        folder, f"{{embedded: false, port: {broker.port}}}",
        "rollouts: {tick_s: 0.2, settle_s: 0.2}\npictures: {every_s: 0}\n",
    )  # fmt: skip
    ports = service.start()
    device = Grower(broker.port, "bench-1", epoch=EPOCH)
    device.seq = last[EPOCH]
    device.start()
    yield Fleet(f"http://127.0.0.1:{ports['http_port']}", device, broker, folder)
    device.stop()
    service.process.terminate()
    service.process.wait(15)
    broker.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Any, fleet: Fleet) -> Iterator[Any]:
    """Opens pages, and fails the test that left an error in a page's console."""
    contexts, errors = [], []
    cookies = logged_in(browser, fleet)

    def open_page(path: str = "/", *, phone: bool = False, dark: bool = False, live: bool = True) -> Any:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
        contexts.append(context)
        context.add_cookies(cookies)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _is_ours(message) else None)
        page.goto(fleet.address + path)
        if live:
            page.wait_for_selector('#pulse[data-state="live"]')
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def logged_in(browser: Any, fleet: Fleet) -> list[Any]:
    """The cookies of somebody who may do everything; one login serves all tests."""
    if fleet.address not in _COOKIES:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{fleet.address}/login")
        page.get_by_label("Name").fill(OPERATOR)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector('#pulse[data-state="live"]')
        _COOKIES[fleet.address] = context.cookies()
        context.close()
    return _COOKIES[fleet.address]


_COOKIES: dict[str, list[Any]] = {}


def _is_ours(message: Any) -> bool:
    """Errors of our scripts and of the policy on content; that a service is away is said on the page."""
    return message.type == "error" and "net::ERR" not in message.text and "WebSocket" not in message.text
