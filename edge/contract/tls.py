"""TLS towards the broker, the same at both ends: what is believed, and what each failure means and what mends it."""

import ssl
from pathlib import Path

_FOREIGN = """\
another authority signed the server's certificate: this is not the server that it should be, or it got a certificate \
from elsewhere; do not go on before somebody knows which of the two"""
_ENROL = "enrol anew with a token (canopy-fleet device enroll-token)"

MEANINGS = {
    "certificate is not yet valid": """\
the server's certificate is not valid yet by the clock of this machine: set the clock (timedatectl)""",
    "certificate has expired": """\
the server's certificate has expired by the clock of this machine: see whether the clock is right (timedatectl); if it \
is, the server needs a new one (canopy-fleet ca server)""",
    "mismatch, certificate is not valid for": """\
the server's certificate is for another name: reach it by the name that it was made for, or have one made for this \
name (canopy-fleet ca server NAME)""",
    "self signed certificate": _FOREIGN,
    "unable to get local issuer certificate": _FOREIGN,
    "certificate signature failure": _FOREIGN,
    "alert certificate expired": f"""\
the server says that this side's certificate has expired: see whether both clocks are right, then {_ENROL}""",
    "alert certificate revoked": """\
this side's certificate was revoked: ask the operator why, and for a new token""",
    "alert unknown ca": """\
the server does not know who signed this side's certificate: enrol at the fleet that this server belongs to""",
    "certificate required": """\
the server wants a certificate, and this side has shown none: enrol, and set mqtt.tls""",
    "alert bad certificate": f"the server does not take this side's certificate: {_ENROL}",
    "alert certificate unknown": f"the server does not take this side's certificate: {_ENROL}",
    "alert unsupported certificate": "the server does not take this side's certificate: it is for another purpose",
    "wrong version number": "nobody speaks TLS at this port; 8883 is the usual one",
    "record layer failure": "nobody speaks TLS at this port; 8883 is the usual one",
    "alert protocol version": "the server wants another version of TLS than 1.2 and 1.3",
}
"""What OpenSSL's words mean, by a part of them; they differ between its releases in hyphens and underscores."""


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """What a connection to the broker is made with: ``ca`` alone is believed, and the own certificate is shown.

    Raises:
        OSError: a file cannot be read, is no PEM, or the key is not that of the certificate (ssl.SSLError is one).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    context.load_cert_chain(certificate, key)
    return context


def meaning(error: object) -> str:
    """What a failure of TLS means and what to do; empty if it is none."""
    text = str(error).lower().replace("-", " ").replace("_", " ")
    return next((meant for part, meant in MEANINGS.items() if part in text), "")
