"""Where devices hand in frames: they have no login, but sign each request with the key of their certificate."""

import base64
import binascii
import time
from datetime import datetime, timedelta, timezone
from typing import Annotated

from cryptography import x509
from fastapi import FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from edge.contract.frames import (
    CERTIFICATE_HEADER,
    FRAMES_PATH,
    MAX_FRAME_BYTES,
    SIGNATURE_HEADER,
    SIGNED_AT_HEADER,
    Receipt,
    signed_text,
)
from fleet.ca import enrolment
from fleet.errors import FrameRefused, FramesFull, RequestRefused
from fleet.frames.desk import FrameDesk
from fleet.login.throttle import Throttle

CLOCKS_DIFFER = timedelta(hours=1)
"""A signature is believed for so long: what is sent again does no harm, and clocks of devices are not exact."""

MAX_CERTIFICATE_CHARS = 8_192
Hex = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Offset = Annotated[int, Query(ge=0, le=MAX_FRAME_BYTES)]


def add_frames(app: FastAPI, desk: FrameDesk) -> None:
    """``POST`` and ``PUT /frames/DIGEST``."""
    throttle = Throttle()
    app.exception_handler(FrameRefused)(_refused)
    app.exception_handler(FramesFull)(_full)

    async def proved(request: Request) -> tuple[str, bytes]:
        """Who asks, and what was sent."""
        body = await request.body()  # the gate has bounded it
        address = request.client.host if request.client else "unknown"
        account = request.headers.get(SIGNATURE_HEADER, "")[:64]
        if throttle.admit(account, address, time.monotonic()):
            raise HTTPException(429, "too many requests that were refused; wait five minutes")
        device = await run_in_threadpool(_caller, desk, request, body)
        throttle.succeeded(account, address)
        return device, body

    @app.post(FRAMES_PATH + "{name}")
    async def announce(request: Request, name: Hex) -> Receipt:
        device, body = await proved(request)
        return await run_in_threadpool(desk.announce, device, f"sha256:{name}", body)

    @app.put(FRAMES_PATH + "{name}")
    async def take(request: Request, name: Hex, offset: Offset) -> Receipt:
        device, body = await proved(request)
        return await run_in_threadpool(desk.take, device, f"sha256:{name}", offset, body)


def _caller(desk: FrameDesk, request: Request, body: bytes) -> str:
    """The device whose key has signed a request.

    Raises:
        RequestRefused: it is not signed, or not by the key that it shows.
        EnrolmentRefused: the certificate is not in force.
    """
    now = datetime.now(timezone.utc)
    at = request.headers.get(SIGNED_AT_HEADER, "")
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"] + (f"?{query}" if query else "")
    _check_time(at, now)
    shown = _certificate(request.headers.get(CERTIFICATE_HEADER, ""))
    signature = request.headers.get(SIGNATURE_HEADER, "")
    with desk.store.reading() as connection:
        holder = enrolment.holder(
            connection, shown, signature, signed_text(request.method, path, at, body), timedelta(0), now
        )
    return str(holder.name)


def _check_time(at: str, now: datetime) -> None:
    try:
        signed_at = datetime.fromisoformat(at)
        far = abs(signed_at - now) > CLOCKS_DIFFER
    except (ValueError, TypeError, OverflowError) as error:
        raise RequestRefused(f"{at!r:.64} is no time with an offset; the request is not signed") from error
    if far:
        raise RequestRefused(f"this was signed at {signed_at:%F %R}, and here it is {now:%F %R} UTC; set the clock")


def _certificate(text: str) -> x509.Certificate:
    try:
        der = base64.b64decode(text[:MAX_CERTIFICATE_CHARS].encode("ascii"), validate=True)
        return x509.load_der_x509_certificate(der)
    except (ValueError, TypeError, binascii.Error, x509.InvalidVersion) as error:
        raise RequestRefused(f"the request shows no certificate: {error!s:.200}") from error


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


async def _full(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=429, headers={"Retry-After": "3600"})
