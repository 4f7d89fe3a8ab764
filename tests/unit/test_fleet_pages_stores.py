"""Every page, over both kinds of store."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import httpx
import pytest

from edge.contract.messages import Info, State
from edge.contract.records import EventKind
from fleet import pictures
from fleet.ingest.intake import Letter
from fleet.questions import views
from fleet.rollouts.wishes import settle, wish
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from fleet.upkeep.rollups import roll_up
from fleet.web import create_app
from tests.sim.fleet_records import EPOCH, event
from tests.sim.grower import history, picture

NOW = datetime.now(timezone.utc)


WELL = SimpleNamespace(connected=True, writing=True, tally=dict)


@contextmanager
def served(store: Store) -> Iterator[httpx.Client]:
    with ExitStack() as parts:
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(create_app(store, WELL), listening))  # type: ignore[arg-type]
        yield parts.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30))


@pytest.fixture
def full(database_url: str) -> Iterator[Store]:
    store = Store(database_url, upgrade=True)
    info = Info(boot_id="b", software="s", hardware="h", python="3", cameras=("top", "side"))
    state = State(online=True, boot_id="b", at=NOW)
    store.commit([Letter("north", "bench-1", info), Letter("north", "bench-1", state), Letter("south", "new", info)])
    for batch in history(EPOCH, "top", ("R1", "R2", "R10"), NOW, 3, timedelta(hours=1)):
        store.commit([Letter("north", "bench-1", batch)])
    store.commit([Letter("north", "bench-1", event(500, EventKind.CAMERA_LOST))])
    with store.writing() as connection:
        while roll_up(connection, NOW):
            pass
        device = views.find_device(connection, "north", "bench-1")
        assert device
        pictures.keep(connection, device["id"], "top", picture(76), NOW, NOW)
        wish(connection, "north", "bench-1", {"a.b": [1], "a.c": ["x"]}, "ana", NOW)
        assert len(settle(connection, NOW)) == 1
    yield store
    store.close()


def test_every_page_is_drawn(full: Store) -> None:
    with served(full) as client:
        shown = {path: client.get(path) for path in ("/", "/?site=north", "/devices/north/bench-1", "/rollouts")}
        shown["plot"] = client.get("/plots/north/bench-1/top/R1")
        assert {path: answer.status_code for path, answer in shown.items()} == dict.fromkeys(shown, 200)
        overview = shown["/"].text
        for words in ("Camera lost", "3 plots", "side", "south", "since yesterday", "/pictures/north/bench-1/top"):
            assert words in overview, words
        assert overview.index("R2<") < overview.index("R10<")
        assert "south" not in shown["/?site=north"].text
        assert "a.b" in shown["/devices/north/bench-1"].text
        assert client.get("/pictures/north/bench-1/top").headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(("days", "compared"), [(1, ""), (3, "&beside=R2&beside=R10"), (300, "")])
def test_every_chart_is_drawn(full: Store, days: float, compared: str) -> None:
    span = httpx.QueryParams(
        since=(NOW - timedelta(days=days)).isoformat(), until=NOW.isoformat(), trait="projected_leaf_area"
    )
    with served(full) as client:
        found = client.get(f"/plots/north/bench-1/top/R1/series?{span}{compared}").json()
    assert len(found["lines"]) == 1 + compared.count("beside")
    assert found["unit"] == "cm²"
    for line in found["lines"]:
        assert all(
            low <= value <= high
            for low, value, high in zip(line["low"], line["value"], line["high"], strict=True)
            if value
        )
