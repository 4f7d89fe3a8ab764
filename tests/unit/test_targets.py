"""Targets, views and losses on hand-made pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.args import AugmentationSettings
from training.augment import View, random_view, see
from training.labels import Labels, exact
from training.loss import dice_loss, focal_loss, offset_loss, partial_cross_entropy
from training.targets import centre_offsets, heatmap, majority, make_targets, owners

SIZE = 64


def square(number: int, top: int, left: int, side: int, size: int = SIZE) -> np.ndarray:
    plane = np.zeros((size, size), np.uint16)
    plane[top : top + side, left : left + side] = number
    return plane


def one_leaf(top: int = 16, left: int = 32, side: int = 12) -> Labels:
    leaf = square(1, top, left, side)
    middle = (side - 1) / 2
    centre = np.array([[1, top + middle, left + middle]], np.float32)
    return Labels((leaf > 0).astype(np.uint8), np.stack([leaf, leaf]), (centre, centre), 1, exact(2))


def test_a_cell_is_of_the_class_that_covers_most_of_it() -> None:
    classes = np.zeros((8, 8), np.uint8)
    classes[:3, :4] = 1
    classes[4:, 4:5] = 1
    assert majority(classes, 2).tolist() == [[1, 0], [0, 0]]


def test_the_heat_is_one_at_the_centre_and_nowhere_else() -> None:
    heat = make_targets(one_leaf()).heat[1]
    assert np.argwhere(heat == 1).tolist() == [[5, 9]]
    assert 0 < heat[5, 10] < 1


def test_a_leaf_out_of_the_picture_or_too_small_to_see_is_not_asked_for() -> None:
    centres = np.array([[1, -9, 20], [2, 20, 20]], np.float32)
    assert not heatmap(square(1, 0, 16, 8) + square(2, 20, 20, 2), centres).any()


def test_offsets_point_to_the_centre() -> None:
    targets = make_targets(one_leaf())
    rows, columns = np.nonzero(targets.inside)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(y, x) for y in (4, 5, 6) for x in (8, 9, 10)}
    np.testing.assert_allclose(rows + targets.offsets[0][rows, columns], 5.0)
    np.testing.assert_allclose(columns + targets.offsets[1][rows, columns], 9.0)


def test_a_cell_of_an_instance_without_a_known_centre_has_no_offset() -> None:
    _, inside = centre_offsets(np.array([[0, 1], [2, 2]], np.uint16), np.array([[1, 3, 3]], np.float32))
    assert inside.tolist() == [[0, 1], [0, 0]]


def test_a_cell_belongs_to_the_instance_that_has_most_of_it_whatever_lies_in_its_middle() -> None:
    numbers = np.zeros((4, 12), np.uint16)
    numbers[:, 0:2] = 5  # half of the first cell, and its middle is soil
    numbers[:, 4:8] = 2
    numbers[2:, 6:8] = 7  # the middle of the second cell
    assert owners(numbers).tolist() == [[5, 2, 0]]


def test_large_instances_do_not_drown_small_ones_in_what_offsets_cost() -> None:
    numbers = np.repeat(np.array([1, 2], np.uint16), (16, 4))[None]
    _, counts = centre_offsets(numbers, np.array([[1, 0, 0], [2, 0, 70]], np.float32))
    assert counts[numbers == 1].sum() == pytest.approx(2 * counts[numbers == 2].sum())


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_view_moves_pixels_labels_and_centres_alike(turns: int, mirrored: bool) -> None:
    labels = one_leaf()
    pixels = np.repeat(labels.classes[..., None] * 200, 3, axis=2).astype(np.uint8)
    view = View(size_px=96, zoom=2.0, top_px=8, left_px=24, quarter_turns=turns, mirrored=mirrored)
    seen, moved = see(pixels, labels, view)
    rows, columns = np.nonzero(moved.instances[1])
    assert len(rows) == 24 * 24
    np.testing.assert_allclose(moved.centres[1][0], [1, rows.mean(), columns.mean()], atol=0.51)
    assert (seen[..., 0] > 100).sum() == pytest.approx(24 * 24, rel=0.05)


def test_a_view_beyond_the_picture_is_padded_as_the_device_pads() -> None:
    labels = one_leaf()
    pixels = np.full((SIZE, SIZE, 3), 99, np.uint8)
    view = View(size_px=96, zoom=1.0, top_px=-16, left_px=-32, quarter_turns=0, mirrored=False)
    seen, moved = see(pixels, labels, view)
    assert (seen[16:80, 32:] == 99).all()
    assert seen.sum() == 99 * 3 * SIZE * SIZE
    assert moved.centres[1][0].tolist() == [1, 16 + 16 + 5.5, 32 + 32 + 5.5]


def test_the_same_seed_gives_the_same_view_and_another_another() -> None:
    settings = AugmentationSettings(crop_px=96)
    views = [random_view(np.random.default_rng(seed), (128, 128), 128, settings) for seed in (1, 1, 2)]
    assert views[0] == views[1] != views[2]


def test_a_perfect_answer_has_almost_no_loss_and_a_wrong_one_has() -> None:
    targets = make_targets(one_leaf())
    allowed, heat = torch.from_numpy(targets.allowed)[None], torch.from_numpy(targets.heat)[None]
    right = allowed * 40.0 - 20.0
    for loss in (dice_loss, partial_cross_entropy):
        assert loss(right, allowed) < 1e-4
        assert loss(-right, allowed) > 0.9
    peaked = torch.where(heat == 1, 20.0, -20.0)
    assert focal_loss(peaked, heat, torch.ones_like(heat)) < 1e-4
    assert focal_loss(-peaked, heat, torch.ones_like(heat)) > 10


def test_what_an_annotator_left_open_is_no_mistake_whatever_is_said_of_it() -> None:
    open_corner = one_leaf()
    codes = open_corner.classes.copy()
    codes[:8, :8] = 2
    allowed = np.array([[True, False], [False, True], [True, True]])
    targets = make_targets(replace(open_corner, classes=codes, allowed=allowed))
    known = torch.from_numpy(targets.allowed)[None]
    answers = [torch.where(known[:, :1], 20.0, -20.0).repeat(1, 2, 1, 1) * torch.tensor([1.0, -1.0])[:, None, None]]
    answers.append(answers[0].clone())
    answers[1][..., :2, :2] *= -1
    assert partial_cross_entropy(answers[0], known) == partial_cross_entropy(answers[1], known) < 1e-4
    assert dice_loss(answers[0], known) == dice_loss(answers[1], known) < 1e-4


def test_one_of_several_possible_classes_is_enough_and_none_is_not() -> None:
    leaf_or_fruit = torch.tensor([False, True, True]).reshape(1, 3, 1, 1)
    said = torch.tensor([[-9.0, 9.0, -9.0], [-9.0, -9.0, 9.0], [9.0, -9.0, -9.0]])
    losses = [float(partial_cross_entropy(logits.reshape(1, 3, 1, 1), leaf_or_fruit)) for logits in said]
    assert losses[0] < 1e-4 > losses[1]
    assert losses[2] > 9


def test_where_nobody_counted_a_peak_is_neither_right_nor_wrong() -> None:
    labels = one_leaf()
    crowd = np.zeros(labels.classes.shape, np.bool_)
    crowd[32:] = True
    targets = make_targets(replace(labels, crowd=crowd, annotated=(False, True)))
    assert not targets.counted[0].any()
    assert targets.counted[1, :8].all()
    assert not targets.counted[1, 8:].any()
    heat, counted = torch.from_numpy(targets.heat)[None], torch.from_numpy(targets.counted)[None]
    peaked = torch.where(heat == 1, 20.0, -20.0)
    peaked[0, 0], peaked[0, 1, 12, 12] = 20.0, 20.0
    assert focal_loss(peaked, heat, counted) < 1e-4


def test_offsets_are_judged_only_where_there_is_an_instance() -> None:
    inside = torch.zeros(1, 4, 4)
    inside[0, 1, 1] = 1
    predicted = torch.full((1, 2, 4, 4), 9.0)
    predicted[0, :, 1, 1] = torch.tensor([2.0, -1.0])
    assert offset_loss(predicted, torch.zeros(1, 2, 4, 4), inside) == pytest.approx(3.0)
