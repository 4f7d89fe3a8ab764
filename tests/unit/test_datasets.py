"""Labelled photographs: every format gives the same labels, and everything wrong is named with its file and a mend."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from tests.sim.painted import ROSETTE, painted_pool
from training.args import DataSettings, load_settings
from training.datasets import Dataset, DatasetInvalid, open_dataset
from training.datasets.photographs import Photographs
from training.datasets.split import share_a_place, split
from training.datasets.validate import Level, problems
from training.synthetic.scene import LEAF, PLANT
from training.targets import make_targets

SIZE_PX = 64
FRUIT = load_settings(Path(__file__).parents[2] / "configs/training/fruit.yaml").model
POOL = painted_pool(4, SIZE_PX)


def write_pictures(folder: Path, count: int = 4) -> None:
    (folder / "images").mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"images/{index}.png"), POOL.pixels[index])


def coco_file(folder: Path, shape: str = "polygon", category: str = "leaf") -> dict:
    """The painted scenes as a COCO file, its leaves as polygons, run lengths or boxes."""
    write_pictures(folder)
    images = [{"id": n, "file_name": f"images/{n}.png", "width": SIZE_PX, "height": SIZE_PX} for n in range(len(POOL))]
    annotations = []
    for scene in range(len(POOL)):
        for number in range(1, 4):
            mask = (POOL.instances[scene, LEAF] == number).astype(np.uint8)
            x, y, width, height = cv2.boundingRect(mask)
            entry = {"image_id": scene, "category_id": 7, "bbox": [x, y, width, height], "iscrowd": 0}
            if shape == "polygon":
                (ring, *_), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                entry["segmentation"] = [(ring.reshape(-1, 2) + 0.5).ravel().tolist()]
            elif shape == "run lengths":
                code = coco.encode(np.asfortranarray(mask))
                entry["segmentation"] = {"size": code["size"], "counts": code["counts"].decode()}
            annotations.append(entry)
    return {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": category}]}


def write_coco(folder: Path, content: dict) -> Path:
    (folder / "my.coco").write_text(json.dumps(content), encoding="utf-8")
    return folder / "my.coco"


@pytest.mark.parametrize(("shape", "least_iou"), [("polygon", 0.85), ("run lengths", 1.0)])
def test_coco_masks_give_the_leaves_that_were_drawn(tmp_path: Path, shape: str, least_iou: float) -> None:
    photographs = Photographs(open_dataset(write_coco(tmp_path, coco_file(tmp_path, shape))), ROSETTE.model)
    assert len(photographs) == 4
    for index in range(4):
        pixels, labels = photographs[index]
        truth = POOL.labels(index)
        assert np.array_equal(pixels, POOL.pixels[index])
        ours, theirs = labels.classes > 0, truth.classes > 0
        assert (ours & theirs).sum() / (ours | theirs).sum() >= least_iou
        ours_at, theirs_at = (
            sorted(map(tuple, rows[:, 1:].round().tolist())) for rows in (labels.centres[LEAF], truth.centres[LEAF])
        )
        np.testing.assert_allclose(ours_at, theirs_at, atol=1.5)


def test_a_folder_of_masks_is_what_the_same_coco_file_is(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "masks" / "masks").mkdir(parents=True)
    write_pictures(tmp_path / "masks")
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"masks/masks/{index}.png"), POOL.instances[index, LEAF].astype(np.uint8))
    ours = Photographs(open_dataset(tmp_path / "masks"), ROSETTE.model)
    theirs = Photographs(
        open_dataset(write_coco(tmp_path / "coco", coco_file(tmp_path / "coco", "run lengths"))), ROSETTE.model
    )
    for index in range(4):
        for one, other in zip(ours[index][1].centres, theirs[index][1].centres, strict=True):
            assert sorted(map(tuple, one[:, 1:].tolist())) == sorted(map(tuple, other[:, 1:].tolist()))
        assert np.array_equal(ours[index][1].classes, theirs[index][1].classes)


def test_in_a_coloured_mask_each_colour_is_an_instance(tmp_path: Path) -> None:
    (tmp_path / "masks" / "plant").mkdir(parents=True)
    write_pictures(tmp_path, 1)
    colours = np.array([[0, 0, 0], [0, 0, 255], [0, 255, 255], [255, 255, 0]], np.uint8)
    cv2.imwrite(str(tmp_path / "masks/plant/0.png"), colours[POOL.instances[0, LEAF]])
    dataset = open_dataset(tmp_path)
    assert dataset.categories == ("plant",)
    assert len(dataset.pictures[0].annotations) == 3


def test_where_only_leaves_were_marked_nobody_is_asked_for_plants(tmp_path: Path) -> None:
    _, labels = Photographs(open_dataset(write_coco(tmp_path, coco_file(tmp_path))), ROSETTE.model)[0]
    assert labels.annotated == (False, True)
    counted = make_targets(labels).counted
    assert not counted[PLANT].any()
    assert counted[LEAF].all()


def test_around_a_fruit_may_be_anything_but_fruit_and_in_the_corners_of_its_box_anything(tmp_path: Path) -> None:
    content = coco_file(tmp_path, "box", "tomato")
    _, labels = Photographs(open_dataset(write_coco(tmp_path, content)), FRUIT, {"tomato": "fruit"})[0]
    x, y, width, height = (int(side) for side in content["annotations"][0]["bbox"])
    said = labels.allowed[labels.classes]
    assert said[y + height // 2, x + width // 2].tolist() == [False, False, True]
    assert said[0, 0].tolist() == [True, True, False]
    assert said[y, x].tolist() == [True, True, True]
    middles = labels.centres[0][:, 1:]
    assert np.abs(middles - (y + (height - 1) / 2, x + (width - 1) / 2)).max(1).min() < 0.01


def test_a_crowd_has_its_class_and_is_not_counted(tmp_path: Path) -> None:
    content = coco_file(tmp_path, "run lengths")
    content["annotations"][0]["iscrowd"] = 1
    _, labels = Photographs(open_dataset(write_coco(tmp_path, content)), ROSETTE.model)[0]
    assert len(labels.centres[LEAF]) == 2
    crowd = POOL.instances[0, LEAF] == 1
    assert np.array_equal(labels.crowd, crowd)
    assert (labels.classes[crowd] == 1).all()


def test_the_digest_names_the_content_wherever_it_lies(tmp_path: Path) -> None:
    digests = []
    for place in ("a", "b", "c", "d"):
        (tmp_path / place).mkdir()
        content = coco_file(tmp_path / place)
        if place == "c":
            content["annotations"].pop()
        if place == "d":
            cv2.imwrite(str(tmp_path / place / "images/0.png"), POOL.pixels[1])
        digests.append(open_dataset(write_coco(tmp_path / place, content)).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


# What is wrong, and what the message must name.


def missing(folder: Path, _: dict) -> None:
    (folder / "images/2.png").unlink()


def corrupt(folder: Path, _: dict) -> None:
    (folder / "images/2.png").write_bytes((folder / "images/2.png").read_bytes()[:90])


def another_size(folder: Path, _: dict) -> None:
    cv2.imwrite(str(folder / "images/2.png"), np.zeros((8, 8, 3), np.uint8))


def empty_mask(_: Path, content: dict) -> None:
    content["annotations"][7] |= {"segmentation": None, "bbox": [900, 900, 4, 4]}


def twice(_: Path, content: dict) -> None:
    content["annotations"].append(content["annotations"][7])


def same_picture(folder: Path, _: dict) -> None:
    cv2.imwrite(str(folder / "images/3.png"), POOL.pixels[0])


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (missing, r"images/2.png.*cannot be read"),
        (corrupt, r"images/2.png is no picture"),
        (another_size, r"images/2.png is 8 x 8 px.*64 x 64"),
        (empty_mask, r"images/2.png: annotation 1 .*no pixel"),
        (twice, r"images/2.png: annotations 1 and 3 .*twice"),
        (same_picture, r"images/0.png: .*shows what images/3.png"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_wrong_with_a_picture_is_an_error_that_names_it(
    tmp_path: Path, spoil: Callable[[Path, dict], None], named: str
) -> None:
    content = coco_file(tmp_path, "run lengths")
    spoil(tmp_path, content)
    train, held_back = split(open_dataset(write_coco(tmp_path, content)), DataSettings(held_back=0.3))
    found = problems(Photographs(train, ROSETTE.model), Photographs(held_back, ROSETTE.model))
    errors = [problem.line for problem in found if problem.level is Level.ERROR]
    with pytest.raises(DatasetInvalid, match=named):
        raise DatasetInvalid("\n".join(errors))


def test_where_there_is_only_one_place_what_looks_the_same_on_both_sides_is_a_warning(tmp_path: Path) -> None:
    content = coco_file(tmp_path, "run lengths")
    same_picture(tmp_path, content)
    settings = DataSettings(held_back=0.3)
    train, held_back = split(open_dataset(write_coco(tmp_path, content)), settings)
    assert share_a_place(train, held_back, settings)
    photographs = Photographs(train, ROSETTE.model), Photographs(held_back, ROSETTE.model)
    (found,) = problems(*photographs, one_place=True)
    assert (found.level, "shows what images/3.png" in found.what) == (Level.WARNING, True)
    assert not share_a_place(train, train.only(train.pictures[:0]), settings)


def test_a_dataset_without_fault_has_no_problem(tmp_path: Path) -> None:
    train, held_back = split(open_dataset(write_coco(tmp_path, coco_file(tmp_path))), DataSettings())
    found = [
        problem.line for problem in problems(Photographs(train, ROSETTE.model), Photographs(held_back, ROSETTE.model))
    ]
    assert not found


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "my.coco is no COCO file"),
        ('{"images": [], "annotations": []}', "categories"),
        ({"categories": [{"id": 7, "name": "cactus"}]}, r"my.coco has the categories \['cactus'\].*data.things"),
        ({"images": []}, "annotation 0 is of image 0"),
        ({"images": [], "annotations": []}, "my.coco has no picture"),
        ({"annotations": []}, "my.coco has no annotation"),
        (
            {"images": [{"id": 0, "file_name": "../x.png", "width": 9, "height": 9}], "annotations": []},
            "outside its folder",
        ),
        ({"images": [{"id": 0, "file_name": "x.png", "width": 10**9, "height": 9}]}, "no COCO file"),
    ],
    ids=["cut off", "no categories", "unknown category", "unknown image", "empty", "no instances", "outside", "huge"],
)
def test_what_is_no_use_is_refused_with_its_file_and_a_mend(tmp_path: Path, content: str | dict, named: str) -> None:
    path = write_coco(tmp_path, coco_file(tmp_path) | content) if isinstance(content, dict) else tmp_path / "my.coco"
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetInvalid, match=named):
        Photographs(open_dataset(path), ROSETTE.model)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 2, 3]],
        {"size": [64, 64], "counts": "garbage"},
        {"size": [9, 9], "counts": [81]},
        {"size": [64, 64], "counts": [7]},
    ],
    ids=["two corners", "garbage", "another size", "too short"],
)
def test_a_mask_that_cannot_be_is_refused_with_its_number(tmp_path: Path, segmentation: object) -> None:
    content = coco_file(tmp_path)
    content["annotations"][5]["segmentation"] = segmentation
    with pytest.raises(DatasetInvalid, match=r"my.coco: annotation 5 cannot be used"):
        open_dataset(write_coco(tmp_path, content))


def test_a_folder_that_is_no_dataset_says_what_would_be(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="images/ and masks/"):
        open_dataset(tmp_path)


def test_a_mask_without_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    write_pictures(tmp_path, 1)
    cv2.imwrite(str(tmp_path / "masks/9.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(DatasetInvalid, match=r"9\.png has no picture"):
        open_dataset(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["size", "counts", "id", "name"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(part=st.sampled_from(["images", "annotations", "categories"]), field=st.text(max_size=4), value=json_values)
def test_a_file_with_anything_in_it_is_read_or_refused(tmp_path_factory, part: str, field: str, value: object) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    content = {
        "images": [{"id": 0, "file_name": "a.png", "width": 8, "height": 8}],
        "annotations": [{"image_id": 0, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": None}],
        "categories": [{"id": 1, "name": "leaf"}],
    }
    names = list(content[part][0])
    content[part][0][names[len(field) % len(names)]] = value
    try:
        dataset = open_dataset(write_coco(folder, content))
    except DatasetInvalid:
        return
    assert isinstance(dataset, Dataset)


# Splits.


def named_dataset(names: list[str]) -> Dataset:
    from training.datasets.annotations import Picture

    return Dataset(Path("d"), Path("d"), ("leaf",), tuple(Picture(name, 8, 8, ()) for name in names))


def test_no_place_is_on_both_sides_of_a_split() -> None:
    dataset = named_dataset([f"images/cam{number % 7}_{number:03d}.png" for number in range(70)])
    train, held_back = split(dataset, DataSettings(group=r"cam(\d)"))
    cameras = [{picture.name[10] for picture in part.pictures} for part in (train, held_back)]
    assert not cameras[0] & cameras[1]
    assert len(train.pictures) + len(held_back.pictures) == 70
    assert 0.1 < len(held_back.pictures) / 70 < 0.35


def test_neighbouring_numbers_are_one_place() -> None:
    dataset = named_dataset([f"tomato{number}.jpg" for number in range(200)])
    _, held_back = split(dataset, DataSettings(group=r"tomato(\d+)", block=50))
    numbers = sorted(int(picture.name[6:-4]) for picture in held_back.pictures)
    assert numbers == list(range(numbers[0], numbers[0] + 50))


def test_a_picture_that_is_added_moves_no_other_to_the_other_side() -> None:
    names = [f"plant{number % 10}/{number}.png" for number in range(100)]
    before = {picture.name for picture in split(named_dataset(names), DataSettings())[1].pictures}
    after = {picture.name for picture in split(named_dataset([*names, "plant3/x.png"]), DataSettings())[1].pictures}
    assert before <= after


def test_of_a_single_place_the_last_frames_are_held_back_together() -> None:
    _, held_back = split(named_dataset([f"images/{number:03d}.png" for number in range(50)]), DataSettings())
    assert [picture.name for picture in held_back.pictures] == [f"images/{number:03d}.png" for number in range(40, 50)]


def test_a_name_that_does_not_tell_its_place_is_refused() -> None:
    with pytest.raises(DatasetInvalid, match=r"data\.group .* finds nothing in b\.png"):
        split(named_dataset(["cam1.png", "b.png"]), DataSettings(group=r"cam(\d)"))
    with pytest.raises(DatasetInvalid, match="nothing can be held back"):
        split(named_dataset(["a.png"]), DataSettings())
