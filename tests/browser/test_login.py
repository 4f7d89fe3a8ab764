"""The login as a person does it: a real browser, with the headers that browsers send by themselves."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.service import listen, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.access import PASSWORD, add_user

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WELL = SimpleNamespace(connected=True, writing=True, tally=dict)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (apt-get install chromium)")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    add_user(store)
    with ExitStack() as parts:
        parts.callback(store.close)
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(create_app(store, WELL), listening))  # type: ignore[arg-type]
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    yield page
    page.close()


def test_a_person_logs_in_with_the_keyboard_sees_the_page_they_wanted_and_leaves(url: str, tab: Any) -> None:
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.goto(f"{url}/rollouts")
    assert tab.url == f"{url}/login?next=%2Frollouts"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it fits a phone"
    tab.keyboard.type("ana")
    tab.keyboard.press("Tab")
    tab.keyboard.type("wrong wrong wrong")
    tab.keyboard.press("Enter")
    tab.get_by_role("alert").wait_for()
    tab.wait_for_load_state()
    assert tab.evaluate("document.activeElement.name") == "password", "the name is kept"
    tab.keyboard.type(PASSWORD)
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{url}/rollouts")
    assert tab.evaluate("document.cookie") == "", "no script sees the session"
    tab.get_by_role("button", name="Log out").click()
    tab.wait_for_url(f"{url}/login")
    tab.goto(f"{url}/")
    assert "/login" in tab.url
    assert [text for text in told if "Content Security" in text] == []
