"""BrAPI over a real store: the envelope, the documents, and the values that breeders' tools read."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fleet.brapi.application import create_brapi
from fleet.store import Store
from tests.sim.fleet_filled import EVIL, filled
from tests.unit.test_api import as_of_one_site, running
from tests.unit.test_fleet_web import served

BRAPI = "/brapi/v2"
UNIT = "north:bench-1:top:R1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path_factory.mktemp('brapi') / 'fleet.sqlite'}")
    yield filled(opened)
    opened.close()


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[httpx.Client]:
    with served(store) as opened:
        yield opened


def ask(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"{BRAPI}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def data(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    return ask(client, path, **query)["result"]["data"]


# What BrAPI 2.1 requires of each object, and the type of what we fill in beside it; written down from the
# specification's Schemas (https://github.com/plantbreeding/BrAPI, Specification/).
REQUIRED = {
    "commoncropnames": None,
    "programs": {"programDbId": str, "programName": str},
    "trials": {"trialDbId": str, "trialName": str, "active": bool},
    "locations": {"locationDbId": str, "locationName": str},
    "studies": {"studyDbId": str, "studyName": str, "active": bool, "observationLevels": list},
    "seasons": {"seasonDbId": str, "year": int},
    "observationlevels": {"levelName": str, "levelOrder": int},
    "observationunits": {"observationUnitDbId": str, "observationUnitName": str, "observationUnitPosition": dict},
    "variables": {"observationVariableDbId": str, "observationVariableName": str, "trait": dict, "scale": dict},
    "traits": {"traitDbId": str, "traitName": str},
    "methods": {"methodDbId": str, "methodName": str},
    "scales": {"scaleDbId": str, "scaleName": str, "dataType": str},
    "observations": {"observationDbId": str, "value": str, "observationTimeStamp": str, "season": dict},
}  # fmt: skip


@pytest.mark.parametrize("path", REQUIRED)
def test_every_list_has_the_envelope_and_what_is_required_of_its_items(client: httpx.Client, path: str) -> None:
    answer = ask(client, path, pageSize=3)
    pagination = answer["metadata"]["pagination"]
    found = answer["result"]["data"]
    assert (pagination["currentPage"], pagination["pageSize"], len(found)) == (0, 3, min(3, pagination["totalCount"]))
    assert pagination["totalPages"] == -(-pagination["totalCount"] // 3)
    assert answer["metadata"]["status"] == answer["metadata"]["datafiles"] == []
    assert "null" not in client.get(f"{BRAPI}/{path}").text
    for one in found:
        for name, kind in (REQUIRED[path] or {}).items():
            assert isinstance(one[name], kind), (path, name, one)


@pytest.mark.parametrize(
    "path", [path for path in REQUIRED if path not in {"commoncropnames", "programs", "seasons", "observationlevels"}]
)
def test_every_item_of_a_list_is_found_by_its_id(client: httpx.Client, path: str) -> None:
    for one in data(client, path, pageSize=5):
        db_id = next(value for name, value in one.items() if name in (REQUIRED[path] or {}) and name.endswith("DbId"))
        assert ask(client, f"{path}/{db_id}")["result"] == one
    assert client.get(f"{BRAPI}/{path}/nothing:of:that:kind").status_code == 404


def test_pages_put_together_are_the_list(client: httpx.Client) -> None:
    whole = data(client, "observations")
    pages = [data(client, "observations", page=page, pageSize=50) for page in range(-(-len(whole) // 50))]
    assert [one for page in pages for one in page] == whole
    assert data(client, "observations", page=100, pageSize=50) == []


def test_the_server_says_what_it_can_be_asked(client: httpx.Client) -> None:
    calls = {call["service"] for call in ask(client, "serverinfo")["result"]["calls"]}
    assert {*REQUIRED, "serverinfo", "observations/table", "observationunits/{observationUnitDbId}"} <= calls


def test_values_are_those_of_the_store_with_unit_time_and_variable(client: httpx.Client) -> None:
    found = data(client, "observations", observationUnitDbId=UNIT, observationVariableDbId="projected_leaf_area:px2")
    assert [float(one["value"]) for one in found] == [1003, 1006, 1009, 1012, 1015, 1018, 1021, 1024, 1027]
    first = found[0]
    assert first["observationTimeStamp"] == "2026-06-01T12:03:00+00:00"
    assert (first["season"]["year"], first["studyDbId"]) == (2026, "north:bench-1:top")
    assert first["additionalInfo"] | {"model": ""} == {
        "outcome": "measured",
        "clockOk": "true",
        "model": "",
        "unit": "px2",
        "uncertainty": "2.5",
    }


def test_filters_narrow_and_what_fits_nothing_finds_nothing(client: httpx.Client) -> None:
    def count(**query: Any) -> int:
        return int(ask(client, "observations", **query)["metadata"]["pagination"]["totalCount"])

    whole = count()
    parts = [count(trialDbId=site) for site in ("north", "south")]
    assert (sum(parts), min(parts) > 0) == (whole, True)
    assert count(studyDbId="north:bench-1:top") < count(locationDbId="north") < whole
    assert count(observationTimeStampRangeStart="2026-06-01T12:10:00Z") < whole
    assert count(seasonDbId="2026") == whole
    for nothing in (
        {"seasonDbId": "2025"},
        {"studyDbId": "north"},
        {"studyDbId": "north:bench-1:top", "trialDbId": "south"},
        {"germplasmDbId": "g"},
        {"observationUnitLevelName": "plant"},
        {"observationVariableDbId": "leaf_count"},
        {"observationUnitDbId": EVIL[2]},
        {"programDbId": EVIL[1]},
    ):
        assert count(**nothing) == 0, nothing


def test_a_method_of_another_text_is_another_variable(client: httpx.Client) -> None:
    found = [one for one in data(client, "variables") if one["trait"]["traitDbId"] == "leaf_count"]
    assert {one["method"]["description"] for one in found} >= set(EVIL)
    assert len({one["observationVariableDbId"] for one in found}) == len(found) == 5
    assert found[0]["trait"]["traitPUI"] == "http://purl.obolibrary.org/obo/TO_0000241"
    assert found[0]["scale"]["scalePUI"] == "http://purl.obolibrary.org/obo/UO_0000189"
    assert found[0]["trait"]["entityPUI"] == "http://purl.obolibrary.org/obo/PO_0025034"


def test_a_related_term_is_not_given_out_as_ours(client: httpx.Client) -> None:
    area = ask(client, "variables/projected_leaf_area:px2")["result"]["trait"]
    assert "traitPUI" not in area
    assert area["externalReferences"][0]["referenceSource"] == "Plant Trait Ontology (related)"


def test_a_study_has_the_variables_that_its_plots_have(client: httpx.Client) -> None:
    traits = {one["trait"]["traitDbId"] for one in data(client, "variables", studyDbId="south:gutter-1:top")}
    assert traits == {"projected_leaf_area", "leaf_count", "hue_distribution"}
    assert data(client, "variables", studyDbId="nowhere:at:all") == []


def test_the_table_holds_the_same_values_in_all_its_forms(client: httpx.Client) -> None:
    query = {"observationUnitDbId": UNIT}
    result = ask(client, "observations/table", **query)["result"]
    area = len(result["headerRow"]) + [one["observationVariableDbId"] for one in result["observationVariables"]].index(
        "projected_leaf_area:px2"
    )
    assert [float(row[area]) for row in result["data"]] == [1003, 1006, 1009, 1012, 1015, 1018, 1021, 1024, 1027]
    for kind, delimiter in (("text/csv", ","), ("text/tsv", "\t")):
        answer = client.get(f"{BRAPI}/observations/table", params=query, headers={"Accept": kind})
        assert answer.headers["content-type"].startswith(kind)
        ids, _, *lines = csv.reader(io.StringIO(answer.text), delimiter=delimiter)
        assert lines == result["data"]
        assert ids[area] == "projected_leaf_area:px2"


def test_what_cannot_be_asked_is_refused_in_brapis_words(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.brapi.application.MAX_TABLE", 5)
    monkeypatch.setattr("fleet.brapi.envelope.MAX_ROWS", 5)
    for path, status in (
        ("observations?page=-1", 400),
        ("observations?pageSize=0", 400),
        ("observations?page=99999999999", 400),
        ("observations?seasonDbId=x", 400),
        ("observations?observationTimeStampRangeStart=yesterday", 400),
        ("observations?studyDbId=" + "x" * 600, 400),
        ("observations", 400),
        ("observations/table", 400),
        ("observations/a:b:c:1:99999999999999999999", 404),
        ("observationunits/%27%3B%20DROP%20TABLE", 404),
        ("nowhere", 404),
    ):
        answer = client.get(f"{BRAPI}/{path}")
        assert (answer.status_code, answer.json().startswith("ERROR - ")) == (status, True), path


def test_another_tenants_data_does_not_exist(store: Store) -> None:
    app = create_brapi(store)
    app.middleware("http")(as_of_one_site)
    with running(app) as client:
        for path in ("programs", "trials", "locations", "studies", "observationunits", "observations"):
            answer = client.get(f"/{path}").json()["result"]["data"]
            assert answer, path
            assert "north" not in str(answer), path
        for path in ("trials/north", "locations/north", "studies/north:bench-1:top", f"observationunits/{UNIT}"):
            assert client.get(f"/{path}").status_code == 404, path
        assert client.get("/observations", params={"observationUnitDbId": UNIT}).json()["result"]["data"] == []
        assert client.get("/observations/table", params={"trialDbId": "north"}).json()["result"]["data"] == []
        assert EVIL[1] not in client.get("/variables").text


def test_nothing_can_be_written(client: httpx.Client) -> None:
    for path in ("observations", "variables", "studies"):
        assert client.post(f"{BRAPI}/{path}", json=[]).status_code in {403, 405}
