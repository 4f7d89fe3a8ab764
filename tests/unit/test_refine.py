"""The mask on pixels: nearer to the plant than the grid where the colour tells, and the grid's where it does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.preprocess import fit
from edge.refine import PLANT, on_pixels, refine
from tests.sim.pictures import soil

GREEN, RED_LETTUCE, YELLOW, MOSS = (40, 150, 60), (70, 40, 120), (60, 170, 180), (50, 100, 60)
SIDE = 128


def plant(seed, least=6, most=30):
    """Pixels of a plant of some discs, bool [128, 128]."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE))
    discs = [(*rng.uniform(25, 103, 2), rng.uniform(least, most)) for _ in range(rng.integers(1, 5))]
    return np.any([np.hypot(y - top, x - left) <= radius for top, left, radius in discs], axis=0)


def drawn(truth, leaf, ground):
    """The picture of a plant, the cells that hold more of it than of the ground, and where the picture lies."""
    noise = np.random.default_rng(1).integers(-8, 9, (SIDE, SIDE, 1))
    pixels = np.clip(np.where(truth[..., None], leaf, ground) + noise, 0, 255).astype(np.uint8)
    image, placement = fit(pixels, SIDE, SIDE)
    return image, truth.reshape(32, 4, 32, 4).mean(axis=(1, 3)) > 0.5, placement


def overlap(ours, truth):
    return (ours & truth).sum() / (ours | truth).sum()


@pytest.mark.parametrize(
    ("leaf", "ground"),
    [(GREEN, soil(1, 1)[0, 0]), (RED_LETTUCE, (120, 130, 125)), (YELLOW, MOSS), (GREEN, MOSS)],
    ids=["green on soil", "red on a bench", "yellow on moss", "green on moss"],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_colour_finds_the_edge_that_the_grid_cannot_draw(leaf, ground, seed):
    truth = plant(seed)
    image, cells, placement = drawn(truth, leaf, ground)
    fine, coarse = refine(image, cells, placement) == PLANT, on_pixels(cells.view(np.uint8)) > 0
    assert overlap(fine, truth) > 0.97
    assert 1 - overlap(fine, truth) < 0.5 * (1 - overlap(coarse, truth))
    assert fine.sum() == pytest.approx(truth.sum(), rel=0.02)


@pytest.mark.parametrize("colour", [(0, 0, 0), (120, 120, 120), GREEN], ids=["black", "grey", "green"])
def test_without_contrast_the_cells_decide(colour):
    _, cells, placement = drawn(plant(0), colour, colour)
    image = np.full((1, SIDE, SIDE, 3), colour, np.uint8)
    assert np.array_equal(refine(image, cells, placement) == PLANT, on_pixels(cells.view(np.uint8)) > 0)


def test_no_cell_is_no_pixel():
    image, _, placement = drawn(plant(0), GREEN, MOSS)
    assert not refine(image, np.zeros((32, 32), np.bool_), placement).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(20, 200), st.integers(20, 200))
def test_whatever_the_picture_the_mask_stays_near_its_cells_and_in_the_picture(seed, height, width):
    rng = np.random.default_rng(seed)
    image, placement = fit(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), SIDE, SIDE)
    cells = np.zeros((32, 32), np.bool_)
    cells[placement.grid_region] = rng.random(cells[placement.grid_region].shape) < rng.random()
    mask = refine(image, cells, placement)
    around = np.pad(cells, 1)
    near = np.any([around[i : i + 32, j : j + 32] for i in range(3) for j in range(3)], axis=0)
    inside = np.zeros((SIDE, SIDE), np.bool_)
    inside[placement.region] = True
    assert set(np.unique(mask)) <= {0, PLANT}
    assert not (mask[~(on_pixels(near.view(np.uint8)) > 0)]).any()
    assert not mask[~inside].any()
