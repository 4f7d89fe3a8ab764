"""The daemon with the shipped model on real photographs: one record for each plot and picture, areas that rise."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.daemon import Daemon
from edge.settings import DeviceSettings
from edge.stored import Selection, stored_records
from tests.sim.pictures import real_pictures

PACKAGE = Path(__file__).parents[2] / "packages" / "rosette"


def observe(pictures: Path, state: Path, plots: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What a run over a folder stores."""
    camera = {"name": "top", "source": {"kind": "folder", "path": str(pictures)}, "plots": plots}
    settings = {
        "site": "gh",
        "device": "cam",
        "state_dir": str(state),
        "inference": {"package": str(PACKAGE)},
        "cameras": [camera],
        "mqtt": None,
    }
    Daemon(DeviceSettings.model_validate(settings), until_end=True).run()
    with stored_records(state) as records:
        return [record.content for record in records.all(Selection(observations_only=True))]


def test_a_plant_of_twelve_days_gives_twelve_observations_whose_leaf_area_rises(tmp_path: Path) -> None:
    folder = real_pictures("arabidopsis-timelapse/*.jpg")[0].parent
    found = observe(folder, tmp_path)
    assert len(found) == 12
    assert [each["outcome"] for each in found] == ["measured"] * 12
    days = [each["clock"]["at"][:10] for each in found]
    assert days == sorted(set(days))
    assert (days[0], days[-1]) == ("2019-10-22", "2019-11-02")
    areas = [trait["value"] for each in found for trait in each["traits"] if trait["trait"] == "projected_leaf_area"]
    ranks = np.argsort(np.argsort(areas))
    assert np.corrcoef(ranks, np.arange(12))[0, 1] >= 0.95


@pytest.mark.parametrize("picture", ["tray/multiplant.jpg"])
def test_a_tray_of_eighteen_pots_gives_one_record_for_each(tmp_path: Path, picture: str) -> None:
    (tmp_path / "pictures").mkdir()
    shutil.copy(real_pictures(picture)[0], tmp_path / "pictures")
    found = observe(tmp_path / "pictures", tmp_path / "state", {"kind": "grid", "rows": 3, "columns": 6})
    assert sorted(each["plot"] for each in found) == [f"R{row}C{column}" for row in (1, 2, 3) for column in range(1, 7)]
    assert {each["outcome"] for each in found} == {"measured"}
    for each in found:
        values = {trait["trait"]: trait["value"] for trait in each["traits"]}
        assert values["leaf_count"] >= 1
        assert values["projected_leaf_area"] > 0
