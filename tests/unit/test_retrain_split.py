"""Labelled frames are divided by whole cameras or days, and nothing is on both sides."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import PlanError
from fleet.retrain.split import Taken, divided, held_back, read_labels, write_parts

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


def frame(number, camera="a", day=0, site="north"):
    return Taken(f"{site}-{camera}-{day}-{number}.jpg", (site, "dev", camera), NOON + timedelta(days=day))


def document(frames, folder="images/x"):
    images = [{"id": n, "file_name": f"{folder}/{each.file}"} for n, each in enumerate(frames)]
    annotations = [{"id": n, "image_id": n, "category_id": 1} for n in range(len(frames))]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "leaf"}]}


def parts_of(frames, changed, since=NOON):
    known = {each.file: each for each in frames}
    found = divided(document(frames), known, changed, since)
    return {name: {image["file_name"].split("/")[-1] for image in part["images"]} for name, part in found.items()}


SITES = st.sampled_from(["north", "south"])
FRAMES = st.lists(
    st.builds(frame, st.integers(0, 3), st.sampled_from("abcde"), st.integers(0, 6), SITES),
    min_size=1, max_size=40, unique_by=lambda each: each.file,
)  # fmt: skip


@given(FRAMES)
def test_whole_cameras_or_whole_days_are_held_back_and_some_of_each_site_on_both_sides(frames):
    try:
        back = held_back(frames)
    except PlanError:
        return
    for site in {each.camera[0] for each in frames}:
        own = [each for each in frames if each.camera[0] == site]
        split_by = {each.camera for each in own}
        unit = (lambda each: each.camera) if len(split_by) > 1 else (lambda each: each.at.date())
        inside, outside = ({unit(each) for each in own if (each.file in back) is kept} for kept in (True, False))
        assert inside
        assert outside
        assert not inside & outside


def test_of_a_single_camera_the_last_days_are_held_back():
    frames = [frame(n, day=day) for day in range(6) for n in range(2)]
    assert held_back(frames) == {each.file for each in frames if each.at >= NOON + timedelta(days=4)}


def test_one_camera_on_one_day_cannot_be_divided():
    with pytest.raises(PlanError, match="another day"):
        held_back([frame(0), frame(1)])


def test_a_camera_that_is_added_moves_no_other():
    cameras = [frame(0, camera) for camera in "abcdef"]
    assert held_back(cameras[:3]) & held_back([*cameras[:3], frame(0, "b", 1)])


def test_parts_are_fit_each_site_and_what_drifted_with_their_own_labels():
    frames = [frame(n, day=day, site=site) for site in ("north", "south") for day in range(-3, 3) for n in range(2)]
    changed = {("north", "dev", "a")}
    parts = parts_of(frames, changed)
    assert set(parts) == {"fit", "site:north", "site:south", "drifted"}
    assert not parts["fit"] & (parts["site:north"] | parts["site:south"])
    assert parts["drifted"] == parts["site:north"]
    assert parts["fit"] | parts["site:north"] | parts["site:south"] == {each.file for each in frames}
    made = divided(document(frames), {each.file: each for each in frames}, changed, NOON)
    for part in made.values():
        assert {each["image_id"] for each in part["annotations"]} == {image["id"] for image in part["images"]}
        assert part["categories"] == [{"id": 1, "name": "leaf"}]


def test_nothing_labelled_of_what_drifted_is_said():
    with pytest.raises(PlanError, match="drifted"):
        parts_of([frame(0, day=day) for day in range(-4, -1)], {("north", "dev", "a")})


def test_a_picture_from_elsewhere_is_refused():
    with pytest.raises(PlanError, match="is no frame of this retraining"):
        divided(document([frame(0), frame(1, day=1)]), {}, set(), NOON)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"images": 3}', '{"images": [], "annotations": [3]}', '{"images": [{}]}', "[" * 100_000],
)
def test_a_file_that_is_no_coco_is_refused_with_what_to_do(tmp_path, content):
    (tmp_path / "labelled.json").write_text(content)
    with pytest.raises(PlanError, match="COCO"):
        read_labels(tmp_path / "labelled.json")


def test_each_part_is_a_file_beside_the_pictures(tmp_path):
    places = write_parts({"fit": {"images": []}, "site:north": {"images": []}}, tmp_path)
    assert {path.parent for path in places.values()} == {tmp_path}
    assert json.loads(places["site:north"].read_text()) == {"images": []}
