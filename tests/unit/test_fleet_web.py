"""The page over a real store, and what every answer has in common."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from edge.contract.messages import Info, ObservationBatch
from edge.contract.records import Outcome
from fleet.ingest.intake import Reject
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.fleet_records import EPOCH, OTHER_EPOCH, batch, event, gap, health, letter, observation

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


@contextmanager
def served(store: Store, ingest: SimpleNamespace = WELL) -> Iterator[httpx.Client]:
    with ExitStack() as parts:
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(create_app(store, ingest), listening))  # type: ignore[arg-type]
        yield parts.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}"))


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    with served(store) as opened:
        yield opened


@pytest.fixture
def filled(store: Store) -> Store:
    plots = ("R1", "R10", "R2")
    items = [observation(seq, plot=plots[seq % 3]) for seq in range(1, 10)]
    items.append(observation(10, plot="R3", outcome=Outcome.NO_PLANT))
    info = Info(boot_id="b", software="canopy-edge 0.1.0", hardware="board", python="3.10", cameras=("cam",))
    store.commit([letter(ObservationBatch(epoch=EPOCH, items=tuple(items))), letter(info), letter(event(11))])  # type: ignore[arg-type]
    store.commit([letter(gap(12, 20)), letter(health(25)), letter(batch([1], OTHER_EPOCH))])
    return store


def test_the_empty_page_says_what_to_do(client: httpx.Client) -> None:
    assert "No device has been heard of yet" in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/static/live.js", "/api/v1/devices", "/nowhere"])
def test_every_answer_forbids_framing_sniffing_and_foreign_content(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_the_page_shows_device_traits_outcomes_completeness_and_events(client: httpx.Client, filled: Store) -> None:
    text = client.get("/devices/site/dev").text
    for shown in ("dev", "canopy-edge 0.1.0", "no plant", "leaves", "camera lost", "number its records anew 1 time"):
        assert shown in text
    for path in ("/", "/devices/site/dev", "/plots/site/dev/cam/R1", "/rollouts"):
        text = client.get(path).text
        assert "http://" not in text
        assert "https://" not in text


@pytest.mark.parametrize("path", ["/devices/site/nobody", "/plots/site/dev/cam/nobody", "/pictures/site/dev/cam"])
def test_a_page_of_what_nobody_heard_of_is_not_found(client: httpx.Client, filled: Store, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "trait=leaf_count&since=2026-06-01T00:00:00Z&until=2026-05-01T00:00:00Z",
        "trait=leaf_count&since=1990-06-01T00:00:00Z&until=2026-05-01T00:00:00Z",
        "trait=leaf_count&since=2026-06-01T00:00:00Z&until=2026-06-02T00:00:00Z&points=1000000",
        "trait=%27%3Bdrop&since=2026-06-01T00:00:00Z&until=2026-06-02T00:00:00Z",
        "trait=leaf_count&since=2026-06-01T00:00:00Z&until=2026-06-02T00:00:00Z" + "&beside=R2" * 9,
    ],
)
def test_a_chart_out_of_bounds_is_refused(client: httpx.Client, filled: Store, query: str) -> None:
    assert client.get(f"/plots/site/dev/cam/R1/series?{query}").status_code == 422


def test_a_chart_has_its_values_and_a_hole_for_every_gap(client: httpx.Client, store: Store) -> None:
    items = [observation(seq, plot="R1") for seq in (*range(1, 21), *range(200, 221))]
    numbered = [item.model_copy(update={"seq": number}) for number, item in enumerate(items, start=1)]
    store.commit([letter(ObservationBatch(epoch=EPOCH, items=tuple(numbered)))])
    asked = {"trait": "leaf_count", "since": "2026-06-01T12:00:00Z", "until": "2026-06-01T16:00:00Z", "points": 2000}
    found = client.get("/plots/site/dev/cam/R1/series", params=asked).json()
    line = found["lines"][0]
    assert (line["value"][:2], line["value"].count(None), len(found["gaps"])) == ([1.0, 2.0], 1, 1)
    hole = found["at"][line["at"][line["value"].index(None)]]
    assert found["gaps"][0][0] < hole < found["gaps"][0][1]


def test_what_a_device_says_is_text_on_the_page_and_never_markup(client: httpx.Client, store: Store) -> None:
    evil = "<script>alert(1)</script>"
    info = Info(boot_id=evil, software=evil, hardware=evil, python=evil, model_name=evil)
    store.commit([letter(info)], [Reject(evil, evil, evil.encode())])  # type: ignore[arg-type]
    text = client.get("/").text
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_healthz_fails_and_the_page_warns_when_nothing_is_received(store: Store) -> None:
    deaf = SimpleNamespace(connected=False, writing=True, tally=dict)
    with served(store, deaf) as client:
        assert client.get("/healthz").status_code == 503
        assert "Nothing is received" in client.get("/").text
    with served(store) as client:
        assert client.get("/healthz").status_code == 200
