"""Plots proposed from where plants stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.calibration.overlay import text_map, with_plots
from edge.calibration.pots import propose
from edge.errors import CalibrationFailed
from edge.settings import GridPlots, PolygonPlots

SIZE = 720, 1280


def tray(rows: int, columns: int, turn_degree: float = 0.0, pitch: float = 180.0, seed: int = 1) -> NDArray[np.float64]:
    """Plants somewhere near the middles of their pots, row by row, in the middle of the picture."""
    row, column = (index.ravel() for index in np.indices((rows, columns)))
    place = np.stack([column - (columns - 1) / 2, row - (rows - 1) / 2], axis=1) * pitch
    angle = np.radians(turn_degree)
    turned = place @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned + np.array([640, 360]) + np.random.default_rng(seed).normal(0, 0.04 * pitch, place.shape)


def test_an_upright_tray_is_a_grid() -> None:
    proposal = propose(tray(3, 5), SIZE, None, None)

    assert isinstance(proposal.plots, GridPlots)
    assert (proposal.plots.rows, proposal.plots.columns) == (3, 5)
    assert proposal.plots.top_left == pytest.approx(((640 - 450) / 1280, (360 - 270) / 720), abs=0.03)
    assert len(proposal.planted_in) == 15


def test_a_tray_that_lies_askew_gets_outlines_in_reading_order() -> None:
    proposal = propose(tray(3, 5, turn_degree=12), SIZE, None, None)

    assert isinstance(proposal.plots, PolygonPlots)
    assert list(proposal.outlines)[:6] == ["R1C1", "R1C2", "R1C3", "R1C4", "R1C5", "R2C1"]
    for name, place in zip(proposal.outlines, tray(3, 5, turn_degree=12), strict=True):
        assert np.hypot(*(proposal.outlines[name].mean(axis=0) - place)) < 40


@given(st.sets(st.integers(0, 14), max_size=4), st.integers(0, 50), st.floats(-6, 6))
def test_empty_pots_do_not_move_the_names_of_the_others(empty: set[int], seed: int, turn: float) -> None:
    planted = np.array([number for number in range(15) if number not in empty])
    proposal = propose(tray(3, 5, turn, seed=seed)[planted], SIZE, 3, 5)

    names = np.array(list(proposal.outlines))
    assert (proposal.rows, proposal.columns) == (3, 5)
    in_rows, in_columns = np.bincount(planted // 5, minlength=3), np.bincount(planted % 5, minlength=5)
    if {0, 4, 10, 14}.isdisjoint(empty) and min(in_rows.min(), in_columns.min()) >= 2:
        assert proposal.planted_in == set(names[planted])


def test_a_weed_beside_the_tray_and_a_second_plant_in_a_pot_are_strays() -> None:
    plants = np.vstack([tray(3, 5), [[30.0, 700.0]], tray(3, 5)[7] + (70, 62)])
    proposal = propose(plants, SIZE, None, None)

    assert (proposal.rows, proposal.columns) == (3, 5)
    assert len(proposal.strays) == 2


def test_an_empty_last_column_comes_where_there_is_room() -> None:
    proposal = propose(tray(3, 5)[np.arange(15) % 5 != 4], SIZE, 3, 5)

    assert "R1C1" in proposal.planted_in
    assert "R1C5" not in proposal.planted_in


def test_too_few_plants_and_more_rows_than_named_are_refused() -> None:
    with pytest.raises(CalibrationFailed, match="3 plants are found"):
        propose(tray(1, 3), SIZE, None, None)
    with pytest.raises(CalibrationFailed, match="more than were named"):
        propose(tray(3, 5), SIZE, 2, 5)


@pytest.mark.parametrize("seed", range(8))
def test_plants_strewn_without_order_are_no_tray(seed: int) -> None:
    with pytest.raises(CalibrationFailed, match="by hand"):
        propose(np.random.default_rng(seed).uniform((0, 0), (1280, 720), (14, 2)), SIZE, None, None)


def test_the_map_marks_what_is_planted_in_80_columns() -> None:
    proposal = propose(np.delete(tray(3, 5), 6, axis=0), SIZE, 3, 5)
    lines = text_map(proposal).splitlines()

    assert lines[0].split() == ["●", "R1C1", "●", "R1C2", "●", "R1C3", "●", "R1C4", "●", "R1C5"]
    assert "○ R2C2" in lines[1]
    assert max(map(len, text_map(propose(tray(2, 12, pitch=100), SIZE, None, None)).splitlines())) <= 80


def test_the_overlay_draws_without_touching_the_picture() -> None:
    picture = np.zeros((*SIZE, 3), np.uint8)
    drawn = with_plots(picture, propose(tray(3, 5), SIZE, None, None))

    assert drawn.any()
    assert not picture.any()
