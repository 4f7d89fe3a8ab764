"""The tail of the graph: what is a peak, and what is certain."""

import torch

from training.graph import Graph, _certainty, _divide, strongest_peaks
from training.network import Maps


def scores(*peaks: tuple[int, int, int, float], size: int = 9) -> torch.Tensor:
    heat = torch.zeros(1, 2, size, size)
    for thing, y, x, score in peaks:
        heat[0, thing, y, x] = score
    return heat


def found(heat: torch.Tensor, count: int = 8) -> list[tuple[float, ...]]:
    rows = strongest_peaks(heat, count)[0]
    return [tuple(round(value, 4) for value in row.tolist()) for row in rows if row[2] > 0]


def test_peaks_come_strongest_first_with_place_and_thing() -> None:
    assert found(scores((0, 2, 7, 0.5), (1, 6, 1, 0.9))) == [(6, 1, 0.9, 1), (2, 7, 0.5, 0)]


def test_a_shoulder_of_a_peak_is_none() -> None:
    assert found(scores((0, 4, 4, 0.9), (0, 4, 5, 0.8))) == [(4, 4, 0.9, 0)]


def test_equal_neighbours_are_one_peak() -> None:
    plateau = scores((0, 4, 4, 0.5), (0, 4, 5, 0.5), (0, 5, 4, 0.5), (0, 5, 5, 0.5))
    assert len(found(plateau)) == 1


def test_among_equals_the_higher_neighbourhood_wins() -> None:
    assert found(scores((0, 4, 4, 0.5), (0, 4, 5, 0.5), (0, 4, 6, 0.4))) == [(4, 5, 0.5, 0)]


def test_things_do_not_suppress_each_other() -> None:
    assert len(found(scores((0, 4, 4, 0.9), (1, 4, 4, 0.5)))) == 2


def test_only_the_strongest_are_given_when_there_are_too_many() -> None:
    assert found(scores((0, 1, 1, 0.3), (0, 4, 4, 0.9), (0, 7, 7, 0.6)), count=2) == [(4, 4, 0.9, 0), (7, 7, 0.6, 0)]


def test_certainty_is_the_mean_over_the_cells_of_a_class_and_zero_without_any() -> None:
    best = torch.tensor([[[[0.9, 0.7], [0.8, 0.6]]]])
    classes = torch.tensor([[[[0, 0], [0, 2]]]])
    torch.testing.assert_close(_certainty(best, classes, 3), torch.tensor([[0.8, 0.0, 0.6]]))


def test_certainty_is_that_of_the_softmax() -> None:
    maps = Maps(torch.randn(1, 3, 8, 8) * 4, torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 8, 8), torch.zeros(1, 5))
    classes, _, _, certainty, _ = Graph(lambda _: maps, top_k=1)(torch.zeros(1))
    probability, best = maps.semantic.softmax(1).max(1)
    assert torch.equal(classes, best.to(torch.uint8))
    expected = torch.stack([probability[best == number].mean() for number in range(3)])
    torch.testing.assert_close(certainty[0], expected)


def test_division_in_float_is_that_of_whole_numbers() -> None:
    numbers = torch.arange(4 * 1024 * 1024)
    for by in (1, 3, 127, 128, 1023, 16384, 1024 * 1024):
        quotient, remainder = _divide(numbers.to(torch.float32), by)
        assert torch.equal(quotient.long(), numbers // by)
        assert torch.equal(remainder.long(), numbers % by)
