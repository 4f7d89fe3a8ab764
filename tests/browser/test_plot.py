"""The chart of a plot."""

from typing import Any

from tests.browser.conftest import Fleet
from tests.sim.browser import LONG_POINTS

PLOT = "/plots/north/bench-1/top/R1C1"
LONG = "/plots/north/bench-2/top/L1"


def _drawn(page: Any) -> Any:
    page.wait_for_selector('#chart[data-state="drawn"] canvas')
    return page


def _answer(page: Any, act: Any) -> Any:
    page.wait_for_selector("#chart[data-state]")  # the answer to what the page itself asked first is in
    with page.expect_response(lambda answer: "/series?" in answer.url) as waited:
        act()
    return waited.value.json()


def _ink(page: Any, seconds: float) -> bool:
    """Whether the line's colour stands anywhere in the chart's column of that moment."""
    script = """([at, since, until]) => {
      const canvas = document.querySelector('#chart canvas'), over = document.querySelector('#chart .u-over');
      const ratio = canvas.width / canvas.clientWidth;
      const left = parseFloat(over.style.left) + over.clientWidth * (at - since) / (until - since);
      const column = canvas.getContext('2d').getImageData(Math.round(left * ratio), 0, 3, canvas.height).data;
      for (let i = 0; i < column.length; i += 4) if (column[i + 1] - column[i] > 60 && column[i + 3] > 120) return true;
      return false; }"""
    return bool(page.evaluate(script, seconds))


def test_a_gap_is_a_gap_and_a_reading_is_drawn(visit: Any, fleet: Fleet) -> None:
    page = visit(PLOT)
    found = _answer(page, lambda: page.get_by_role("button", name="Week", exact=True).click())
    _drawn(page)
    begin, end = max(found["gaps"], key=lambda gap: gap[1] - gap[0])
    assert end - begin > 1.5 * 86_400
    span = [found["since"], found["until"]]
    assert not _ink(page, [(begin + end) / 2, *span])
    line = found["lines"][0]
    middle = next(
        number for number in range(1, len(line["value"])) if None not in line["value"][number - 1 : number + 2]
    )
    assert _ink(page, [found["at"][line["at"][middle]], *span])


def test_model_changes_are_marked_and_named(visit: Any, fleet: Fleet) -> None:
    page = visit(PLOT)
    found = _answer(page, lambda: page.get_by_role("button", name="Month", exact=True).click())
    assert [mark["kind"] for mark in found["marks"]].count("model") == 1
    page.locator("#keys", has_text="model").wait_for()


def test_100_000_readings_are_drawn_to_size_and_zoom_brings_detail(visit: Any, fleet: Fleet) -> None:
    page = visit(LONG)
    wide = _answer(page, lambda: page.get_by_role("button", name="Season", exact=True).click())
    _drawn(page)
    assert wide["count"] > 0.99 * LONG_POINTS
    assert len(wide["at"]) < 3_000
    over = page.locator("#chart .u-over").bounding_box()
    assert over
    right, middle = over["x"] + over["width"], over["y"] + over["height"] / 2

    def zoom() -> None:
        page.mouse.move(right - 60, middle)
        page.mouse.down()
        page.mouse.move(right - 5, middle, steps=4)
        page.mouse.up()

    near = _answer(page, zoom)
    assert near["until"] - near["since"] < 0.2 * (wide["until"] - wide["since"])
    assert near["step_s"] < wide["step_s"]
    _drawn(page)


def test_another_plot_is_compared_and_taken_away_by_keyboard(visit: Any, fleet: Fleet) -> None:
    page = visit(PLOT)
    _drawn(page)
    page.locator("#beside").focus()
    page.locator("#beside").select_option("R1C2")
    away = page.get_by_role("button", name="Remove R1C2")
    away.wait_for()
    assert page.locator("#keys").inner_text().count("R1C") >= 2
    away.press("Enter")
    away.wait_for(state="detached")


def test_a_time_without_readings_says_so(visit: Any, fleet: Fleet) -> None:
    page = visit(PLOT)
    page.locator("#trait").select_option("canopy_cover")
    _drawn(page)
    for _ in range(3):
        _answer(page, lambda: page.get_by_role("button", name="Later").click())
    page.locator("#chart-state", has_text="No").wait_for()


def test_downloads_name_the_plot_and_the_time_shown(visit: Any, fleet: Fleet) -> None:
    page = visit(PLOT)
    for kind in ("csv", "parquet"):
        address = page.locator(f"#{kind}").get_attribute("href")
        assert address.startswith(f"/api/v1{PLOT}/readings.{kind}?since=")
