"""A rendered tray that grows: reproducible, growing, dark at night, and labelled exactly."""

import csv
import shutil

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError
from training import clip
from training.synthetic import Tray, render_timelapse
from training.synthetic.scene import PLANT

SMALL = Tray(rows=2, columns=3, height_px=200, width_px=300, cell_px=90)


def moments(seed: int, days: float = 15, step_h: float = 12):
    return list(render_timelapse(seed, SMALL, days, step_h, empty=1))


def test_a_seed_gives_the_same_pictures_and_another_seed_others():
    first, again, other = moments(1, 2), moments(1, 2), moments(2, 2)
    assert all(np.array_equal(a.scene.pixels, b.scene.pixels) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1].scene.pixels, other[-1].scene.pixels)


def test_plants_grow_keep_their_places_and_add_leaves():
    noons = [moment for moment in moments(3) if moment.hour % 24 == 12]
    for plot in noons[-1].plots:
        truth = [moment.truth(plot) for moment in noons]
        areas = [area for _, area in truth]
        assert areas == sorted(areas)
        assert truth[-1][0] > truth[len(truth) // 2][0] or truth[-1][0] >= 4
    assert len(noons[-1].plots) == 5, "one of six pots was never sown"
    places = [
        {plot: moment.scene.labels.centres[PLANT][n, 1:] for n, plot in enumerate(moment.plots)}
        for moment in noons[-2:]
    ]
    assert all(np.allclose(places[0][plot], places[1][plot]) for plot in places[0])


def test_truth_is_what_the_maps_show_and_an_empty_pot_is_0():
    last = moments(4, 8)[-1]
    assert sum(last.truth(plot)[1] for plot in SMALL.places) == np.count_nonzero(last.scene.labels.instances[PLANT])
    unsown = set(SMALL.places) - set(last.plots)
    assert [last.truth(plot) for plot in unsown] == [(0, 0)]
    for number, plot in enumerate(last.plots, start=1):
        y, x = SMALL.places[plot]
        rows, columns = np.nonzero(last.scene.labels.instances[PLANT] == number)
        assert abs(rows.mean() - y) < 20
        assert abs(columns.mean() - x) < 20


def test_night_is_dark_and_lamps_lengthen_the_day():
    light = {moment.hour: moment.scene.pixels.mean() for moment in moments(5, days=1, step_h=3)}
    assert light[3] < 5
    assert 20 < light[21] < light[12]


def test_the_grid_of_plots_lies_on_the_pots():
    (left, top), (right, bottom) = Tray().corners
    tray = Tray()
    y, x = tray.places["R1C1"]
    assert left * tray.width_px == x - tray.cell_px / 2
    assert top * tray.height_px == y - tray.cell_px / 2
    assert (left + right, top + bottom) == pytest.approx((1, 1))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_clip_has_its_pictures_and_a_line_of_truth_for_each_pot(tmp_path):
    out = tmp_path / "clip.mp4"
    assert list(clip.write_clip(out, 1, SMALL, 1, 6)) == [1, 2, 3, 4]
    video = cv2.VideoCapture(str(out))
    assert [video.read()[0] for _ in range(5)] == [True] * 4 + [False]
    lines = list(csv.DictReader((tmp_path / "clip.truth.csv").read_text(encoding="utf-8").splitlines()))
    assert [line["plot"] for line in lines] == list(SMALL.places) * 4


def test_a_clip_that_cannot_be_written_says_why(tmp_path, monkeypatch):
    if shutil.which("ffmpeg"):
        with pytest.raises(ConfigError, match="ffmpeg could not write"):
            list(clip.write_clip(tmp_path / "clip.no-such-kind", 1, SMALL, 1, 12))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="apt install ffmpeg"):
        next(clip.write_clip(tmp_path / "clip.mp4", 1, SMALL, 1, 12))
