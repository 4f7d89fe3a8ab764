"""What operators do on a page, and what comes of it."""

import json
from typing import Any

import httpx

from edge.contract.commands import CommandKind
from fleet.rollouts import commands
from fleet.rollouts.plan import Plan
from fleet.store import Store
from tests.browser.conftest import _COOKIES, Fleet
from tests.sim.grower import wait_for
from tests.sim.rollout_records import NEW

DEVICE = "/devices/north/bench-1"


def asked(fleet: Fleet, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """As the browser of somebody who is logged in would ask."""
    cookies = {one["name"]: one["value"] for one in _COOKIES[fleet.address]}
    return httpx.get(fleet.address + path, headers=headers, cookies=cookies)


def _audit(fleet: Fleet) -> list[str]:
    return [entry["action"] for entry in asked(fleet, "/api/v1/audit?limit=1000").json()["items"]]


def test_a_picture_is_taken_on_request_and_shown(visit: Any, fleet: Fleet) -> None:
    page = visit(DEVICE)
    view = page.locator("#view-top")
    view.get_by_role("button", name="Take a picture").click()
    page.wait_for_function("() => document.querySelector('#view-top img')?.naturalWidth > 100")
    address = view.locator("img").get_attribute("src")
    served = asked(fleet, address)
    assert (served.headers["content-type"], served.content[:2]) == ("image/jpeg", b"\xff\xd8")
    again = asked(fleet, address, {"If-None-Match": served.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert fleet.device.asked[-1].kind is CommandKind.SNAPSHOT
    assert "device snapshot" in _audit(fleet)


def test_a_log_is_text_whatever_stands_in_it(visit: Any, fleet: Fleet) -> None:
    page = visit(DEVICE)
    page.get_by_role("button", name="Ask for the log").click()
    page.locator("pre.log", has_text="captured <b>frame</b> 1").wait_for()
    assert page.locator("pre.log b").count() == 0


def test_settings_are_wanted_done_and_refused_side_by_side(visit: Any, fleet: Fleet) -> None:
    page = visit(DEVICE)
    page.get_by_label("cameras.top.interval_s, wanted").fill("120")
    page.get_by_label("log.level, wanted").fill("shout")
    page.get_by_role("button", name="Save").click()
    page.locator("table.settings tr", has_text="cameras.top.interval_s").locator(".pill.good").wait_for()
    page.locator(".refused", has_text="only debug").wait_for()
    assert fleet.device.wanted[-1].settings == {"cameras.top.interval_s": 120, "log.level": "shout"}
    page.get_by_label("log.level, wanted").fill("")
    page.get_by_role("button", name="Save").click()
    assert wait_for(lambda: fleet.device.wanted[-1].settings == {"cameras.top.interval_s": 120})
    assert _audit(fleet).count("device settings") == 2


def test_what_is_being_typed_is_not_drawn_over(visit: Any, fleet: Fleet) -> None:
    page = visit(DEVICE)
    page.get_by_label("cameras.top.interval_s, wanted").fill("77")
    fleet.device.feel(temperatures_c={"CPU": 71.0})
    page.locator(".tiles", has_text="71 °C").wait_for()
    assert page.get_by_label("cameras.top.interval_s, wanted").input_value() == "77"


def test_a_rollout_is_paused_and_goes_on(visit: Any, fleet: Fleet) -> None:
    plan = Plan.model_validate(json.loads('{"waves": [{"percent": 20}, {}]}'))
    store = Store(f"sqlite:///{fleet.folder / 'state' / 'fleet.sqlite'}")
    with store.writing() as connection:
        commands.create(connection, [NEW.ref], plan, "test", "spring")
    store.close()
    page = visit("/rollouts")
    page.get_by_role("button", name="Pause spring").click()
    page.locator("#rollout-spring .pill.paused").wait_for()
    page.get_by_role("button", name="Resume spring").click()
    page.locator("#rollout-spring .pill.running").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Abort spring").click()
    page.locator("#rollout-spring .pill.aborted").wait_for()
    assert {"rollout pause", "rollout resume", "rollout abort"} <= set(_audit(fleet))
