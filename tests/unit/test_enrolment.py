"""Certificates over a real HTTPS service: tokens, renewals, revocations, somebody in between, and hostile requests."""

import base64
import json
import ssl
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from edge.contract.enrolment import EnrolmentToken, common_name
from edge.enroll import identity as device_identity
from edge.enroll import talk
from edge.enroll.identity import IdentityFolder, request
from edge.enroll.renewal import Renewal
from edge.errors import ConfigError, EnrolmentRefused, FleetUnreachable
from fleet import audit, schema
from fleet.access import Role
from fleet.ca import certificates, enrolment
from fleet.ca.folder import CaFolder
from fleet.ca.request import read_certificate, read_request, verify
from fleet.ca.upkeep import Upkeep, ensure_fleet
from fleet.errors import AuthorityError, NotFound, PlanError, RequestRefused
from fleet.errors import ConfigError as FleetConfigError
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings, TlsSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.access import PASSWORD, add_user, log_in
from tests.sim.authority import PASSPHRASE, Authority, now

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)
NAME = "gh/cam"
DAY = timedelta(days=1)

# urllib3 leaves the socket of a handshake that failed to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


@contextmanager
def served(store: Store, authority: Authority, *hosts: str, terms: enrolment.Terms | None = None) -> Iterator[str]:
    """The service's address: the port of a server whose certificate is for ``hosts``."""
    certificate, key = authority.server(*(hosts or ("localhost",)))
    http = HttpSettings(port=0, tls=TlsSettings(certificate=certificate, key=key))
    app = create_app(store, WELL, authority=(authority, terms or enrolment.Terms()))  # type: ignore[arg-type]
    with ExitStack() as parts:
        listening = parts.enter_context(listen(http))
        parts.enter_context(serve_web(app, listening, http))
        yield f"https://localhost:{listening.getsockname()[1]}"


@pytest.fixture
def url(store: Store, authority: Authority) -> Iterator[str]:
    with served(store, authority) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> IdentityFolder:
    (tmp_path / "device").mkdir()
    return IdentityFolder(tmp_path / "device")


def token(store: Store, authority: Authority, name: str = NAME, ttl: timedelta = DAY) -> EnrolmentToken:
    with store.writing() as connection:
        return enrolment.make_token(connection, name, ttl, authority.issuer().digest, "test", now())


def actions(store: Store) -> list[str]:
    with store.reading() as connection:
        return [entry.action for entry in audit.entries(connection)]


# --- tokens


def test_a_token_works_once_and_again_only_for_the_same_key(
    store: Store, authority: Authority, url: str, folder: IdentityFolder, tmp_path: Path
) -> None:
    given = token(store, authority)
    first = talk.enrol(folder, NAME, url, given)
    assert (first.name, first.fleet) == (NAME, url)
    assert timedelta(days=89) < first.expires_at - now() <= timedelta(days=90)
    with pytest.raises(EnrolmentRefused, match="works once"):
        talk.enrol(IdentityFolder(tmp_path / "thief"), NAME, url, given)
    with store.writing() as connection:
        issuer, csr = authority.issuer(), request(first.key, NAME)
        again = enrolment.enrol(connection, issuer, enrolment.Terms(), given.secret, csr, now())
    assert again == first.pem, "an answer that was lost is given again"
    assert actions(store).count("device enroll") == 1


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_key(
    store: Store, authority: Authority, url: str, folder: IdentityFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = token(store, authority)
    real = talk._post

    def lost(*asked: object) -> None:
        real(*asked)  # type: ignore[arg-type]
        raise FleetUnreachable("cut")

    monkeypatch.setattr(talk, "_post", lost)
    with pytest.raises(FleetUnreachable):
        talk.enrol(folder, NAME, url, given)
    assert folder.read() is None
    monkeypatch.setattr(talk, "_post", real)
    assert talk.enrol(folder, NAME, url, given).name == NAME


@pytest.mark.parametrize("kind", ["unknown", "expired", "replaced", "of another device", "withdrawn"])
def test_a_token_that_is_not_good_gives_nothing_and_says_why(
    store: Store, authority: Authority, url: str, folder: IdentityFolder, kind: str
) -> None:
    given = token(store, authority)
    if kind == "unknown":
        given = EnrolmentToken("x" * 43, given.authority)
    if kind == "expired":
        with store.writing() as connection:
            connection.execute(update(schema.enroll_tokens).values(expires_at=now()))
    if kind == "replaced":
        token(store, authority)
    if kind == "of another device":
        given = token(store, authority, "gh/other")
    if kind == "withdrawn":
        with store.writing() as connection:
            assert enrolment.revoke(connection, NAME, "", "test", now()) == 0
    with pytest.raises(EnrolmentRefused, match=r"not known here|was good until|is for gh/other, and gh/cam asks"):
        talk.enrol(folder, NAME, url, given)
    assert folder.read() is None
    assert "device enroll" not in actions(store)


def test_a_token_and_what_it_opens_are_kept_as_hashes(store: Store, authority: Authority) -> None:
    given = token(store, authority)
    with store.reading() as connection:
        rows = connection.execute(schema.enroll_tokens.select()).all()
    assert not any(given.secret in str(value) for value in rows[0])


@pytest.mark.parametrize(
    "device", ["cam", "gh/", "/cam", "gh/cam/x", "g h/cam", "gh/../x", "", f"{'x' * 40}/{'y' * 40}"]
)
def test_what_is_no_device_gets_no_token(store: Store, authority: Authority, device: str) -> None:
    with pytest.raises(PlanError):
        token(store, authority, device)


def test_the_fleet_tells_guessers_to_wait(store: Store, authority: Authority, url: str) -> None:
    key = certificates.new_key()
    body = {"secret": "x" * 43, "csr": request(key, NAME)}
    context = ssl.create_default_context(cafile=authority.root)
    with httpx.Client(base_url=url, verify=context) as client:
        codes = {client.post("/enroll", json=body).status_code for _ in range(12)}
    assert codes == {403, 429}


# --- somebody in between


def test_a_man_in_the_middle_is_noticed_before_the_secret_is_told(
    store: Store, authority: Authority, url: str, folder: IdentityFolder, tmp_path: Path
) -> None:
    """He has a service and an authority of his own, under the address that the technician types."""
    given, his = token(store, authority), Authority(tmp_path / "his")
    with served(store, his) as middle, pytest.raises(EnrolmentRefused, match="another fingerprint"):
        talk.enrol(folder, NAME, middle, given)
    # He passes the right authority on, but cannot speak with its key.
    his.ca.write_bytes(authority.ca.read_bytes())
    with served(store, his) as middle, pytest.raises(FleetUnreachable, match="another authority signed"):
        talk.enrol(folder, NAME, middle, given)
    with (
        served(store, authority, "elsewhere.example") as middle,
        pytest.raises(FleetUnreachable, match="for another name"),
    ):
        talk.enrol(folder, NAME, middle, given)
    assert folder.read() is None
    assert talk.enrol(folder, NAME, url, given).name == NAME, "and the token is as good as before"


@pytest.mark.parametrize(
    "fleet", ["http://fleet.example", "fleet.example", "ftp://fleet.example", "https://", "http://10.0.0.1:80"]
)
def test_a_token_is_told_over_tls_only(folder: IdentityFolder, fleet: str, store: Store, authority: Authority) -> None:
    with pytest.raises(ConfigError, match="over https:// only"):
        talk.enrol(folder, NAME, fleet, token(store, authority))


def test_a_certificate_for_another_key_name_or_authority_is_not_taken(authority: Authority, tmp_path: Path) -> None:
    key, issuer, ca = certificates.new_key(), authority.issuer(), authority.ca.read_bytes()
    other = Authority(tmp_path / "other").issuer()

    def made(name: str, own: certificates.Key, by: object) -> tuple[str, str]:
        signed = certificates.client(name, own.public_key(), by.certificate, by.key, now(), DAY)  # type: ignore[attr-defined]
        return tuple(one.public_bytes(Encoding.PEM).decode() for one in (signed, by.certificate))  # type: ignore[attr-defined,return-value]

    device_identity.checked(*made(NAME, key, issuer), ca, key, NAME)
    for certificate, chain in (
        made("gh/other", key, issuer),
        made(NAME, certificates.new_key(), issuer),
        made(NAME, key, other),
        (made(NAME, key, other)[0], made(NAME, key, issuer)[1]),
        ("rubbish", "rubbish"),
        made(NAME, key, issuer)[::-1],
    ):
        with pytest.raises(EnrolmentRefused):
            device_identity.checked(certificate, chain, ca, key, NAME)


# --- renewal


def test_a_certificate_is_renewed_at_two_thirds_of_its_life_with_a_new_key(
    store: Store, authority: Authority, url: str, folder: IdentityFolder
) -> None:
    first = talk.enrol(folder, NAME, url, token(store, authority))
    said: list[str] = []
    renewal = Renewal(folder.folder.parent, said.append)
    assert renewal.look(first.renew_at - timedelta(seconds=1)) is None
    second = renewal.look(first.renew_at)
    assert second is not None
    assert second.key.private_numbers() != first.key.private_numbers()
    assert folder.read() == second
    assert len(said) == 1
    assert 0.6 < (first.renew_at - now()) / (first.expires_at - now()) < 0.7


def test_a_fleet_that_is_away_is_asked_again_and_told_of_once_and_the_certificate_stays(
    store: Store, authority: Authority, folder: IdentityFolder, caplog: pytest.LogCaptureFixture
) -> None:
    with served(store, authority) as url:
        first = talk.enrol(folder, NAME, url, token(store, authority))
    renewal = Renewal(folder.folder.parent, lambda _: None)
    for _ in range(3):
        assert renewal.look(first.renew_at) is None
    assert [record.levelname for record in caplog.records if record.name == "edge.enroll.renewal"] == ["WARNING"]
    assert folder.read() == first


def test_what_was_revoked_is_over_or_is_foreign_is_not_renewed(
    store: Store, authority: Authority, url: str, folder: IdentityFolder, tmp_path: Path
) -> None:
    first = talk.enrol(folder, NAME, url, token(store, authority))

    def refused(match: str) -> None:
        with pytest.raises(EnrolmentRefused, match=match):
            talk.renew(folder, first)
        assert folder.read() == first

    with store.writing() as connection:
        over = now() - DAY
        connection.execute(update(schema.certificates).values(not_after=over))
    refused("was valid until")
    csr, csr_by_hand = request(first.key, NAME), enrolment.Terms(grace=2 * DAY)
    signature = base64.b64encode(first.key.sign(csr.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    with store.writing() as connection:
        enrolment.renew(connection, authority.issuer(), csr_by_hand, first.pem, csr, signature, now())
        connection.execute(update(schema.certificates).values(not_after=now() + DAY))
        assert enrolment.revoke(connection, NAME, "stolen", "test", now()) == 2
    refused("was revoked on")
    with store.writing() as connection:
        connection.execute(schema.certificates.delete())
    refused("was not given out here")
    with pytest.raises(RequestRefused, match="not signed with the key"):
        verify(certificates.new_key().public_key(), signature, csr)


def test_revoked_serials_stand_on_the_list_and_a_device_that_never_was_cannot_be_revoked(
    store: Store, authority: Authority, url: str, folder: IdentityFolder
) -> None:
    first = talk.enrol(folder, NAME, url, token(store, authority))
    with store.writing() as connection:
        enrolment.revoke(connection, NAME, "", "test", now())
        with pytest.raises(NotFound):
            enrolment.revoke(connection, "gh/nobody", "", "test", now())
    Upkeep(store, authority, []).look(now())
    found = x509.load_pem_x509_crl(httpx_get(f"{url}/crl.pem", authority))
    assert found.get_revoked_certificate_by_serial_number(first.certificate.serial_number) is not None
    assert found.is_signature_valid(authority.issuer().certificate.public_key())  # type: ignore[arg-type]


def httpx_get(url: str, authority: Authority) -> bytes:
    with httpx.Client(verify=ssl.create_default_context(cafile=authority.root)) as client:
        return client.get(url).content


# --- the authority


def test_the_service_renews_its_own_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert ensure_fleet(authority, now())
    assert not ensure_fleet(authority, now() + timedelta(days=59))
    assert ensure_fleet(authority, now() + timedelta(days=61))


def test_an_authority_is_made_once_and_its_root_key_needs_its_passphrase(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    with pytest.raises(AuthorityError, match="holds an authority already"):
        made.make("again", PASSPHRASE, now())
    with pytest.raises(AuthorityError, match="passphrase"):
        made.write_server(["localhost"], "wrong", tmp_path, now())
    with pytest.raises(AuthorityError, match="cannot be in a certificate"):
        made.write_server(["ü.example"], PASSPHRASE, tmp_path, now())
    made.root_key.rename(tmp_path / "stick")
    with pytest.raises(AuthorityError, match="bring it back"):
        made.server("localhost")
    made.issuer()
    with pytest.raises(AuthorityError, match="characters"):
        CaFolder(tmp_path / "new").make("x", "short", now())
    with pytest.raises(AuthorityError, match="canopy-fleet ca init"):
        CaFolder(tmp_path / "new").issuer()


def test_what_ends_soon_is_told_once_a_day(
    store: Store, authority: Authority, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    issuer = authority.issuer()
    brief = tmp_path / "brief.pem"
    signed = certificates.client("x", issuer.key.public_key(), issuer.certificate, issuer.key, now(), 10 * DAY)
    brief.write_bytes(signed.public_bytes(Encoding.PEM))
    upkeep = Upkeep(store, authority, [brief])
    for _ in range(3):
        upkeep.look(now())
    assert caplog.text.count("ends in 9 days") == 1


def test_a_server_without_a_usable_certificate_says_what_makes_one(tmp_path: Path) -> None:
    http = HttpSettings(port=0, tls=TlsSettings(certificate=tmp_path / "no.pem", key=tmp_path / "no.key"))
    with listen(http) as listening, pytest.raises(FleetConfigError, match="canopy-fleet ca server makes both"):
        serve_web(create_app, listening, http).__enter__()  # type: ignore[arg-type]


def test_over_tls_the_cookie_stays_there_and_old_versions_are_refused(
    store: Store, authority: Authority, url: str
) -> None:
    add_user(store, "ana", Role.ADMIN)
    context = ssl.create_default_context(cafile=authority.root)
    with httpx.Client(base_url=url, verify=context) as client:
        answer = log_in(client, "ana", PASSWORD)
        assert answer.headers["set-cookie"].startswith("__Host-canopy=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        assert client.get("/api/v1/devices").status_code == 200
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
    with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
        client.get(url)


# --- hostile input


def pem_of(kind: str, inner: bytes) -> str:
    body = base64.encodebytes(inner).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


GOOD_CSR = request(ec.generate_private_key(ec.SECP256R1()), NAME)
GOOD_DER = x509.load_pem_x509_csr(GOOD_CSR.encode()).public_bytes(Encoding.DER)


@given(
    st.one_of(st.text(max_size=300), st.binary(max_size=400).map(lambda inner: pem_of("CERTIFICATE REQUEST", inner)))
)
def test_no_text_breaks_the_reading_of_a_request_or_a_certificate(text: str) -> None:
    for read in (read_request, read_certificate):
        with pytest.raises(RequestRefused):
            read(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD_DER) - 1), st.integers(1, 255)),
        min_size=1,
        max_size=4,
        unique_by=lambda one: one[0],
    )
)
def test_a_request_that_was_altered_is_never_signed(changes: list[tuple[int, int]]) -> None:
    altered = bytearray(GOOD_DER)
    for at, by in changes:
        altered[at] ^= by
    try:
        name, key = read_request(pem_of("CERTIFICATE REQUEST", bytes(altered)))
    except RequestRefused:
        return
    good_name, good_key = read_request(GOOD_CSR)
    assert (name, key.public_numbers()) == (good_name, good_key.public_numbers()), "its own key signed what was read"


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP192R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa 1024", "p-192", "ed25519"],
)
def test_a_weak_or_strange_key_is_refused(key: object) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    hashed = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder(subject).sign(key, hashed)  # type: ignore[arg-type]
    with pytest.raises(RequestRefused, match="the key must be"):
        read_request(made.public_bytes(Encoding.PEM).decode())


def test_nothing_of_a_request_but_its_key_gets_into_the_certificate(store: Store, authority: Authority) -> None:
    """A device cannot make itself an authority, or another one, by asking for it."""
    key = certificates.new_key()
    wishes = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]))
    wishes = wishes.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    wishes = wishes.add_extension(x509.SubjectAlternativeName([x509.DNSName("fleet.example")]), critical=False)
    csr = wishes.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    given = token(store, authority)
    with store.writing() as connection:
        text = enrolment.enrol(connection, authority.issuer(), enrolment.Terms(), given.secret, csr, now())
    made = x509.load_pem_x509_certificate(text.encode())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert [extension.oid._name for extension in made.extensions if extension.oid._name == "subjectAltName"] == []
    assert made.subject.rfc4514_string() == f"CN={NAME}"


@settings(deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"canopy1\.[A-Za-z0-9_-]{40,46}\.[A-Za-z0-9_=-]{40,46}", fullmatch=True))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    try:
        found = EnrolmentToken.parse(text)
    except ValueError:
        return
    assert len(found.authority) == 32
    assert EnrolmentToken.parse(str(found)) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.sampled_from(["/enroll", "/enroll/renew"]),
    st.one_of(
        st.binary(max_size=200),
        st.fixed_dictionaries(
            {field: st.text(max_size=60) for field in ("secret", "csr", "certificate", "signature")}
        ).map(lambda tree: json.dumps(tree).encode()),
    ),
)
def test_no_body_breaks_the_service(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 403, 422, 429}


@pytest.fixture
def client(url: str, authority: Authority) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=authority.root)) as opened:
        yield opened


def test_names_are_those_that_a_certificate_can_hold() -> None:
    assert common_name("gh", "cam") == NAME
    assert len(common_name("g" * 31, "c" * 32)) == 64
    with pytest.raises(ValueError, match="shorten"):
        common_name("g" * 32, "c" * 32)
