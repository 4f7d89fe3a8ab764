import numpy as np
import pytest

from edge.errors import ConfigError
from edge.plots import NO_PLOT, Plots
from edge.preprocess import fit
from edge.settings import GridPlots, PolygonPlots


def placement(height_px=480, width_px=640, size=128):
    return fit(np.zeros((height_px, width_px, 3), np.uint8), size, size)[1]


def test_without_plots_the_picture_is_one_plot_and_the_padding_none():
    plots = Plots(None).on(placement())

    assert plots.names == ("frame",)
    rows, columns = plots.placement.grid_region
    assert (plots.labels[rows, columns] == 0).all()
    assert plots.cells.tolist() == [(plots.labels == 0).sum()] == [24 * 32]


@pytest.mark.parametrize(("height_px", "width_px"), [(319, 320), (320, 319), (318, 320), (40, 320)])
def test_the_one_plot_has_exactly_the_cells_that_lie_in_the_picture(height_px, width_px):
    plots = Plots(None).on(placement(height_px, width_px, 512))

    inside = np.zeros(plots.labels.shape, bool)
    inside[plots.placement.grid_region] = True
    np.testing.assert_array_equal(plots.labels == 0, inside)


def test_a_grid_divides_the_picture_not_the_padding():
    plots = Plots(GridPlots(rows=3, columns=4)).on(placement())

    assert plots.names[:5] == ("R1C1", "R1C2", "R1C3", "R1C4", "R2C1")
    assert plots.cells.tolist() == [8 * 8] * 12
    assert (plots.labels[:4] == NO_PLOT).all()
    assert plots.labels[4, 0] == 0
    assert plots.labels[27, 31] == 11


def test_a_grid_between_corners_leaves_the_rest_out():
    plots = Plots(GridPlots(rows=1, columns=2, top_left=(0.25, 0.5), bottom_right=(0.75, 1.0))).on(placement())

    assert plots.cells.tolist() == [8 * 12] * 2
    assert plots.labels[20, 8] == 0
    assert plots.labels[20, 23] == 1
    assert plots.labels[20, 7] == plots.labels[20, 24] == plots.labels[15, 16] == NO_PLOT


def test_an_outline_covers_its_area():
    triangle = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    plots = Plots(PolygonPlots(outlines={"half": triangle})).on(placement(512, 512, 512))

    assert plots.cells[0] == pytest.approx(128 * 128 / 2, rel=0.01)
    assert plots.labels[0, 0] == 0
    assert plots.labels[127, 127] == NO_PLOT


def test_a_cell_under_two_outlines_belongs_to_the_first():
    square = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]
    whole = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    plots = Plots(PolygonPlots(outlines={"corner": square, "all": whole})).on(placement(128, 128))

    assert plots.labels[0, 0] == 0
    assert plots.labels[31, 31] == 1


@pytest.mark.parametrize(
    "settings",
    [
        GridPlots(rows=100, columns=100),
        PolygonPlots(
            outlines={
                "above": [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)],
                "below": [(0.2, 0.2), (0.4, 0.2), (0.4, 0.4)],
            }
        ),
    ],
)
def test_a_plot_without_a_cell_is_an_error_that_names_it(settings):
    with pytest.raises(ConfigError, match=r"plot (R1C1|below) holds no cell"):
        Plots(settings).on(placement())


def test_plots_are_drawn_once_for_each_size_of_picture():
    plots = Plots(GridPlots(rows=2, columns=2))
    first = plots.on(placement())

    assert plots.on(placement()) is first
    assert plots.on(placement(640, 480)) is not first
    assert plots.on(placement(640, 480)).labels[16, 0] == NO_PLOT
