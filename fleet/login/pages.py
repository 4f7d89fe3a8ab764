"""The login page, a new password, and the way out."""

import logging
import math
import time
from datetime import datetime, timezone
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from fleet import audit
from fleet.access import Principal, Role, requires, visit
from fleet.errors import PlanError
from fleet.login import sessions, users
from fleet.login.gate import form_fields, is_own_page
from fleet.login.recognise import cookie_name, is_secure, session_secret
from fleet.login.throttle import Throttle
from fleet.pages.page import environment
from fleet.settings import is_loopback
from fleet.store import Store

log = logging.getLogger(__name__)

AT_ONCE = 2
"""So many passwords are checked at a time: each takes 64 MiB, and none of the threads that serve the pages."""
WRONG = "This name and password are not known together."


def add_login(app: FastAPI, store: Store) -> None:
    """``/login``, ``/password`` and ``/logout``."""
    viewer = requires(Role.VIEWER)
    throttle, limiter = Throttle(), CapacityLimiter(AT_ONCE)

    @app.get("/login", response_class=HTMLResponse)
    def show(into: Annotated[str, Query(alias="next", max_length=2_000)] = "/") -> str:
        return _draw(_local(into))

    @app.post("/login", response_model=None)
    async def log_in(request: Request) -> HTMLResponse | RedirectResponse:
        fields = form_fields(await request.body())
        name, password, into = (fields.get(key, "") for key in ("name", "password", "next"))
        attempt = partial(_log_in, store, throttle, request, name, password, _local(into))
        return await to_thread.run_sync(attempt, limiter=limiter)

    @app.get("/password", response_class=HTMLResponse)
    def show_password(_person: Principal = viewer) -> str:
        return _draw_password()

    @app.post("/password", response_model=None)
    async def change_password(request: Request, person: Principal = viewer) -> HTMLResponse | RedirectResponse:
        fields = form_fields(await request.body())
        old, new, again = (fields.get(key, "") for key in ("old", "new", "again"))
        change = partial(_change_password, store, throttle, request, person, old, new, again)
        return await to_thread.run_sync(change, limiter=limiter)

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
    if not is_secure(request) and not is_loopback(address):
        return _again("A password is taken over https:// only.", into, name, 403)
    wait_s = throttle.admit(name, address, now_s)
    if wait_s:
        minutes = math.ceil(wait_s / 60)
        answer = _again(f"Too many tries: wait {minutes} minute{'' if minutes == 1 else 's'}.", into, name, 429)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    found = users.authenticate(store, name, password)
    if found is None:
        _note_failure(store, throttle, name, address, now_s)
        return _again(WRONG, into, name, 401)
    throttle.succeeded(name, address)
    return _welcome(store, request, found, into)


def _change_password(
    store: Store, throttle: Throttle, request: Request, person: Principal, old: str, new: str, again: str
) -> HTMLResponse | RedirectResponse:
    """Who has found an open browser must still know the old one; every other session of the person ends."""
    if new != again:
        return HTMLResponse(_draw_password("The two new passwords are not the same."), 422)
    address = _address(request)
    if throttle.admit(person.name, address, time.monotonic()):
        return HTMLResponse(_draw_password("Too many tries: wait five minutes."), 429)
    if users.authenticate(store, person.name, old) is None:
        return HTMLResponse(_draw_password("This is not your password."), 403)
    throttle.succeeded(person.name, address)
    try:
        with store.writing() as connection:
            users.set_password(connection, person.name, new, person.name)
    except PlanError as error:
        return HTMLResponse(_draw_password(str(error)), 422)
    return _welcome(store, request, person, "/")


def _draw_password(complaint: str = "") -> str:
    template = environment().get_template("password.html")
    return template.render(now=datetime.now(timezone.utc), receiving=True, complaint=complaint)


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
    log.warning("a login from %s failed", address)
    if throttle.is_spent(name, address, now_s):
        with store.writing() as connection:
            known = name if users.is_known(connection, name) else "an unknown name"  # it may be a password
            audit.record(connection, "nobody", "login locked", known, address=address)


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
