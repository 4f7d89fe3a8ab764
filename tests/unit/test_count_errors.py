"""The error of counts is estimated by how sure the model was, with bounds; where nothing is known, nothing is said."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from edge.backends import open_backend
from edge.contract.drift import Moments, WindowSums, merged
from edge.contract.reference import REFERENCE_FILE, CountErrors, Reference
from edge.drift.count_errors import estimated
from edge.errors import ConfigError
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs
from training.cli import app
from training.count_errors import Known, Look, add_to, curve, grown, look, measure, tells
from training.reference import LEAST_PICTURES, make_reference
from training.synthetic.timelapse import Tray

CURVE = CountErrors(scores=(0.4, 0.8), low=(0.2, 0.0), middle=(0.5, 0.1), high=(1.0, 0.2), pictures=500)
ROSETTE = Path("packages/rosette")


def sums(count: float, score: float, captures: int = 1) -> WindowSums:
    moments = {
        "count.leaf": Moments(count=captures, mean=count, m2=0.0),
        "score.leaf": Moments(count=captures, mean=score, m2=0.0),
    }
    return WindowSums(captures=captures, moments=moments)


def seen(score: float, found: float, there: float, picture: int = 0) -> Look:
    """A thing in a picture that no fault has changed."""
    return Look(float(score), int(found), int(there), float(score), int(found), int(picture))


def test_the_error_is_a_share_of_what_was_found_and_lies_between_its_bounds() -> None:
    (error,) = estimated(sums(100, 0.6), {}, {"leaf": CURVE}).values()
    assert (error.error, error.low, error.high, error.found) == (30.0, 10.0, 60.0, 100.0)


def test_beyond_what_was_measured_the_ends_hold() -> None:
    assert estimated(sums(10, 0.1), {}, {"leaf": CURVE})["leaf"].error == 5.0
    assert estimated(sums(10, 0.99), {}, {"leaf": CURVE})["leaf"].error == 1.0


@pytest.mark.parametrize("window", [WindowSums(), sums(0, 0.0), sums(0, 0.0, captures=0)])
def test_where_nothing_was_found_there_is_no_estimate(window: WindowSums) -> None:
    assert estimated(window, {}, {"leaf": CURVE}) == {}


def test_what_is_no_longer_found_counts_as_missed() -> None:
    """Of 100 leaves at a score of 0.8, off by 10 then, 40 are gone: 50 are missing, however sure the rest is."""
    changes = {"count.leaf": -40.0, "score.leaf": 0.0}
    (error,) = estimated(sums(60, 0.8), changes, {"leaf": CURVE}).values()
    assert (error.error, error.low, error.high, error.found) == (50.0, 0.0, 60.0, 60.0)
    (blind,) = estimated(sums(0, 0.0), {"count.leaf": -100.0, "score.leaf": -0.8}, {"leaf": CURVE}).values()
    assert (blind.error, blind.found) == (110.0, 0.0)


def test_a_crop_that_grows_is_not_missed() -> None:
    (error,) = estimated(sums(100, 0.8), {"count.leaf": 20.0, "score.leaf": 0.0}, {"leaf": CURVE}).values()
    assert error.error == 10.0


def test_a_package_that_does_not_know_its_errors_gives_no_estimate() -> None:
    assert estimated(sums(10, 0.5), {}, {}) == {}
    reference = Reference.model_validate_json((ROSETTE / REFERENCE_FILE).read_bytes())
    old = reference.model_dump(exclude={"count_errors"})
    assert Reference.model_validate(old).count_errors == {}


def test_windows_of_one_day_give_the_estimate_of_all_their_captures() -> None:
    whole = merged([sums(100, 0.5, captures=3), sums(40, 0.7, captures=1)])
    (error,) = estimated(whole, {}, {"leaf": CURVE}).values()
    assert error.found == 85.0
    assert error.error == pytest.approx(85 * np.interp(0.55, CURVE.scores, CURVE.middle))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_a_curve_never_rises_and_its_bounds_are_in_order_whatever_was_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = zip(rng.choice([0.3, 0.5, 1.0], 120), rng.integers(1, 50, 120), rng.integers(0, 99, 120), strict=True)
    found = curve([seen(*row) for row in rows])  # the contract refuses any other
    assert found.pictures == 120


def test_the_surer_the_nearer_and_nine_of_ten_lie_between_the_bounds() -> None:
    rng = np.random.default_rng(2)
    score, found = rng.uniform(0.3, 0.9, 3_000), rng.integers(50, 100, 3_000)
    there = found + np.rint(rng.normal(0, 1, 3_000) * found * (0.95 - score) / 2)
    known = curve([seen(*row) for row in zip(score, found, there, strict=True)])
    middle, low, high = (np.interp(score, known.scores, line) * found for line in (known.middle, known.low, known.high))
    apart = np.abs(there - found)
    assert known.middle[0] > 4 * known.middle[-1]
    assert np.mean((apart >= low) & (apart <= high)) >= 0.85
    assert middle.mean() == pytest.approx(apart.mean(), rel=0.15)


def test_scores_that_tell_nothing_give_no_estimate() -> None:
    rng = np.random.default_rng(3)
    score, found, picture = rng.uniform(0.3, 0.9, 2_000), rng.integers(10, 20, 2_000), np.arange(2_000)
    by_score = found + np.rint(found * (0.9 - score))
    by_chance = found + rng.integers(0, 9, 2_000)
    assert tells([seen(*row) for row in zip(score, found, by_score, picture, strict=True)])
    assert not tells([seen(*row) for row in zip(score, found, by_chance, picture, strict=True)])


def test_lines_that_rise_or_cross_are_refused() -> None:
    for wrong in ({"middle": (0.1, 0.5)}, {"low": (0.9, 0.0)}, {"high": (1.0,)}, {"scores": (0.8, 0.4)}):
        with pytest.raises(ValidationError):
            CountErrors.model_validate(CURVE.model_dump() | wrong)


def test_a_package_learns_its_errors_under_faults_and_is_whole_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that finds green looks at green discs under every fault: where fog veils them it is less sure."""
    monkeypatch.setattr("training.count_errors.WORTH", 9.0)  # its scores tell little of its errors
    package = ModelPackage.open(build_green_package(tmp_path / "green"))
    backend = open_backend(package, InferenceSettings(package=package.path, precision="fp32"))
    ground = np.clip(np.random.default_rng(0).normal(100, 8, (128, 128, 3)), 0, 255).astype(np.uint8)
    pictures = [discs(ground, [(30 + step, 40, 14), (90, 80 - step, 17)]) for step in range(LEAST_PICTURES)]
    (tmp_path / "green" / REFERENCE_FILE).write_text(
        make_reference(package, "fp32", backend, pictures).model_dump_json()
    )
    known = [Known(each, each[:, :, 1] > 130, {"plant": 2}) for each in pictures[:10]]
    measured = measure(package, backend, known)
    sealed = add_to(package, measured)
    assert sealed.digest != package.digest
    assert Reference.model_validate_json((sealed.path / REFERENCE_FILE).read_bytes()).count_errors == measured
    assert list(measured) == ["plant"], "of leaves nobody knows how many there are"
    assert measured["plant"].scores[-1] > measured["plant"].scores[0] + 0.05
    ((_, score, found), *_) = look(package, backend, pictures[0])
    assert (found, score > measured["plant"].scores[0]) == (2, True)


def test_the_command_line_adds_them_to_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.count_errors.WORTH", 9.0)
    monkeypatch.setattr("training.count_errors.LEAST_LOOKS", 40)
    small = Tray(rows=1, columns=3, height_px=120, width_px=360, cell_px=100)
    monkeypatch.setattr("training.count_errors.TRAYS", (small,))
    package = ModelPackage.open(build_green_package(tmp_path / "green"))
    refused = CliRunner().invoke(app, ["count-errors", str(package.path)])
    assert (refused.exit_code, "is not there" in refused.output) == (2, True)
    backend = open_backend(package, InferenceSettings(package=package.path))
    pictures = [np.full((64, 64, 3), 60 + level, np.uint8) for level in range(LEAST_PICTURES)]
    reference = make_reference(package, "fp32", backend, pictures)
    (package.path / REFERENCE_FILE).write_text(reference.model_dump_json())
    result = CliRunner().invoke(app, ["count-errors", str(package.path)])
    assert result.exit_code == 0, result.output
    found = ModelPackage.open(package.path)
    assert found.digest in result.output
    known = Reference.model_validate_json((found.path / REFERENCE_FILE).read_bytes()).count_errors
    assert known, result.output


def test_too_few_pictures_measure_nothing(tmp_path: Path) -> None:
    package = ModelPackage.open(build_green_package(tmp_path / "green"))
    backend = open_backend(package, InferenceSettings(package=package.path, precision="fp32"))
    with pytest.raises(ConfigError, match="too few pictures"):
        measure(package, backend, [Known(np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), bool), {"plant": 0})])


def test_a_growing_tray_is_seen_by_day_with_its_truth() -> None:
    *_, known = grown(7, Tray(rows=1, columns=3, height_px=240, width_px=640, cell_px=200))
    assert known.pixels.shape == (240, 640, 3)
    assert known.counts["plant"] == 1, "two pots were never sown"
    assert known.counts["leaf"] >= 1
    assert known.plants.any()
