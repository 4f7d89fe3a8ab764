"""People and programs that may use a fleet service under test."""

from datetime import datetime, timedelta, timezone

import httpx

from fleet.access import Role
from fleet.login import tokens, users
from fleet.store import Store

PASSWORD = "a few words of truth"


def add_user(store: Store, name: str = "ana", role: Role = Role.OPERATOR) -> None:
    """Somebody who may log in with ``PASSWORD``."""
    with store.writing() as connection:
        users.add(connection, name, role, PASSWORD, "test")


def log_in(client: httpx.Client, name: str = "ana", password: str = PASSWORD) -> httpx.Response:
    """What the form of the login page sends; from then on the client has the session's cookie."""
    return client.post("/login", data={"name": name, "password": password})


def csrf(client: httpx.Client) -> dict[str, str]:
    """The header of a page's requests that change something, taken from the page."""
    text = client.get("/rollouts", headers={"Accept": "text/html"}).text
    return {"X-CSRF-Token": text.partition('<meta name="csrf" content="')[2].partition('"')[0]}


def bearer(store: Store, *scopes: str, name: str = "program") -> dict[str, str]:
    """The header of a program with these scopes."""
    now = datetime.now(timezone.utc)
    with store.writing() as connection:
        token = tokens.create(connection, name, scopes or ("operate",), timedelta(days=1), "test", now)
    return {"Authorization": f"Bearer {token}"}
