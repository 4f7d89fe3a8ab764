"""Aiming: the score falls with the focus, the lean is the scene's, and the phone's page is for those who know it."""

import urllib.error
import urllib.request
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console, ConsoleDimensions

from edge.aim import advice, aim, lean_deg
from edge.aim_page import Page, served
from edge.aim_view import aim_view
from edge.errors import ConfigError
from tests.sim.pictures import discs, soil

GENERATOR = np.random.default_rng(4)


def tray(turned_deg: float = 0.0) -> np.ndarray:
    """Pots in rows, turned clockwise about the middle."""
    picture = soil(480, 640, 1).copy()
    for left in range(40, 600, 120):
        for top in range(20, 460, 120):
            cv2.rectangle(picture, (left, top), (left + 100, top + 100), (200, 200, 200), 6)
    turn = cv2.getRotationMatrix2D((320, 240), -turned_deg, 1)
    return cv2.warpAffine(picture, turn, (640, 480), borderMode=cv2.BORDER_REFLECT)


def test_the_score_falls_with_every_step_out_of_focus():
    scores = [aim(cv2.GaussianBlur(tray(), (0, 0), sigma) if sigma else tray()).focus for sigma in (0, 0.7, 1.5, 3, 6)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 5 * scores[-1]


@pytest.mark.parametrize("turned_deg", [-12.0, -4.0, -1.0, 0.0, 0.5, 3.0, 11.0])
def test_the_lean_is_that_of_the_pots(turned_deg):
    found = lean_deg(tray(turned_deg))
    assert found is not None
    assert abs(found - turned_deg) <= 0.6


def test_leaves_alone_have_no_lean():
    plants = discs(soil(480, 640, 3), [(int(y), int(x), 40) for y, x in GENERATOR.integers(40, 440, (12, 2))])
    assert lean_deg(plants) is None
    assert lean_deg(np.zeros((480, 640, 3), np.uint8)) is None


def test_exposure_is_told_in_shares_and_in_advice():
    bright = aim(np.full((300, 400, 3), 255, np.uint8))
    assert (bright.bright_share, bright.dark_share, sum(bright.histogram)) == (1.0, 0.0, 1.0)
    assert "overexposed" in advice(bright, 0.0)[0]
    dark = aim(np.zeros((300, 400, 3), np.uint8))
    assert "dark" in advice(dark, 0.0)[0]


def test_advice_is_given_where_something_is_to_mend_and_not_elsewhere():
    good = replace(aim(tray()), bright_share=0.0, median=90.0)
    assert advice(good, good.focus) == []
    assert "turn the focus back" in advice(good, 2 * good.focus)[0]
    assert "counter-clockwise" in advice(replace(good, lean_deg=4.0), good.focus)[0]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (80, 60), (200, 50)])
def test_the_screen_fits_the_terminal(columns, lines):
    console = Console(width=columns, height=lines, force_terminal=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    picture = tray()
    view = aim_view("top", aim(picture), 1e6, picture, ConsoleDimensions(columns, lines))
    rendered = console.render_lines(view, console.options)
    assert len(rendered) <= lines
    console.file.close()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read(4_000)


def test_the_page_shows_the_picture_and_the_reading_to_those_who_have_its_address():
    page = Page("top")
    with served(page, "127.0.0.1:0", 30.0) as (url,):
        page.show(b"\xff\xd8picture", aim(tray()), 9.0)
        assert b"stream" in get(url)
        assert b'"best": 9.0' in get(f"{url}reading")
        with urllib.request.urlopen(f"{url}stream", timeout=10) as stream:
            assert b"\xff\xd8picture" in stream.read1(1_000)
        for foreign in (url[:-2] + "x/", url.replace(url.split("/")[3], ""), f"{url}../etc"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                get(foreign)
            assert refused.value.code == 404
            refused.value.close()
    with pytest.raises(urllib.error.URLError):
        get(url)


def test_a_page_that_has_lasted_long_enough_sends_no_more():
    page = Page("top")
    with served(page, "127.0.0.1:0", 0.2) as (url,):
        page.show(b"one", aim(tray()), 9.0)
        with urllib.request.urlopen(f"{url}stream", timeout=30) as stream:
            while stream.read(1):
                page.show(b"more", aim(np.zeros((8, 8, 3), np.uint8)), 9.0)


def test_a_port_that_cannot_be_is_told():
    for where in ("127.0.0.1:none", "127.0.0.1:99999", "192.0.2.1:8088"):
        with pytest.raises(ConfigError, match="--http 8088"), served(Page("top"), where, 1.0):
            pass
