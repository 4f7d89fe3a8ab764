"""What a port says of itself: whether it speaks TLS, and with what certificate. Nothing that it says is believed."""

import socket
import ssl
from datetime import datetime, timezone
from pathlib import Path

PEM_BEGIN = b"-----BEGIN CERTIFICATE-----"
MAX_PEM_BYTES = 1_000_000


def peer_certificate(host: str, port: int, timeout_s: float) -> bytes | None:
    """The certificate, DER, that a server shows; None if it speaks no TLS.

    Raises:
        OSError: it cannot be reached.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is looked at, and nothing is sent
    with socket.create_connection((host, port), timeout_s) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as speaking:
                return speaking.getpeercert(binary_form=True)
        except (ssl.SSLError, TimeoutError, ConnectionError):
            return None


def expiries(pem: bytes) -> list[datetime]:
    """The end of each certificate in a PEM file, which has one at least.

    Raises:
        ValueError: one of them is none.
    """
    from cryptography import x509  # noqa: PLC0415  loads a library of its own

    return [one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pem)]


def expiry_of(der: bytes) -> datetime:
    """The end of one certificate."""
    from cryptography import x509  # noqa: PLC0415

    return x509.load_der_x509_certificate(der).not_valid_after_utc


def read_pem(path: Path) -> bytes:
    """A file, if it may be a PEM file with a certificate in it; else nothing."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_PEM_BYTES:
            return b""
        content = path.read_bytes()
    except OSError:
        return b""
    return content if PEM_BEGIN in content else b""


def days_left(end: datetime, now: datetime) -> float:
    """Until ``end``; negative after it."""
    return (end.astimezone(timezone.utc) - now).total_seconds() / 86_400
