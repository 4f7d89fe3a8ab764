"""Pages for everybody: small screens, the dark, the keyboard, and those who do not see them."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Fleet, logged_in

AXE = Path(__file__).parent / "vendor" / "axe.js"
PAGES = ("/", "/devices/north/bench-1", "/plots/north/bench-1/top/R1C1", "/drift", "/rollouts", "/alerts")


@pytest.mark.parametrize("path", PAGES)
def test_nothing_stands_in_the_way_of_anybody(visit: Any, fleet: Fleet, path: str) -> None:
    for dark in (False, True):
        page = visit(path, dark=dark)
        page.wait_for_timeout(100)
        page.evaluate(AXE.read_text())  # evaluated from outside: the page's own policy stays as it is
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_in_one_direction(visit: Any, fleet: Fleet, path: str) -> None:
    page = visit(path, phone=True)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_in_the_dark_the_page_is_dark(visit: Any, fleet: Fleet) -> None:
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    assert visit(dark=True).evaluate(shade) < 150, "of 765"
    assert visit(dark=False).evaluate(shade) > 600, "of 765"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit: Any, fleet: Fleet) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.camera h3 a')"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/devices/north/**")


def test_a_page_asks_nobody_but_its_own_service(visit: Any, fleet: Fleet, browser: Any) -> None:
    context = browser.new_context()
    context.add_cookies(logged_in(browser, fleet))
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        page.goto(fleet.address + path)
        page.wait_for_selector('#pulse[data-state="live"]')
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith(fleet.address)] == []
