"""The login page, and the way out."""

import logging
import math
import time
from datetime import datetime, timezone
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from fleet import audit
from fleet.access import Principal, visit
from fleet.login import sessions, users
from fleet.login.gate import is_own_page
from fleet.login.recognise import cookie_name, is_secure, session_secret
from fleet.login.throttle import Throttle
from fleet.page import environment
from fleet.store import Store

log = logging.getLogger(__name__)

WRONG = "This name and password are not known together."


def add_login(app: FastAPI, store: Store) -> None:
    """``/login`` and ``/logout``."""
    throttle = Throttle()

    @app.get("/login", response_class=HTMLResponse)
    def show(into: Annotated[str, Query(alias="next", max_length=2_000)] = "/") -> str:
        return _draw(_local(into))

    @app.post("/login", response_model=None)
    async def log_in(request: Request) -> HTMLResponse | RedirectResponse:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=8)
        name, password, into = (fields.get(key, [""])[0] for key in ("name", "password", "next"))
        return await run_in_threadpool(_log_in, store, throttle, request, name, password, _local(into))

    @app.post("/logout", response_model=None)
    def log_out(request: Request) -> RedirectResponse:
        with store.writing() as connection:
            sessions.end(connection, session_secret(request))
            found = visit().principal
            audit.record(connection, found.name if found else "nobody", "logout", _address(request))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(cookie_name(secure=is_secure(request)), secure=is_secure(request), httponly=True)
        return answer


def _log_in(
    store: Store, throttle: Throttle, request: Request, name: str, password: str, into: str
) -> HTMLResponse | RedirectResponse:
    if not is_own_page(request):
        return _again("This form came from a page of another site.", into, name, 403)
    address, now_s = _address(request), time.monotonic()
    wait_s = throttle.wait_s(name, address, now_s)
    if wait_s:
        minutes = math.ceil(wait_s / 60)
        answer = _again(f"Too many tries: wait {minutes} minute{'' if minutes == 1 else 's'}.", into, name, 429)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    with store.reading() as connection:
        found = users.authenticate(connection, name, password)
    if found is None:
        _note_failure(store, throttle, name, address, now_s)
        return _again(WRONG, into, name, 401)
    throttle.succeeded(name)
    return _welcome(store, request, found, into)


def _welcome(store: Store, request: Request, found: Principal, into: str) -> RedirectResponse:
    """A new session for each login: what somebody knew of an older one is worth nothing."""
    secure, address = is_secure(request), _address(request)
    with store.writing() as connection:
        sessions.end(connection, session_secret(request))
        secret = sessions.begin(connection, found.name, address, datetime.now(timezone.utc))
        audit.record(connection, found.name, "login", address)
    answer = RedirectResponse(into, 303)
    longest_s = int(sessions.LONGEST.total_seconds())
    answer.set_cookie(
        cookie_name(secure=secure), secret, max_age=longest_s, secure=secure, httponly=True, samesite="lax"
    )
    return answer


def _note_failure(store: Store, throttle: Throttle, name: str, address: str, now_s: float) -> None:
    """Every failure in the service's log; in the audit log the one that uses up a limit, so that it stays readable."""
    log.warning("a login as %.64r from %s failed", name, address)
    if throttle.failed(name, address, now_s):
        with store.writing() as connection:
            audit.record(connection, "nobody", "login locked", name[:64] or "-", address=address)


def _again(complaint: str, into: str, name: str, status: int) -> HTMLResponse:
    return HTMLResponse(_draw(into, complaint, name), status)


def _draw(into: str, complaint: str = "", name: str = "") -> str:
    template = environment().get_template("login.html")
    return template.render(now=datetime.now(timezone.utc), receiving=True, into=into, complaint=complaint, name=name)


def _local(into: str) -> str:
    """Where to go after the login: a path of this service, whatever the link said."""
    local = into.startswith("/") and not into.startswith(("//", "/\\")) and into.isprintable()
    return into if local and not into.startswith("/login") else "/"


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
