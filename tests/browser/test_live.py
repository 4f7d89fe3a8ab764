"""A page that stands open shows what is so now, without a reload."""

from typing import Any

from edge.contract.records import EventKind
from tests.browser.conftest import Fleet
from tests.sim.browser import PLOTS
from tests.sim.grower import wait_for

CARD = "#camera-north-bench-1-top"


def _marked(page: Any) -> None:
    page.evaluate("window.sameDocument = true")


def _is_marked(page: Any) -> bool:
    return bool(page.evaluate("window.sameDocument === true"))


def test_a_new_reading_is_on_the_page_without_a_reload(visit: Any, fleet: Fleet) -> None:
    page = visit()
    _marked(page)
    before = page.locator(f"{CARD} .figures").inner_text()
    fleet.device.measure(PLOTS, age_d=30)
    page.wait_for_function(
        "([card, before]) => document.querySelector(card + ' .figures').innerText !== before", arg=[f"{CARD}", before]
    )
    assert "Leaf area" in page.locator(f"{CARD} .figures").inner_text()
    assert _is_marked(page)


def test_a_lost_camera_needs_somebody_until_it_is_back(visit: Any, fleet: Fleet) -> None:
    page = visit()
    fleet.device.happen(EventKind.CAMERA_LOST, "no <b>picture</b> for 30 s", "top")
    concern = page.locator("#concerns li", has_text="Camera lost")
    concern.wait_for()
    assert "no <b>picture</b> for 30 s" in concern.inner_text(), "what a device says is text"
    fleet.device.happen(EventKind.CAMERA_BACK, "there again", "top")
    concern.wait_for(state="detached")


def test_a_device_that_leaves_is_offline_and_comes_back(visit: Any, fleet: Fleet) -> None:
    page = visit()
    fleet.device.stop()
    page.locator(f"{CARD} .pill.offline").wait_for()
    fleet.device.start()
    page.locator(f"{CARD} .pill.online").wait_for()


def test_after_the_broker_was_away_the_page_is_right_and_live_again(visit: Any, fleet: Fleet) -> None:
    page = visit()
    _marked(page)
    fleet.broker.stop()
    page.wait_for_selector('#pulse:not([data-state="live"])')
    fleet.broker.start()
    assert wait_for(lambda: fleet.device.connected, 15)
    fleet.device.measure(PLOTS, age_d=33)  # while the page does not listen yet
    page.wait_for_selector('#pulse[data-state="live"]')
    before = page.locator(f"{CARD} .figures").inner_text()
    fleet.device.measure(PLOTS, age_d=45)
    page.wait_for_function(
        "([card, before]) => document.querySelector(card + ' .figures').innerText !== before", arg=[f"{CARD}", before]
    )
    assert _is_marked(page)


def test_a_page_keeps_what_somebody_opened(visit: Any, fleet: Fleet) -> None:
    page = visit()
    page.locator(f"{CARD} summary").click()
    before = page.locator(f"{CARD} .figures").inner_text()
    fleet.device.measure(PLOTS, age_d=18)
    page.wait_for_function(
        "([card, before]) => document.querySelector(card + ' .figures').innerText !== before", arg=[f"{CARD}", before]
    )
    assert page.locator(f"{CARD} details").evaluate("each => each.open")
