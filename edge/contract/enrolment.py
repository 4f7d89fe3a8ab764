"""How a device gets its certificate: what both ends say over HTTP, and what a token is.

A token is ``canopy1.SECRET.AUTHORITY``: a secret that works once, and the SHA-256 of the root certificate, both in
base64url. The device believes the root that has this digest and no other, so that somebody in between is noticed
before the secret is told.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from edge.contract.message import Wire

ENROL_PATH, RENEW_PATH, CA_PATH, CRL_PATH = "/enroll", "/enroll/renew", "/ca.pem", "/crl.pem"

MAX_PEM_CHARS = 8_192
MAX_ANSWER_BYTES = 65_536
MAX_NAME_CHARS = 64
"""The most that a certificate's common name can hold (X.520, ub-common-name)."""
RENEW_AT = 2 / 3
"""Share of its life after which a certificate is renewed; the rest is the time that a fleet may be away."""

_TOKEN = re.compile(r"^canopy1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$")

Pem = Annotated[str, Field(min_length=1, max_length=MAX_PEM_CHARS)]
Secret = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class EnrolmentRequest(Wire):
    """``POST /enroll``: the token's secret, and a PKCS #10 request whose common name is the device that asks."""

    secret: Secret
    csr: Pem


class RenewalRequest(Wire):
    """``POST /enroll/renew``: who has the key of a valid certificate gets the next one.

    ``signature``: by that key over the new request's PEM text; ECDSA with SHA-256 in DER, or RSA PSS with SHA-256 and
    a salt of 32 bytes; in base64.
    """

    certificate: Pem
    csr: Pem
    signature: Annotated[str, Field(min_length=1, max_length=2_048)]


class Enrolled(Wire):
    """The answer to both: the certificate, and those between it and the root."""

    certificate: Pem
    chain: Annotated[str, Field(max_length=2 * MAX_PEM_CHARS)]


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """What an operator hands to a technician. ``authority``: SHA-256 of the root certificate in DER."""

    secret: str = field(repr=False)
    authority: bytes

    def __str__(self) -> str:
        return f"canopy1.{self.secret}.{base64.urlsafe_b64encode(self.authority).rstrip(b'=').decode()}"

    @classmethod
    def parse(cls, text: str) -> "EnrolmentToken":
        """Read a token as somebody pasted it.

        Raises:
            ValueError: it is none, or not all of one.
        """
        found = _TOKEN.match(text.strip())
        if found is None:
            raise ValueError(f"{len(text.strip())} characters that are no enrolment token, canopy1.….…")
        try:
            authority = base64.b64decode(found[2] + "=", altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise ValueError("the second part of the token is no digest") from error
        return cls(found[1], authority)


def common_name(site: str, device: str) -> str:
    """What a device's certificate calls it, and so the place of its topics below the root: ``site/device``.

    Raises:
        ValueError: it is too long for a certificate.
    """
    name = f"{site}/{device}"
    if len(name) > MAX_NAME_CHARS:
        raise ValueError(
            f"{name} has {len(name)} characters and a certificate's name at most {MAX_NAME_CHARS}; shorten the site or "
            "the device"
        )
    return name
