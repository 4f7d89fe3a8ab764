"""How far two models agree: pure numbers, and the line between near enough and not."""

import numpy as np
import pytest

from edge.contract.control import ModelRef
from edge.settings import AgreementSettings
from edge.sights import Finding
from edge.update.agreement import Comparison, difference

MODEL = ModelRef(name="green", version="0.0.2", digest=f"sha256:{1:064x}")
LIMITS = AgreementSettings()


def finding(
    area: int = 100, count: int = 1, side: int = 32, names: tuple[str, ...] = ("background", "leaf")
) -> Finding:
    classes = np.zeros((side, side), np.uint8)
    classes.ravel()[:area] = 1
    return Finding(names, classes, classes == 1, {"plant_count": count})


def compared(*pairs: tuple[Finding, Finding]) -> Comparison:
    comparison = Comparison(MODEL, LIMITS)
    for candidate, active in pairs:
        comparison.add(difference(candidate, active), with_plants=active.sees_plants)
    return comparison


def test_equal_findings_do_not_differ():
    found = difference(finding(), finding())
    assert (found.count, found.area_log2, found.same_class, found.gone_blind) == (0, 0.0, 1.0, False)
    assert found.within(LIMITS)


@pytest.mark.parametrize(
    ("candidate", "within"),
    [
        (finding(count=3), True),
        (finding(count=4), False),
        (finding(area=150), True),
        (finding(area=250), False),
        (finding(area=0, count=0), False),
    ],
)
def test_the_line_between_near_enough_and_not(candidate, within):
    assert difference(candidate, finding()).within(LIMITS) is within


def test_where_there_is_much_to_count_a_share_of_it_may_differ():
    assert difference(finding(count=50), finding(count=60)).within(LIMITS)
    assert not difference(finding(count=40), finding(count=60)).within(LIMITS)


def test_grids_and_classes_may_differ():
    finer = difference(finding(400, side=64), finding(100, side=32))
    assert finer.area_log2 == pytest.approx(0, abs=1e-6)
    assert finer.same_class > 0.9
    other = difference(finding(names=("background", "tomato")), finding())
    assert other.same_class == 1.0, "plant or not is what is left to compare"
    counts = Finding(("background", "tomato"), finding().classes, finding().plant, {"fruit_count": 40})
    assert difference(counts, finding()).count == 0


def test_blindness_is_told_as_such_and_needs_plants():
    blind = finding(area=0, count=0)
    assert "blind" in compared(*[(blind, finding())] * 3).objection()
    assert compared(*[(blind, blind)] * 3).objection() == ""
    assert "disagrees" in compared((finding(), finding()), *[(blind, finding())] * 3).objection()


def test_some_pictures_may_differ():
    good, bad = (finding(), finding()), (finding(count=9), finding())
    assert compared(good, good, good, bad).objection() == ""
    assert "only 2 of 4" in compared(good, good, bad, bad).objection()


def test_the_histograms_count_every_picture_in_bounded_bins():
    comparison = compared((finding(count=99), finding()), (finding(area=0), finding(1000)), (finding(), finding()))
    report = comparison.report()
    assert report.pictures == sum(report.count_bins) == sum(report.area_bins) == sum(report.class_bins) == 3
    assert (report.count_bins[-1], report.area_bins[0], report.class_bins[-1], report.agreed) == (1, 1, 2, 1)
    assert (len(report.count_bins), len(report.area_bins), len(report.class_bins)) == (17, 17, 10)


def test_of_fewer_pictures_than_planned_only_what_cannot_be_mended_any_more_is_an_objection():
    other = finding(count=9)
    pairs = [(finding(), finding())] * 4 + [(other, finding())] * 2
    assert compared(*pairs).objection(planned=6)
    assert not compared(*pairs).objection(planned=10)
    assert "6 of 8" in compared(*pairs, (other, finding())).objection(planned=8)
