"""What the device says to the fleet to get a certificate, over HTTPS.

The first answer, the authority's certificates, is read without believing anybody: the token's digest proves it, and a
connection that believes this authority is made for all that follows. So the secret is told to the right fleet only.
"""

import base64
import ssl
import warnings
from urllib.parse import urlsplit

import urllib3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from edge.address import public_address
from edge.contract.enrolment import (
    CA_PATH,
    ENROL_PATH,
    MAX_ANSWER_BYTES,
    RENEW_PATH,
    Enrolled,
    EnrolmentRequest,
    EnrolmentToken,
    RenewalRequest,
)
from edge.contract.message import Wire
from edge.contract.tls import meaning
from edge.enroll.identity import Identity, IdentityFolder, checked, pinned, request
from edge.errors import ConfigError, EnrolmentRefused, FleetUnreachable

TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
BUSY_TRIES = 3
_REFUSED = {401, 403, 404, 409, 413, 422}


def enrol(folder: IdentityFolder, name: str, fleet: str, token: EnrolmentToken) -> Identity:
    """Get the first certificate of ``name``, or another one in the place of what there is.

    Raises:
        ConfigError: the fleet's address is none that a secret may be told to.
        EnrolmentRefused: this is not the token's fleet, or it refuses.
        FleetUnreachable: no answer.
        IdentityError: it cannot be kept.
    """
    fleet = _address(fleet)
    ca = _get_ca(fleet)
    pinned(ca, token.authority)
    key = folder.next_key()
    asked = EnrolmentRequest(secret=token.secret, csr=request(key, name))
    given = _post(fleet + ENROL_PATH, asked, ca)
    checked(given.certificate, given.chain, ca, key, name)
    return folder.accept(key, given.certificate, given.chain, ca, fleet)


def renew(folder: IdentityFolder, old: Identity) -> Identity:
    """Get the next certificate, for a new key, by the key of the one that is in force.

    Raises:
        EnrolmentRefused: the fleet refuses: it was revoked, or is over.
        FleetUnreachable: no answer; what is in force still is.
        IdentityError: it cannot be kept.
    """
    ca, key = folder.ca.read_bytes(), folder.next_key()
    csr = request(key, old.name)
    signature = old.key.sign(csr.encode(), ec.ECDSA(hashes.SHA256()))
    asked = RenewalRequest(certificate=old.pem, csr=csr, signature=base64.b64encode(signature).decode())
    given = _post(old.fleet + RENEW_PATH, asked, ca)
    checked(given.certificate, given.chain, ca, key, old.name)
    return folder.accept(key, given.certificate, given.chain, ca, old.fleet)


def _address(fleet: str) -> str:
    parts = urlsplit(fleet)
    if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}:
        return fleet.rstrip("/")
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError(
            f"--fleet {public_address(fleet)}: a token is told over https:// only; name the fleet service like that"
        )
    return fleet.rstrip("/")


def _get_ca(fleet: str) -> bytes:
    unproved = ssl.create_default_context()
    unproved.check_hostname, unproved.verify_mode = False, ssl.CERT_NONE  # the digest proves what comes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        return _ask("GET", fleet + CA_PATH, unproved)


def trusting(ca: bytes) -> ssl.SSLContext:
    """TLS that believes the fleet's authority, and the system's: the fleet may stand behind a public certificate."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca.decode("ascii"))
    return context


def _post(url: str, asked: Wire, ca: bytes) -> Enrolled:
    context = trusting(ca)
    try:
        return Enrolled.model_validate_json(_ask("POST", url, context, asked.model_dump_json().encode()))
    except ValidationError as error:
        raise FleetUnreachable(f"{url} answers something else than a certificate; is it a fleet service?") from error


def _ask(method: str, url: str, context: ssl.SSLContext, body: bytes | None = None) -> bytes:
    with connections(context) as pool:
        return ask(pool, method, url, body, {"Content-Type": "application/json"})


def connections(context: ssl.SSLContext) -> urllib3.PoolManager:
    """Connections to the fleet. One that is busy now is asked again: at once, after 2 s and after 4."""
    patience = urllib3.Retry(
        total=BUSY_TRIES, connect=False, read=False, redirect=False, status_forcelist={503}, allowed_methods=None,
        backoff_factor=1.0, raise_on_status=False, respect_retry_after_header=False,
    )  # fmt: skip
    return urllib3.PoolManager(ssl_context=context, retries=patience, timeout=TIMEOUT)


def ask(pool: urllib3.PoolManager, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
    """What the fleet answers.

    Raises:
        EnrolmentRefused: it says no.
        FleetUnreachable: no answer, or none that can be used now.
    """
    headers = {"User-Agent": "canopy", "Accept": "application/json", **headers}
    try:
        answer = pool.request(method, url, body=body, headers=headers, preload_content=False, redirect=False)
        content = answer.read(MAX_ANSWER_BYTES + 1, decode_content=False)
        answer.release_conn() if len(content) <= MAX_ANSWER_BYTES else answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise FleetUnreachable(f"{url} is not reached: {meaning(error) or error}") from error
    if len(content) > MAX_ANSWER_BYTES:
        raise FleetUnreachable(f"{url} answers more than {MAX_ANSWER_BYTES} bytes; is it a fleet service?")
    if answer.status != 200:
        raise _refusal(url, answer.status, content)
    return content


def _refusal(url: str, status: int, content: bytes) -> EnrolmentRefused | FleetUnreachable:
    said = _detail(content) or f"HTTP {status}"
    if status == 404 and url.endswith(CA_PATH):
        said = "no authority there (canopy-fleet ca init), or no fleet service"
    kind = EnrolmentRefused if status in _REFUSED else FleetUnreachable
    return kind(f"{urlsplit(url).netloc}: {said}")


def _detail(content: bytes) -> str:
    """What the fleet says, as text that a terminal can show."""

    class Said(Wire):
        detail: str = ""

    try:
        detail = Said.model_validate_json(content).detail
    except ValidationError:
        return ""
    return "".join(char for char in detail[:500] if char.isprintable())
