"""The TLS of one connection to the broker, or why there can be none."""

import ssl

from cryptography import x509

from edge.contract.tls import client_context
from edge.enroll.identity import ENROL, trouble
from edge.errors import DeliveryError
from edge.settings import TlsSettings


def secure_context(settings: TlsSettings) -> ssl.SSLContext:
    """TLS with the certificate as it is on the disk now: it may have been renewed since the last connection.

    Raises:
        DeliveryError: a file is missing or damaged, or the certificate is not valid at this time; a server's answer to
            such a certificate would say less.
    """
    ca, certificate, key = settings.files
    try:
        context = client_context(ca, certificate, key)
        own = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except FileNotFoundError as error:
        raise DeliveryError(f"mqtt.tls needs {certificate} and {ca}, and there is none; enrol: {ENROL}") from error
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise DeliveryError(
            f"mqtt.tls: {ca}, {certificate} and {key} cannot be used: {error}; let the daemon's user read them, or "
            f"enrol anew: {ENROL}"
        ) from error
    problem = trouble(certificate, own)
    if problem:
        raise DeliveryError(problem)
    return context
