"""The drift page in a browser: the map by keyboard, a word on a change, and alerts where somebody looks."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from edge.contract import topics
from edge.contract.records import EventKind
from fleet.alerts import book
from fleet.alerts.facts import facts
from fleet.alerts.rules import RulesSettings
from fleet.alerts.standing import look
from fleet.store import Store
from tests.browser.conftest import Fleet, logged_in
from tests.browser.test_operate import asked
from tests.sim.fleet_drift import drift, window
from tests.sim.grower import Grower, wait_for

EVIL = "<b onclick=alert(1)>wiped</b>"
EPOCH = "d" * 32
TODAY = datetime.now(timezone.utc).replace(hour=12, minute=0)
YESTERDAY = (TODAY - timedelta(days=1)).date()
DAY = f"/drift?camera=south/fogged/top&day={YESTERDAY}"


@pytest.fixture(scope="module", autouse=True)
def fogged(fleet: Fleet, browser: Any) -> Iterator[None]:
    """A camera of another site that was as before for a week, and had fog yesterday."""
    logged_in(browser, fleet)
    device = Grower(fleet.device._port, "fogged", site="south", epoch=EPOCH)
    device.start()
    days = [window(-day, camera="top", noon=TODAY, captures=9, value=2.0) for day in range(8, 1, -1)]
    fog = window(
        -1, camera="top", noon=TODAY, captures=9, value=38.0, alarms=("sharpness",),
        scores={"sharpness": -9.0, "saturation": -5.0}, evidence={"sharpness": 60.0, "mean_grey": 0.2},
    )  # fmt: skip
    device.say(topics.DRIFT, drift(*days, fog, epoch=EPOCH), "top")
    assert wait_for(lambda: len(listed(fleet, "/api/v1/drift/windows?site=south")) == 8)
    device.seq = 8
    yield
    device.stop()


def listed(fleet: Fleet, path: str) -> list[Any]:
    return list(asked(fleet, path).json()["items"])


def looked(fleet: Fleet) -> None:
    """As the service's watch does it, which waits a minute after its start."""
    store, now = Store(f"sqlite:///{fleet.folder / 'state' / 'fleet.sqlite'}"), datetime.now(timezone.utc)
    with store.writing() as connection:
        book.keep(connection, look(book.standing(connection), facts(connection, now), RulesSettings(), now), now)
    store.close()


def test_the_keyboard_goes_through_the_map_and_opens_a_day(visit: Any, fleet: Fleet) -> None:
    page = visit("/drift")
    cell = page.locator(".heat a.cell.alarm")
    assert cell.get_attribute("tabindex") == "0", "the map is one stop, and it is where somebody is needed"
    assert "has changed, sharpness" in cell.get_attribute("aria-label")
    cell.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.className") == "cell quiet"
    page.keyboard.press("Home")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.className") == "cell alarm"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{DAY}#day")
    page.get_by_text("Most likely fog on the lens").wait_for()
    assert page.locator("#day .bars canvas").count() == 2
    assert page.locator(".heat a[aria-current]").count() == 1


def test_the_map_fits_a_phone_and_shows_the_newest_days(visit: Any, fleet: Fleet) -> None:
    for dark in (False, True):
        page = visit(DAY, phone=True, dark=dark)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        cell = page.locator(".heat a.cell.alarm").bounding_box()
        assert 0 < cell["x"] < 390


def test_a_label_of_an_operator_explains_a_change_and_is_text(visit: Any, fleet: Fleet) -> None:
    page = visit(DAY)
    page.get_by_label("It was").select_option("lens_cleaned")
    page.get_by_label("Note").fill(EVIL)
    page.get_by_label("From now on this is how it looks").uncheck()
    page.get_by_role("button", name="Label").click()
    page.locator("#labels li", has_text=EVIL).wait_for()
    assert page.locator("#labels li b").count() == 1, "a note is text"
    page.locator(".heat a.cell.labelled").wait_for()
    assert page.locator(".heat a.cell.alarm").count() == 0
    newest = asked(fleet, "/api/v1/audit?limit=1").json()["items"][0]
    assert (newest["action"], newest["subject"], newest["who"]) == ("drift.label", "south/fogged/top", "ana")
    detail = json.loads(newest["detail"])
    assert (detail["said"], "learning" in detail) == ("lens_cleaned", False), "nobody wished that the camera forgets"


def test_a_camera_learns_anew_where_an_operator_says_that_it_shall(visit: Any, fleet: Fleet) -> None:
    page = visit(DAY)
    page.get_by_label("It was").select_option("lamp_changed")
    page.get_by_role("button", name="Label").click()
    page.locator("#labels li", has_text="learn").first.wait_for()
    (newest, *_) = listed(fleet, "/api/v1/drift/labels?site=south")
    assert (newest["said"], newest["learning"]) == ("lamp_changed", 1)


def test_an_alert_is_silenced_where_it_is_seen(visit: Any, fleet: Fleet) -> None:
    fleet.device.happen(EventKind.DRIFT, f"camera top has changed {EVIL}", camera="top")
    assert wait_for(lambda: listed(fleet, "/api/v1/events?kind=drift"))
    looked(fleet)
    page = visit("/")
    alert = page.locator("#concerns li", has_text="Camera changed")
    alert.wait_for()
    assert alert.locator("b").count() == 1, "what a device says is text"
    alert.locator("summary").click()
    alert.get_by_label("Why").fill("the lamp is new")
    alert.get_by_role("button", name="Silence it").click()
    alert.wait_for(state="detached")
    page.goto(f"{fleet.address}/alerts")
    page.locator("#firing li", has_text="silenced until").wait_for()
    page.locator("section", has_text="the lamp is new").first.wait_for()
