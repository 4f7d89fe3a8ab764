"""Rollouts over HTTP: what anybody may ask, and who may change something."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from typer.testing import CliRunner

from edge.contract.comparison import Comparison
from edge.contract.control import Failure, ModelRef, Phase, ShadowReport
from fleet import audit
from fleet.cli import app as command_line
from fleet.retrain import book
from fleet.retrain.reason import Reason
from fleet.retrain.settings import GateSettings
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.access import bearer
from tests.sim.rollout_records import NEW, OLD, filled, look, obey, report, told

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)
PLAN = {"waves": [{"percent": 20, "soak_s": 0}, {"soak_s": 0}]}
CREATION = {"models": ["rosette-1.1.0"], "plan": PLAN, "id": "r"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield filled(opened)
    opened.close()


@contextmanager
def served(store: Store, *, repository: Path | None = None) -> Iterator[httpx.Client]:
    with ExitStack() as parts:
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        app = create_app(store, WELL, repository=repository)  # type: ignore[arg-type]
        parts.enter_context(serve_web(app, listening))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield parts.enter_context(httpx.Client(base_url=url, headers=bearer(store, "operate", name="ana")))


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    with served(store) as opened:
        yield opened


def test_a_rollout_is_created_watched_paused_and_rolled_back(client: httpx.Client, store: Store) -> None:
    made = client.post("/api/v1/rollouts", json=CREATION)
    assert (made.status_code, [wave["devices"] for wave in made.json()["waves"]]) == (201, [2, 8])
    look(store)
    assert client.get("/api/v1/rollouts/r").json()["counts"]["offered"] == 2
    assert "devices" not in client.get("/api/v1/rollouts").json()["items"][0]
    for step, state in (("pause", "paused"), ("resume", "running"), ("rollback", "rolled_back")):
        answer = client.post(f"/api/v1/rollouts/r/{step}", json={"why": "a try"})
        assert answer.json()["state"] == state
    found = client.get("/api/v1/audit?limit=2").json()["items"]
    assert [(entry["who"], entry["action"]) for entry in found] == [
        ("token ana", "rollout rollback"),
        ("token ana", "rollout resume"),
    ]


def test_models_are_listed_shown_and_promoted(client: httpx.Client) -> None:
    promoted = client.post("/api/v1/models/rosette-1.1.0/promote", json={"crop": "tomato", "alias": "champion"})
    assert promoted.json()["aliases"] == ["tomato@champion"]
    assert [one["version"] for one in client.get("/api/v1/models").json()] == ["1.2.0", "1.1.0", "1.0.0"]
    assert client.get("/api/v1/models/tomato@champion").json()["digest"] == NEW.ref.digest


def test_a_command_that_cannot_be_is_refused_with_its_reason(client: httpx.Client, store: Store) -> None:
    before = entries(store)
    for path, body, status in (
        ("/api/v1/rollouts", {**CREATION, "models": ["rosette-9.9.9"]}, 404),
        ("/api/v1/rollouts", {**CREATION, "models": []}, 422),
        ("/api/v1/rollouts", {**CREATION, "plan": {"waves": []}}, 422),
        ("/api/v1/rollouts", {**CREATION, "id": "a b"}, 422),
        ("/api/v1/rollouts", {**CREATION, "plan": {**PLAN, "select": {"sites": ["nowhere"]}}}, 409),
        ("/api/v1/rollouts", {**CREATION, "more": 1}, 422),
        ("/api/v1/rollouts/nobody/pause", {}, 404),
        ("/api/v1/rollouts/r/explode", {}, 422),
        ("/api/v1/models/rosette-1.1.0/promote", {"crop": "../x", "alias": "champion"}, 422),
        ("/api/v1/rollouts", {**CREATION, "plan": {"waves": [{"name": "x" * 200_000}]}}, 413),
    ):
        answer = client.post(path, json=body)
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True), (path, body)
    assert entries(store) == before


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    for path in ("/api/v1/rollouts/nobody", "/api/v1/rollouts/nobody/comparison", "/api/v1/models/x-1.0.0"):
        assert client.get(path).status_code == 404


def test_the_page_shows_waves_failures_shadows_and_models(client: httpx.Client, store: Store) -> None:
    assert "No rollout yet" in client.get("/rollouts").text
    client.post("/api/v1/rollouts", json=CREATION)
    look(store)
    first = sorted(told(store))
    obey(store, *first)
    shadow = ShadowReport(model=NEW.ref, pictures=3, count_bins=(0, 3, 0), class_bins=(0, 1, 2))
    report(store, first[0], active=OLD.ref, wanted=NEW.ref, revision=1, phase=Phase.ROLLED_BACK,
           failure=Failure.ROLLED_BACK, shadow=shadow)  # fmt: skip
    look(store)
    text = client.get("/rollouts").text
    for shown in ("halted", "2 of 2 devices failed", "2 ×", "3 pictures of 1 device", "rosette 1.1.0", "up to 20 %"):
        assert shown in text, shown
    assert 'href="/rollouts" aria-current="page"' in text
    assert 'href="/" aria-current="page"' in client.get("/").text


def test_what_a_device_says_is_text_on_the_page_and_never_markup(client: httpx.Client, store: Store) -> None:
    client.post("/api/v1/rollouts", json=CREATION)
    look(store)
    evil = "<script>alert(1)</script>"
    for device in told(store):
        report(store, device, revision=1, phase=Phase.REFUSED, reason=evil)
    look(store)
    text = client.get("/rollouts").text
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_a_shadow_report_of_a_bare_model_is_drawn_too(client: httpx.Client, store: Store) -> None:
    client.post("/api/v1/rollouts", json=CREATION)
    other = ModelRef(name="other", version="1.0.0", digest=f"sha256:{5:064}")
    report(store, "dev-00", active=OLD.ref, shadow=ShadowReport(model=other, count_bins=(1,)))
    report(store, "dev-01", active=OLD.ref, shadow=ShadowReport(model=NEW.ref))
    assert client.get("/rollouts").status_code == 200


# --- the update repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "updates"
    keys = tmp_path / "keys"
    words = ["repo", "init", "--repo", str(path), "--make-keys", str(keys), "--no-passphrase"]
    made = CliRunner().invoke(command_line, words)
    assert made.exit_code == 0, made.output
    return path


def test_the_repository_is_served_in_pieces_and_nothing_else_of_its_folder(store: Store, repository: Path) -> None:
    with served(store, repository=repository) as client:
        whole = client.get("/updates/metadata/1.root.json")
        assert whole.content == (repository / "public" / "metadata" / "1.root.json").read_bytes()
        part = client.get("/updates/metadata/1.root.json", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
        rest = client.get("/updates/metadata/1.root.json", headers={"Range": f"bytes={len(whole.content)}-"})
        assert rest.status_code == 416
        again = client.get("/updates/metadata/1.root.json", headers={"If-None-Match": whole.headers["etag"]})
        assert again.status_code == 304
        for path in ("keys.json", "policy.json", "../keys.json", "%2e%2e/keys.json", "metadata/../../keys.json"):
            assert client.get(f"/updates/{path}").status_code == 404, path


def test_without_a_repository_there_are_no_updates(client: httpx.Client) -> None:
    assert client.get("/updates/metadata/timestamp.json").status_code == 404


def entries(store: Store) -> int:
    with store.reading() as connection:
        return len(audit.entries(connection))


def test_retrainings_are_told_with_what_holds_the_gate_shut(client: httpx.Client, store: Store) -> None:
    reason = Reason(OLD.ref.digest, (("site", "dev-00", "top"),), date(2026, 6, 1), "a camera has changed: variety")
    found = Comparison(
        champion=OLD.ref, candidate=NEW.ref, made_at=datetime(2026, 6, 9, tzinfo=timezone.utc), slices=()
    )
    with store.writing() as connection:
        case = book.propose(connection, reason, "ana", datetime(2026, 6, 8, tzinfo=timezone.utc))
    page = client.get("/rollouts").text
    assert f"canopy-fleet retrain frames {case.name} DIR" in page
    with store.writing() as connection:
        book.file_judgement(connection, case, found, NEW, ["site"], GateSettings(), "ana")
    page = client.get("/rollouts").text
    assert "The gate stays shut" in page
    assert "0 pictures, and 50 are asked" in page
    (told,) = client.get("/api/v1/retrainings").json()
    assert told == client.get(f"/api/v1/retrainings/{case.name}").json()
    assert (told["stage"], told["candidate"]["version"], told["cameras"]) == ("refused", "1.1.0", ["site/dev-00/top"])
    assert client.get("/api/v1/retrainings/none").status_code == 404
