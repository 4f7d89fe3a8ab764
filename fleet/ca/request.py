"""Reading what a device sends to be signed: all of it comes from outside, and what is signed is the key alone."""

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge.contract.enrolment import MAX_PEM_CHARS
from fleet.errors import RequestRefused

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_RSA_BITS = range(2_048, 4_097)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def read_request(text: str) -> tuple[str, PublicKey]:
    """The common name and the key of a PKCS #10 request, which whoever sent it has (it is signed with it).

    Raises:
        RequestRefused: it is none, is not signed by its own key, or the key is weak.
    """
    try:
        request = x509.load_pem_x509_csr(_ascii(text))
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        key, is_signed = request.public_key(), request.is_signature_valid
    except _UNREADABLE as error:
        raise RequestRefused(f"the certificate request cannot be read: {error!s:.200}") from error
    if not is_signed:
        raise RequestRefused("the certificate request is not signed by its own key")
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise RequestRefused("the certificate request names no device")
    return names[0].value, _strong(key)


def read_certificate(text: str) -> x509.Certificate:
    """A certificate that somebody shows.

    Raises:
        RequestRefused: it is none.
    """
    try:
        return x509.load_pem_x509_certificate(_ascii(text))
    except _UNREADABLE as error:
        raise RequestRefused(f"the certificate cannot be read: {error!s:.200}") from error


def verify(key: object, signature: str, signed: str) -> None:
    """Check a signature as ``RenewalRequest`` describes it.

    Raises:
        RequestRefused: it is not by this key, or no signature.
    """
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, signed.encode(), ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, signed.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            raise RequestRefused("a certificate with such a key was never given out")
    except (InvalidSignature, binascii.Error, *_UNREADABLE) as error:
        raise RequestRefused("this is not signed with the key of the certificate that it shows") from error


def key_digest(key: PublicKey) -> str:
    """What names a public key: SHA-256 of its SubjectPublicKeyInfo, hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _strong(key: object) -> PublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS:
        return key
    raise RequestRefused("the key must be ECDSA on P-256 or P-384, or RSA of 2048 to 4096 bits")


def _ascii(text: str) -> bytes:
    if len(text) > MAX_PEM_CHARS:
        raise RequestRefused(f"{len(text)} characters where {MAX_PEM_CHARS} are allowed")
    return text.encode("ascii")
