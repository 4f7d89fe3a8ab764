"""Drift windows add up exactly, and many e-values are judged together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.drift import Moments, WindowSums, discoveries, merged
from edge.contract.reference import BINS
from edge.drift.reference import Fourier, by_band, digest_of, distributions, jensen_shannon, psi, sums_of

RNG = np.random.default_rng(4)
ROWS = [
    {"light": float(value), "count": float(count)}
    for value, count in zip(RNG.normal(100, 9, 200), RNG.poisson(8, 200), strict=True)
]
REFERENCE = distributions(ROWS)
TERMS = RNG.normal(size=(200, 64))


def window(indices):
    return merged(sums_of(ROWS[index], TERMS[index], REFERENCE) for index in indices)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=200, max_size=200))
def test_the_parts_of_a_window_add_up_to_the_whole_however_it_is_cut(parts):
    cut = [window([index for index, part in enumerate(parts) if part == each]) for each in range(6)]

    whole, sewn = window(range(200)), merged(cut)

    assert sewn.captures == whole.captures == 200
    assert sewn.histograms == whole.histograms
    assert sewn.fourier == pytest.approx(whole.fourier, abs=1e-9)
    for name, moments in whole.moments.items():
        assert sewn.moments[name].count == moments.count
        assert sewn.moments[name].mean == pytest.approx(moments.mean, rel=1e-12)
        assert sewn.moments[name].m2 == pytest.approx(moments.m2, rel=1e-9)


def test_moments_are_those_of_all_values():
    values = [row["light"] for row in ROWS]
    moments = window(range(200)).moments["light"]
    assert moments.mean == pytest.approx(np.mean(values))
    assert moments.m2 == pytest.approx(np.var(values) * 200)


def test_nothing_adds_nothing():
    assert Moments(count=0, mean=0, m2=0) + Moments(count=0, mean=0, m2=0) == Moments(count=0, mean=0, m2=0)
    assert merged([]) == WindowSums()
    assert merged([WindowSums(), window([3]), WindowSums()]) == window([3])


def test_windows_of_different_statistics_are_not_added():
    other = merged([sums_of({"light": 1.0}, TERMS[0], {"light": REFERENCE["light"]})])
    with pytest.raises(ValueError, match="different statistics"):
        window([0]) + other


def test_every_value_falls_into_one_bin():
    for value in (-1e9, *REFERENCE["light"].edges, 1e9):
        assert sum(sums_of({"light": value}, TERMS[0], REFERENCE).histograms["light"]) == 1
    assert len(window([0]).histograms["light"]) == BINS


def test_the_digest_is_that_of_what_is_compared_with():
    assert digest_of(REFERENCE) == digest_of(distributions(ROWS))
    assert digest_of(REFERENCE) != digest_of(distributions(ROWS[1:]))


def test_a_light_with_few_captures_gets_no_reference():
    found = by_band([("day", row) for row in ROWS[:180]] + [("dim", row) for row in ROWS[180:199]])
    assert set(found) == {"day"}


def test_equal_shares_have_no_divergence_and_a_shift_has():
    equal, shifted = [20] * BINS, [0] * (BINS - 1) + [200]
    assert psi(equal, [0.1] * BINS) == pytest.approx(0, abs=1e-12)
    assert jensen_shannon(equal, [0.1] * BINS) == pytest.approx(0, abs=1e-12)
    assert psi(shifted, [0.1] * BINS) > 2
    assert 0.5 < jensen_shannon(shifted, [0.1] * BINS) < 1


def test_fourier_terms_tell_distributions_apart_and_are_the_same_on_every_device():
    fourier = Fourier(np.zeros(16), np.ones(16))
    same, other = RNG.normal(size=(2, 300, 16)), RNG.normal(1.0, 1, size=(300, 16))
    middle = [np.mean([fourier.terms(row) for row in rows], axis=0) for rows in (*same, other)]
    assert np.sum((middle[0] - middle[1]) ** 2) * 10 < np.sum((middle[0] - middle[2]) ** 2)
    assert fourier.terms(np.zeros(16, np.float32))[:3] == pytest.approx([-0.15147, -0.06880, -0.05027], abs=1e-5)


def test_discoveries_are_those_of_e_bh():
    """By hand: with n = 4 and alpha = 0.1 the k-th largest must reach 40 / k: 50 ≥ 40, 21 ≥ 20, 13 < 13.3."""
    assert discoveries({"a": 13.0, "b": 50.0, "c": 21.0, "d": 1.0}, 0.1) == ("b", "c")
    assert discoveries({"a": 13.4, "b": 50.0, "c": 21.0, "d": 1.0}, 0.1) == ("b", "c", "a")
    assert discoveries({"a": 39.0, "b": 19.0}, 0.01) == ()
    assert discoveries({}, 0.05) == ()
