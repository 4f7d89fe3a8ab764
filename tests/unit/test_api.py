"""The API over a real store: pages, tags, errors, and what each resource tells."""

import base64
import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from fleet.access import Principal, Role
from fleet.api.application import create_api
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from tests.sim.fleet_filled import EVIL, READINGS, batch_of, entry, filled
from tests.sim.fleet_records import NOON, letter
from tests.unit.test_fleet_web import WELL, served

API = "/api/v1"
BENCH = "/devices/north/bench-1"
R1 = f"{API}/plots/north/bench-1/top/R1"
JUNE = {"since": "2026-06-01T00:00:00Z", "until": "2026-06-02T00:00:00+00:00"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path_factory.mktemp('api') / 'fleet.sqlite'}")
    yield filled(opened)
    opened.close()


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[httpx.Client]:
    with served(store) as opened:
        yield opened


def every(client: httpx.Client, path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found, after = [], None
    while True:
        page = client.get(
            f"{API}{path}", params={**query, "limit": limit, **({"after": after} if after else {})}
        ).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


# --- pages


@pytest.mark.parametrize(
    "path",
    [
        "/devices",
        "/cameras",
        "/plots",
        "/observations",
        "/readings",
        "/events",
        "/gaps",
        "/devices/north/bench-1/latest",
    ],
)
def test_pages_put_together_are_the_list_and_nothing_comes_twice(client: httpx.Client, path: str) -> None:
    whole = client.get(f"{API}{path}", params={"limit": 1000}).json()
    assert whole["next"] is None
    assert len(whole["items"]) > 2
    for limit in (2, 31):
        assert every(client, path, limit) == whole["items"]


def test_what_arrives_between_two_pages_moves_nothing(tmp_path: Path) -> None:
    store = filled(Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}"))
    with served(store) as client:
        first = client.get(f"{API}/observations", params={"limit": 10}).json()
        before = every(client, "/observations", 1000)
        late = batch_of([entry(seq, at=NOON + timedelta(days=seq)) for seq in range(50, 60)])
        store.commit([letter(late, site="north", device="bench-1")])
        second = client.get(f"{API}/observations", params={"limit": 1000, "after": first["next"]}).json()
        assert first["items"] + second["items"] == before
    store.close()


def word(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "after",
    [
        "x", "====", "ä", "a" * 600, word(["devices", ["north"]]), word(["plots", ["north", "bench-1"]]), word({}),
        word(["devices", ["north", "'; DROP TABLE devices; --"]]), word(["devices", ["no\0rth", "x"]]),
        word(["devices", [[[[]]], "x"]]), word(["devices", ["\ud800", "x"]]), "W" * 40, word([1] * 100),
    ],
)  # fmt: skip
def test_a_cursor_that_is_none_is_refused(client: httpx.Client, after: str) -> None:
    answer = client.get(f"{API}/devices", params={"after": after})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "place", [["2026-06-01T00:00:00Z", 10**30, 1], ["0001-01-01T00:00:00+14:00", 1, 1], [0, 1, -1]]
)
def test_a_place_that_no_database_holds_is_refused(client: httpx.Client, place: list[Any]) -> None:
    for kind in ("observations", "events"):
        assert client.get(f"{API}/{kind}", params={"after": word([kind, place])}).status_code == 400
    assert client.get(f"{API}/readings", params={"after": word([*place, 0])}).status_code == 400


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=80))
def test_no_cursor_breaks_the_service(client: httpx.Client, after: str) -> None:
    for path in ("/events", "/readings"):
        assert client.get(f"{API}{path}", params={"after": after}).status_code in {200, 400, 422}


# --- tags


@pytest.mark.parametrize("path", ["/devices", "/observations?limit=3", "/traits", "/openapi.json"])
def test_what_has_not_changed_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(API + path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(API + path, headers={"If-None-Match": wanted})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(API + path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_an_error_has_no_tag_and_is_not_kept(client: httpx.Client) -> None:
    answer = client.get(f"{API}/devices/north/nobody", headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["cache-control"], "etag" in answer.headers) == (404, "no-store", False)


# --- errors


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/devices/north/nobody", 404),
        ("/devices/%2e%2e/bench-1", 422),
        ("/devices/north/%00", 422),
        ("/devices/north/%27%3B%20DROP%20TABLE%20devices", 422),
        ("/plots/north/bench-1/top/%3Cscript%3E", 422),
        ("/plots/north/bench-1/top/R9/series?trait=leaf_count", 404),
        ("/observations?limit=100000", 422),
        ("/observations?limit=0", 422),
        ("/observations?since=2026-06-01T12:00:00", 422),
        ("/observations?since=0001-01-01T00:00:00%2B14:00", 422),
        ("/observations?until=99999-01-01T00:00:00Z", 422),
        ("/observations?plot=%27%3Bdrop", 422),
        ("/observations?site=" + "n" * 100_0, 422),
        ("/devices/north/bench-1/completeness?hours=100000", 422),
        ("/plots/north/bench-1/top/R1/series?trait=leaf_count&since=2016-01-01T00:00:00Z", 422),
        (
            "/plots/north/bench-1/top/R1/series?trait=leaf_count&since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            422,
        ),
        ("/plots/north/bench-1/top/R1/readings.csv?since=2016-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", 422),
        ("/rollouts/nobody", 404),
        ("/models/nobody-1.0.0", 404),
    ],
)
def test_a_question_that_cannot_be_answered_is_a_problem_with_its_reason(
    client: httpx.Client, path: str, status: int
) -> None:
    answer = client.get(API + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert (told["status"], bool(told["title"]), bool(told["detail"])) == (status, True, True)


def test_a_value_that_cannot_be_used_is_named(client: httpx.Client) -> None:
    faults = client.get(f"{API}/observations?limit=0&since=x").json()["faults"]
    assert {fault["where"] for fault in faults} == {"query.limit", "query.since"}


def test_a_method_that_is_none_says_which_there_are(client: httpx.Client) -> None:
    answer = client.put(f"{API}/devices")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_store_that_is_gone_is_a_503_with_its_reason(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    with served(store) as client:
        store.close()
        (tmp_path / "fleet.sqlite").write_bytes(b"rubbish" * 1000)
        answer = client.get(f"{API}/devices")
    assert (answer.status_code, "damaged" in answer.json()["detail"]) == (503, True)
    assert answer.headers["retry-after"]


# --- resources


def test_devices_are_filtered(client: httpx.Client) -> None:
    def names(**query: Any) -> list[str]:
        return [one["device"] for one in client.get(f"{API}/devices", params=query).json()["items"]]

    assert names() == ["bench-1", "bench-2", "gutter-1"]
    assert names(site="north") == ["bench-1", "bench-2"]
    assert names(online=False) == ["bench-2"]
    assert names(site="nowhere") == []


def test_a_device_tells_what_it_is_and_its_numbers_add_up(client: httpx.Client) -> None:
    found = client.get(f"{API}/devices/north/bench-1").json()
    assert (found["info"]["software"], found["health"]["last_seq"]) == (EVIL[1], READINGS + 8)
    (stream,) = client.get(f"{API}/devices/north/bench-1/streams").json()
    assert (stream["received"], stream["dropped"], stream["missing"]) == (READINGS + 1, 5, 2)
    assert stream["max_seq"] == stream["received"] + stream["dropped"] + stream["missing"]
    hours = client.get(f"{API}/devices/north/bench-2/completeness?hours=48").json()
    assert (len(hours), sum(hour["epoch_breaks"] for hour in hours)) == (48, 1)


def test_observations_are_filtered_and_newest_first(client: httpx.Client) -> None:
    query = {"site": "north", "device": "bench-1", "plot": "R2", "trait": "projected_leaf_area", **JUNE}
    found = client.get(f"{API}/observations", params=query).json()["items"]
    assert [one["seq"] for one in found] == [28, 25, 19, 16, 7, 4, 1]
    assert {value["trait"] for one in found for value in one["traits"]} == {"projected_leaf_area"}
    assert client.get(f"{API}/observations", params={**query, "trait": "height"}).json()["items"] == []
    assert client.get(f"{API}/observations", params={"model": f"sha256:{5:064}"}).json()["items"] == []


def test_missing_is_never_zero(client: httpx.Client) -> None:
    for outcome, seq in (("no_plant", 30), ("not_taken", 22), ("failed", 26)):
        query = {"outcome": outcome, "device": "bench-1"}
        found = client.get(f"{API}/observations", params=query).json()["items"][0]
        assert (found["seq"], found["traits"]) == (seq, [])
        assert client.get(f"{API}/readings", params={"device": "bench-1", "limit": 1000}).json()["items"]
    values = every(client, "/readings", 1000, device="bench-1")
    assert len(values) == 3 * sum(
        not (seq % 10 == 0 or seq % 11 == 0 or seq % 13 == 0) for seq in range(1, READINGS + 1)
    )


def test_a_plot_shows_what_was_seen_there_last(client: httpx.Client) -> None:
    found = client.get(R1).json()
    assert (found["latest"]["seq"], found["latest"]["outcome"]) == (30, "no_plant")
    assert found["last_taken_at"] == found["latest"]["taken_at"]


def test_a_series_is_the_readings_of_one_trait(client: httpx.Client) -> None:
    (line,) = client.get(f"{R1}/series", params={"trait": "projected_leaf_area", "points": 5000, **JUNE}).json()[
        "lines"
    ]
    assert [point["value"] for point in line["points"]] == [1003, 1006, 1009, 1012, 1015, 1018, 1021, 1024, 1027]
    assert line["unit"] == "px2"


def test_a_download_is_the_readings_and_no_formula(client: httpx.Client) -> None:
    answer = client.get(f"{R1}/readings.csv", params=JUNE)
    assert answer.headers["content-disposition"] == 'attachment; filename="north_bench-1_top_R1_20260601-20260602.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(row["trait"] == "projected_leaf_area" for row in rows) == 9
    assert [row["outcome"] for row in rows if not row["value"]] == ["no_plant"]
    assert {row["method"] for row in rows if row["trait"] == "leaf_count"} == {f"'{EVIL[0]}", *EVIL[1:]}
    some = client.get(f"{R1}/readings.csv", params={**JUNE, "trait": ["leaf_count"]}).text
    assert {row["trait"] for row in csv.DictReader(io.StringIO(some))} == {"leaf_count", ""}


def test_a_parquet_download_holds_the_same(client: httpx.Client) -> None:
    answer = client.get(f"{R1}/readings.parquet", params=JUNE)
    table = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    lines = list(csv.DictReader(io.StringIO(client.get(f"{R1}/readings.csv", params=JUNE).text)))
    assert [row["value"] for row in table] == [float(line["value"]) if line["value"] else None for line in lines]
    assert table[0]["taken_at"].utcoffset() is not None


def test_a_download_has_a_bound(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.api.downloads.MAX_OBSERVATIONS", 5)
    answer = client.get(f"{R1}/readings.csv", params=JUNE)
    assert (answer.status_code, "10 observations" in answer.json()["detail"]) == (422, True)


def test_events_are_filtered(client: httpx.Client) -> None:
    assert {one["kind"] for one in every(client, "/events", 10, kind="camera_lost")} == {"camera_lost"}
    assert every(client, "/events", 10, since="2027-01-01T00:00:00Z") == []


def test_the_traits_carry_their_terms(client: httpx.Client) -> None:
    found = {one["name"]: one for one in client.get(f"{API}/traits").json()}
    assert (found["leaf_count"]["term"], found["leaf_count"]["unit_term"]) == ("TO:0000241", "UO:0000189")


# --- the document


def test_the_document_has_stable_names_tags_in_order_and_words_for_everything(client: httpx.Client) -> None:
    document = client.get(f"{API}/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(name.isalnum() for name in names)
    tags = [tag["name"] for tag in document["tags"]]
    assert tags[0] == "devices"
    for one in operations:
        assert set(one["tags"]) <= set(tags)
        assert one["description"]
        assert {"401", "403", "500", "503"} <= set(one["responses"])
        for status, answer in one["responses"].items():
            assert status.startswith("2") or list(answer["content"]) == ["application/problem+json"], (one, status)


def test_the_documentation_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get(f"{API}/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype", "")
    for asset in ("vendor/swagger-ui/swagger-ui-bundle.js", "vendor/swagger-ui/swagger-ui.css", "api-docs.js"):
        assert client.get(f"/static/{asset}").status_code == 200
    assert client.get("/static/vendor/swagger-ui/LICENSE").status_code == 200


# --- who may see what


@contextmanager
def running(app: FastAPI) -> Iterator[httpx.Client]:
    with ExitStack() as parts:
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(app, listening))
        yield parts.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}"))


class OfOneSite(Principal):
    """An asker who may see one site only."""

    sites = frozenset({"south"})


async def as_of_one_site(request: Any, call_next: Any) -> Any:
    request.state.principal = OfOneSite("program", Role.ADMIN)
    return await call_next(request)


@pytest.fixture
def southern(store: Store) -> Iterator[httpx.Client]:
    app = create_api(store, WELL)  # type: ignore[arg-type]
    app.middleware("http")(as_of_one_site)
    with running(app) as opened:
        yield opened


def test_another_tenants_data_does_not_exist(southern: httpx.Client, client: httpx.Client) -> None:
    for path in ("/devices", "/cameras", "/plots", "/observations", "/readings", "/events", "/gaps"):
        seen = southern.get(path, params={"limit": 1000})
        assert {one["site"] for one in seen.json()["items"]} == {"south"}, path
        assert southern.get(path, params={"site": "north"}).json().get("items", []) == [], path
        theirs = client.get(f"{API}{path}", params={"limit": 1}).json()["next"]
        for one in southern.get(path, params={"limit": 1000, "after": theirs}).json()["items"]:
            assert one["site"] == "south"
    for path in ("", "/streams", "/completeness", "/latest"):
        assert southern.get(f"/devices/north/bench-1{path}").status_code == 404, path
    for path in ("", "/series?trait=leaf_count", "/growth", "/readings.csv", "/readings.parquet"):
        assert southern.get(f"/plots/north/bench-1/top/R1{path}").status_code == 404, path
    for path in ("/models", "/rollouts", "/audit", "/rollouts/r", "/models/a-1.0.0"):
        assert southern.get(path).status_code == 403, path
    assert southern.get("/health").json()["devices"] == 1


def test_nobody_is_nobody(store: Store) -> None:
    with running(create_api(store, WELL)) as client:  # type: ignore[arg-type]
        document = client.get("/openapi.json").json()
        for path, operations in document["paths"].items():
            for method in operations:
                named = path.replace("{", "").replace("}", "")
                answer = client.request(method, named, json={})
                assert answer.status_code in {401, 422}, (method, path, answer.text)
                if method == "get":
                    assert answer.status_code == 401 or "trait" in answer.text, (path, answer.text)
