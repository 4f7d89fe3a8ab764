"""The time of a picture from its name."""

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.sources.phototime import day_in_name, time_in_name

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(params=["UTC", "Europe/Berlin"])
def zone(request, monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("10.9.1.241_pos-165-003-020_2019-10-22-11-05_crop-img17.jpg", (2019, 10, 22, 11, 5)),
        ("2019-10-22_11-05-33.png", (2019, 10, 22, 11, 5, 33)),
        ("IMG_20191022_110533.jpg", (2019, 10, 22, 11, 5, 33)),
        ("2016-09-27_1025_ch129-pos01.jpg", (2016, 9, 27, 10, 25)),
        ("1000744_2022_08_02_17_00_33-7-14-TD03-RGB1_pot_D4.png", (2022, 8, 2, 17, 0, 33)),
        ("2020-02-29T23.59.59.tif", (2020, 2, 29, 23, 59, 59)),
        ("20191022110533.jpg", (2019, 10, 22, 11, 5, 33)),
    ],
)
def test_a_date_in_a_name_is_local_time(zone, name, local):
    assert time_in_name(name) == datetime(*local).astimezone(timezone.utc)


@pytest.mark.parametrize(
    "name",
    [
        "VIS_TV_AA0344.png",
        "B100_rep1_d10.jpg",
        "tomato293.jpg",
        "2019-02-29_11-05.jpg",
        "2019-13-01_11-05.jpg",
        "2019-10-22_24-05.jpg",
        "2019-10-22_11-60.jpg",
        "2019-10-22_11-05-61.jpg",
        "120191022_110533.jpg",
        "20191022_1105331.jpg",
        "2019-10_22-11-05.jpg",
        "from_2019-10-22-11-05_to_2019-10-23-11-05.jpg",
        "2019-10-22.jpg",
    ],
)
def test_a_name_without_exactly_one_valid_date_and_time_has_none(name):
    assert time_in_name(name) is None


def test_a_day_alone_is_found_as_such(zone):
    assert day_in_name("tray7_2019-10-22 (2).jpg") == datetime(2019, 10, 22).astimezone(timezone.utc)
    assert day_in_name("20191022.jpg") is None
    assert day_in_name("2019-10-32.jpg") is None


@pytest.mark.skipif(not DATA.is_dir(), reason="no real pictures at ../shared/data")
@pytest.mark.parametrize(
    ("folder", "dated"),
    [("arabidopsis-timelapse", 12), ("empty-pot", 56), ("seedling-tray", 0), ("side-view-days", 0), ("tomato", 0)],
)
def test_the_names_of_real_collections_are_understood(folder, dated):
    names = [path.name for path in (DATA / folder).iterdir() if path.suffix in {".jpg", ".png"}]
    assert sum(time_in_name(name) is not None for name in names) == dated
