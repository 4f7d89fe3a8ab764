"""Where devices get their certificates: they have no login, but a token or the key of their last certificate."""

import time
from collections.abc import Callable
from datetime import datetime, timezone

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse
from sqlalchemy import Connection

from edge.contract.enrolment import (
    CA_PATH,
    CRL_PATH,
    ENROL_PATH,
    RENEW_PATH,
    Enrolled,
    EnrolmentRequest,
    RenewalRequest,
)
from fleet.ca import enrolment
from fleet.ca.folder import CaFolder, pem
from fleet.errors import AuthorityError, EnrolmentRefused, RequestRefused
from fleet.login.secret import digest
from fleet.login.throttle import Throttle
from fleet.store import Store

Authority = tuple[CaFolder, enrolment.Terms]

_PEM_FILE = "application/x-pem-file"
_STATUS = {EnrolmentRefused: 403, RequestRefused: 422, AuthorityError: 503}


def add_enrolment(app: FastAPI, store: Store, folder: CaFolder, terms: enrolment.Terms) -> None:
    """``POST /enroll`` and ``/enroll/renew``, and the authority's public files."""
    throttle = Throttle()
    for kind in _STATUS:
        app.exception_handler(kind)(_answer)

    def sign(request: Request, about: str, issue: Callable[[Connection], str]) -> Enrolled:
        address = request.client.host if request.client else "unknown"
        if throttle.admit(about, address, time.monotonic()):
            raise HTTPException(429, "too many requests that were refused; wait five minutes")
        with store.writing() as connection:
            certificate = issue(connection)
        throttle.succeeded(about, address)
        return Enrolled(certificate=certificate, chain=pem(folder.issuer().certificate).decode())

    @app.post(ENROL_PATH)
    def enrol(asked: EnrolmentRequest, request: Request) -> Enrolled:
        issuer, now = folder.issuer(), datetime.now(timezone.utc)
        return sign(
            request,
            digest(asked.secret),
            lambda connection: enrolment.enrol(connection, issuer, terms, asked.secret, asked.csr, now),
        )

    @app.post(RENEW_PATH)
    def renew(asked: RenewalRequest, request: Request) -> Enrolled:
        issuer, now = folder.issuer(), datetime.now(timezone.utc)
        return sign(
            request,
            digest(asked.certificate),
            lambda connection: enrolment.renew(
                connection, issuer, terms, asked.certificate, asked.csr, asked.signature, now
            ),
        )

    @app.get(CA_PATH)
    def ca() -> FileResponse:
        return FileResponse(folder.ca, media_type=_PEM_FILE)

    @app.get(CRL_PATH)
    def crl() -> FileResponse:
        return FileResponse(folder.crl, media_type=_PEM_FILE)


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=_STATUS[type(error)])  # type: ignore[index]
