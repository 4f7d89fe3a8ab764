"""The login over a real service: who comes in, by what, to do what, and what is written of it."""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, WebSocket
from fastapi.routing import APIRoute
from sqlalchemy import select, update
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fleet import access, audit, schema
from fleet.access import Principal, Role, requires
from fleet.errors import ConfigError, NotPossible, PlanError
from fleet.login import passwords, sessions, tokens, users
from fleet.login.gate import PUBLIC
from fleet.login.throttle import MAX_KEYS, PER_ACCOUNT, PER_ADDRESS, WINDOW_S, Throttle
from fleet.service import listen, require_users, serve_web
from fleet.settings import HttpSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.access import PASSWORD, add_user, bearer, csrf, log_in

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The real parameters take 64 MiB and a tenth of a second for each login; one test pays for them."""
    if "real_parameters" not in request.node.name:
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


def probes(app: FastAPI) -> None:
    """A route that changes something and writes nothing of it, and a WebSocket, as a page would have them."""

    operator = requires(Role.OPERATOR)

    @app.post("/api/probe")
    def probe(person: Principal = operator) -> str:
        return person.name

    @app.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        person = access.visitor(websocket)
        await websocket.accept()
        await websocket.send_text(person.name)
        await websocket.close()


@contextmanager
def served(store: Store, *proxies: str) -> Iterator[httpx.Client]:
    http = HttpSettings(port=0, proxies=list(proxies))
    with ExitStack() as parts:
        listening = parts.enter_context(listen(http))
        app = create_app(store, WELL)  # type: ignore[arg-type]
        probes(app)
        parts.enter_context(serve_web(app, listening, http))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield parts.enter_context(httpx.Client(base_url=url))


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    add_user(store)
    with served(store) as opened:
        yield opened


def actions(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        return [(entry.who, entry.action, entry.subject) for entry in audit.entries(connection)]


# --- before there is a user


def test_without_users_this_machine_may_look_and_is_told_the_command_that_makes_the_first(store: Store) -> None:
    with served(store) as client:
        assert "canopy-fleet user add NAME --role admin" in client.get("/").text
        refused = client.post("/api/probe")
        assert (refused.status_code, "user add" in refused.json()["detail"]) == (403, True)
    assert actions(store) == []


@pytest.mark.parametrize(
    "header", [{"Host": "rebound.example"}, {"X-Forwarded-For": "192.0.2.7"}, {"Via": "1.1 proxy"}]
)
def test_without_users_a_proxy_and_a_name_from_elsewhere_are_let_in_nowhere(
    store: Store, header: dict[str, str]
) -> None:
    with served(store) as client:
        assert client.get("/api/v1/devices", headers=header).status_code == 401


def test_a_service_that_others_reach_does_not_start_without_users(store: Store) -> None:
    outside = HttpSettings(host="192.0.2.1", proxies=["192.0.2.9"])
    with pytest.raises(ConfigError, match="canopy-fleet user add NAME --role admin"):
        require_users(store, outside)
    add_user(store)
    require_users(store, outside)


# --- people


def test_a_person_logs_in_steers_and_logs_out_and_the_audit_log_knows(client: httpx.Client, store: Store) -> None:
    asked = client.get("/rollouts?x=1", headers=BROWSER)
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Frollouts%3Fx%3D1")
    assert 'value="/rollouts?x=1"' in client.get(asked.headers["location"]).text
    assert log_in(client).headers["location"] == "/"
    assert "ana" in client.get("/", headers=BROWSER).text
    assert client.post("/api/probe", headers=csrf(client)).json() == "ana"
    left = client.post("/logout", data={"csrf": csrf(client)["X-CSRF-Token"]})
    assert (left.status_code, client.get("/api/v1/devices").status_code) == (303, 401)
    assert [(who, action) for who, action, _ in actions(store)] == [
        ("test", "user add"), ("ana", "login"), ("ana", "http post"), ("ana", "logout"),
    ]  # fmt: skip


def test_a_cookie_is_for_browsers_alone_and_new_at_each_login(client: httpx.Client, store: Store) -> None:
    answer = log_in(client)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie, "over plain HTTP a browser would not send it back"
    first = client.cookies["canopy"]
    log_in(client)
    assert client.cookies["canopy"] != first
    assert client.get("/api/v1/devices", headers={"Cookie": f"canopy={first}"}).status_code == 401
    with store.reading() as connection:
        kept = connection.execute(select(schema.sessions)).all()
        hashes = connection.execute(select(schema.users.c.password)).scalars().all()
    assert len(kept) == 1
    assert not any(client.cookies["canopy"] in str(value) for value in kept[0])
    assert all(hashed.startswith("$argon2id$") for hashed in hashes)


@pytest.mark.parametrize(
    ("name", "password"), [("ana", "wrong wrong wrong"), ("nobody", PASSWORD), ("", ""), ("ana", "x" * 9_999)]
)
def test_a_wrong_name_and_a_wrong_password_look_alike(client: httpx.Client, name: str, password: str) -> None:
    answer = log_in(client, name, password)
    assert (answer.status_code, "not known together" in answer.text) == (401, True)
    assert "set-cookie" not in answer.headers


def test_tries_are_limited_also_for_the_right_password_and_the_log_says_so_once(
    client: httpx.Client, store: Store
) -> None:
    codes = [log_in(client, password="guess number one").status_code for _ in range(PER_ACCOUNT)]
    assert codes == [401] * PER_ACCOUNT
    answer = log_in(client)
    assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= WINDOW_S) == (429, True)
    assert [action for _, action, _ in actions(store)] == ["user add", "login locked"]


def test_roles_are_kept_and_change_from_the_next_request_on(client: httpx.Client, store: Store) -> None:
    log_in(client)
    headers = csrf(client)
    with store.writing() as connection:
        users.add(connection, "eva", Role.ADMIN, PASSWORD, "test")
        users.set_role(connection, "ana", Role.VIEWER, "test")
    refused = client.post("/api/probe", headers=headers)
    assert (refused.status_code, "operator" in refused.json()["detail"]) == (403, True)
    with store.writing() as connection:
        users.remove(connection, "ana", "test")
    assert client.get("/api/v1/devices").status_code == 401


def test_a_new_password_ends_every_session(client: httpx.Client, store: Store) -> None:
    log_in(client)
    with store.writing() as connection:
        users.set_password(connection, "ana", "quite another one", "test")
    assert client.get("/api/v1/devices").status_code == 401


def test_a_person_gives_themselves_a_new_password_and_stays_logged_in_here_alone(
    client: httpx.Client, store: Store
) -> None:
    log_in(client)
    elsewhere = {"Cookie": f"canopy={client.cookies['canopy']}"}
    assert 'autocomplete="new-password"' in client.get("/password").text
    good = {"old": PASSWORD, "new": "quite another one", "again": "quite another one"}

    def change(**fields: str) -> int:
        return client.post("/password", data={**good, **fields, "csrf": csrf(client)["X-CSRF-Token"]}).status_code

    assert change(old="wrong wrong wrong") == 403
    assert change(again="something else") == 422
    assert change(new="short", again="short") == 422
    assert client.post("/password", data=good).status_code == 403, "without the CSRF token"
    assert change() == 303
    assert client.get("/api/v1/devices").status_code == 200
    with httpx.Client(base_url=client.base_url, headers=elsewhere) as other:
        assert other.get("/api/v1/devices").status_code == 401
        assert log_in(other, password=PASSWORD).status_code == 401
        assert log_in(other, password="quite another one").status_code == 303
    assert ("ana", "user password", "ana") in actions(store)


@pytest.mark.parametrize("column", ["seen_at", "created_at"])
def test_a_session_ends_when_it_is_not_used_and_when_it_is_old(client: httpx.Client, store: Store, column: str) -> None:
    log_in(client)
    long_ago = datetime.now(timezone.utc) - (sessions.IDLE if column == "seen_at" else sessions.LONGEST)
    with store.writing() as connection:
        connection.execute(update(schema.sessions).values(**{column: long_ago}))
    assert client.get("/api/v1/devices").status_code == 401


@pytest.mark.parametrize(
    "into", ["//evil.example", "/\\evil.example", "https://evil.example", "/login", "/x\r\nSet-Cookie: a=b"]
)
def test_the_login_leads_nowhere_else(client: httpx.Client, into: str) -> None:
    answer = client.post("/login", data={"name": "ana", "password": PASSWORD, "next": into})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_password_is_hashed_with_the_real_parameters_and_known_again() -> None:
    hashed = passwords.hash_password(PASSWORD)
    assert "$m=65536,t=3,p=4$" in hashed
    assert passwords.matches(hashed, PASSWORD)
    assert not passwords.matches(hashed, PASSWORD + " ")
    assert not passwords.matches("no hash", PASSWORD)


def test_behind_a_proxy_it_is_believed_who_asks_and_a_password_is_taken_over_tls_only(store: Store) -> None:
    add_user(store)
    over_tls = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    fields = {"name": "ana", "password": PASSWORD}
    with served(store, "127.0.0.1") as client:
        plain = client.post("/login", data=fields, headers={"X-Forwarded-For": "192.0.2.7"})
        assert (plain.status_code, "https:// only" in plain.text) == (403, True)
        taken = client.post("/login", data=fields, headers=over_tls)
        assert taken.headers["set-cookie"].startswith("__Host-canopy=")
        assert "strict-transport-security" in taken.headers
    with served(store) as client:
        unbelieved = client.post("/login", data=fields, headers=over_tls)
        assert unbelieved.headers["set-cookie"].startswith("canopy=")
    assert [subject for _, action, subject in actions(store) if action == "login"] == ["192.0.2.7", "127.0.0.1"]


def test_the_last_admin_stays(store: Store) -> None:
    add_user(store, "eva", Role.ADMIN)
    with store.writing() as connection:
        for change in (
            lambda: users.remove(connection, "eva", "x"),
            lambda: users.set_role(connection, "eva", Role.VIEWER, "x"),
        ):
            with pytest.raises(NotPossible, match="last admin"):
                change()
        with pytest.raises(PlanError, match="10 to 256"):
            users.add(connection, "bob", Role.VIEWER, "short", "x")
        with pytest.raises(PlanError, match="somebody else in the audit log"):
            users.add(connection, "canopy-fleet", Role.VIEWER, PASSWORD, "x")
        with pytest.raises(PlanError, match="no user's name"):
            users.add(connection, "<b>", Role.VIEWER, PASSWORD, "x")
        with pytest.raises(NotPossible, match="already"):
            users.add(connection, "eva", Role.VIEWER, PASSWORD, "x")


# --- pages of other sites


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": "ü"},
        {"Origin": "http://elsewhere.example", "X-CSRF-Token": "right"},
        {"Origin": "null", "X-CSRF-Token": "right"},
        {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "right"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client: httpx.Client, store: Store, headers: dict[str, str]) -> None:
    log_in(client)
    token = csrf(client)["X-CSRF-Token"]
    sent = [(key, (token if value == "right" else value).encode()) for key, value in headers.items()]
    before = actions(store)
    assert client.post("/api/probe", headers=sent).status_code == 403
    assert (
        client.post("/logout", data={"csrf": "wrong"}, headers=[one for one in sent if one[0] == "Origin"]).status_code
        == 403
    )
    assert actions(store) == before


def test_another_site_cannot_log_somebody_in(client: httpx.Client) -> None:
    answer = client.post(
        "/login", data={"name": "ana", "password": PASSWORD}, headers={"Origin": "http://elsewhere.example"}
    )
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_preflight_of_another_site_is_not_granted(client: httpx.Client) -> None:
    log_in(client)
    asked = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    answer = client.options("/api/rollouts", headers=asked | {"Access-Control-Request-Headers": "x-csrf-token"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "length",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 9999999999",
        "Content-Length: 000000000000000009999999",
        "Content-Length: \u0661",
        "Content-Length: -1",
    ],
)
@pytest.mark.parametrize("path", ["/login", "/api/rollouts"])
def test_a_body_without_a_bound_is_refused_before_it_comes(client: httpx.Client, length: str, path: str) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", length, "Content-Type: application/x-www-form-urlencoded"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = connection.recv(64)[:12]
        assert status in {b"HTTP/1.1 413", b"HTTP/1.1 400"}, "refused by the gate, or by the server before it"


def test_a_form_of_a_thousand_fields_is_one_without_any(client: httpx.Client) -> None:
    log_in(client)
    many = {f"field{number}": "x" for number in range(1_000)}
    assert client.post("/login", data={**many, "name": "ana", "password": PASSWORD}).status_code == 401
    assert client.post("/logout", data={**many, "csrf": csrf(client)["X-CSRF-Token"]}).status_code == 403


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/api/v1/devices", "127.0.0.1/login?"),
        ("/api/v1/devices", "127.0.0.1/static/?"),
        ("/api/v1/devices", "127.0.0.1#"),
        ("/login%3F/../api/devices", "127.0.0.1"),
        ("/login%23", "127.0.0.1"),
        ("/static/../api/devices", "127.0.0.1"),
        ("/static/%2e%2e/api/devices", "127.0.0.1"),
        ("//api/devices", "127.0.0.1"),
        ("/API/devices", "127.0.0.1"),
        ("/api/devices/", "127.0.0.1"),
    ],
)
def test_no_spelling_of_a_path_or_a_host_gets_by_the_gate(client: httpx.Client, path: str, host: str) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer[:12] in {b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 400"}, answer


# --- programs


def test_a_token_does_what_its_scopes_say_and_nothing_more(client: httpx.Client, store: Store) -> None:
    reads, steers = bearer(store, "read"), bearer(store, "probe:operate", name="robot")
    assert client.get("/api/v1/devices", headers=reads).status_code == 200
    assert client.post("/api/probe", headers=reads).status_code == 403
    assert client.post("/api/probe", headers=steers).json() == "token robot"
    refused = client.get("/api/v1/devices", headers=steers)
    assert (refused.status_code, "area devices" in refused.json()["detail"]) == (403, True)
    assert ("token robot", "http post", "/api/probe") in actions(store)


def test_a_token_that_is_foreign_expired_or_revoked_opens_nothing(client: httpx.Client, store: Store) -> None:
    log_in(client)
    headers = bearer(store, "read")
    for change in (
        lambda connection: connection.execute(
            update(schema.api_tokens).values(expires_at=datetime.now(timezone.utc) - timedelta(seconds=1))
        ),
        lambda connection: tokens.revoke(connection, "program", "test"),
    ):
        assert client.get("/healthz", headers=headers).status_code == 200
        with store.writing() as connection:
            change(connection)
        assert client.get("/api/v1/devices", headers=headers).status_code == 401, "the cookie beside it does not count"
    assert client.get("/api/v1/devices", headers={"Authorization": "Bearer canopy_" + "x" * 9_000}).status_code == 401


def test_a_token_is_kept_as_a_hash(store: Store) -> None:
    header = bearer(store, "read", "rollouts:operate")["Authorization"]
    with store.reading() as connection:
        kept = connection.execute(select(schema.api_tokens)).one()
    assert not any(header.removeprefix("Bearer ") in str(value) for value in kept)
    assert re.fullmatch(r"Bearer canopy_[A-Za-z0-9_-]{43}", header)


@pytest.mark.parametrize(
    ("path", "scopes", "role"),
    [
        ("/api/v1/observations/x", ["observations:read"], Role.VIEWER),
        ("/api/rollouts", ["read", "rollouts:operate"], Role.OPERATOR),
        ("/api/models", ["read", "rollouts:operate"], Role.VIEWER),
        ("/api/models", ["rollouts:operate"], None),
        ("/brapi/v2/observations", ["brapi:read"], Role.VIEWER),
        ("/", ["overview:read"], Role.VIEWER),
        ("//api//v2//", ["admin"], Role.ADMIN),
        ("/api/rolloutsx", ["rollouts:operate"], None),
    ],
)
def test_scopes_are_of_areas(path: str, scopes: list[str], role: Role | None) -> None:
    assert tokens.role_for(scopes, path) is role


@pytest.mark.parametrize("scopes", [[], ["write"], ["read:rollouts"], ["read "], ["a:b:read"], ["read"] * 17])
def test_what_is_no_scope_is_refused(store: Store, scopes: list[str]) -> None:
    with store.writing() as connection, pytest.raises(PlanError):
        tokens.create(connection, "p", scopes, timedelta(days=1), "test", NOW)


# --- WebSockets, routes, limits


def test_a_websocket_knows_the_cookie_and_its_own_pages_only(client: httpx.Client) -> None:
    host = f"127.0.0.1:{client.base_url.port}"
    log_in(client)
    cookie = {"Cookie": f"canopy={client.cookies['canopy']}"}
    with connect(f"ws://{host}/live", additional_headers=cookie, origin=f"http://{host}") as live:
        assert live.recv() == "ana"
    for headers, origin in (({}, f"http://{host}"), (cookie, "http://elsewhere.example")):
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://{host}/live", additional_headers=headers, origin=origin)


def every_route(routes: Iterable[Any]) -> Iterator[Any]:
    """Also those of what is mounted, and of the routers that are included."""
    for route in routes:
        inside = getattr(route, "original_router", route)
        yield from every_route(getattr(inside, "routes", None) or ()) if not isinstance(route, APIRoute) else [route]


def test_without_users_no_page_of_another_site_opens_a_websocket_here(store: Store) -> None:
    with served(store) as client:
        url = f"ws://127.0.0.1:{client.base_url.port}/live"
        with connect(url) as live:
            assert live.recv() == "local"
        with pytest.raises(InvalidStatus, match="403"):
            connect(url, origin="http://elsewhere.example")


def test_every_route_that_changes_something_says_for_which_role_it_is(store: Store) -> None:
    app = create_app(store, WELL, repository=None)  # type: ignore[arg-type]
    open_to_all = PUBLIC | {"/logout"}
    changing = [
        route
        for route in every_route(app.routes)
        if isinstance(route, APIRoute) and route.methods - {"GET", "HEAD"} and route.path not in open_to_all
    ]
    assert changing
    for route in changing:
        assert any(hasattr(each.call, "role") for each in route.dependant.dependencies), route.path


def test_what_fails_in_the_store_is_a_503_with_its_reason(client: httpx.Client, store: Store, tmp_path: Path) -> None:
    log_in(client)
    store.close()
    (tmp_path / "fleet.sqlite").write_bytes(b"rubbish" * 1000)
    answer = client.get("/api/v1/devices")
    assert (answer.status_code, "damaged" in answer.json()["detail"]) == (503, True)


def test_the_throttle_counts_accounts_and_networks_and_forgets_after_its_window() -> None:
    throttle = Throttle()
    for number in range(PER_ADDRESS):
        assert throttle.admit(f"user{number}", f"2001:db8::{number:x}", 0.0) == 0.0
    assert throttle.admit("another", "2001:db8::ffff", 1.0) == WINDOW_S - 1.0
    assert throttle.admit("another", "2001:db8:0:1::1", 1.0) == 0.0
    assert throttle.admit("another", "2001:db8::ffff", WINDOW_S) == 0.0
    assert not throttle.is_spent("another", "2001:db8::ffff", WINDOW_S)


def test_tries_that_succeed_use_up_nothing() -> None:
    throttle = Throttle()
    for _ in range(10 * PER_ADDRESS):
        assert throttle.admit("ana", "192.0.2.1", 0.0) == 0.0
        throttle.succeeded("ana", "192.0.2.1")


def test_the_throttle_holds_a_bounded_number_of_keys() -> None:
    throttle = Throttle()
    for number in range(MAX_KEYS):
        throttle.admit(f"user{number}", f"198.51.{number // 256}.{number % 256}", 0.0)
    assert len(throttle._tries) == MAX_KEYS


def test_a_dependency_without_a_role_is_noticed() -> None:
    assert not hasattr(Depends(lambda: None).dependency, "role")
    assert requires(Role.ADMIN).dependency.role is Role.ADMIN
