"""What OpenSSL says when TLS fails is known, whatever its release calls it: real handshakes in memory."""

import re
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from edge.contract.tls import MEANINGS, client_context, meaning
from fleet.ca import certificates
from fleet.ca.folder import _private_pem, _read_key, pem, read_certificate
from tests.sim.authority import PASSPHRASE, Authority, now

YEARS = timedelta(days=3 * 365)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"))


def serving(authority: Authority, folder: Path, *, made: timedelta) -> ssl.SSLContext:
    """A server for ``localhost`` whose certificate was made so long ago, or will be."""
    root, key = read_certificate(authority.root), certificates.new_key()
    signed = certificates.server(
        ["localhost"], key.public_key(), root, _read_key(authority.root_key, PASSPHRASE), now() - made
    )
    (folder / "server.pem").write_bytes(_private_pem(key) + pem(signed))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the client hears of its own certificate in the handshake
    return context


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> str:
    """What the client is told in the end; empty if they agree."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server, server_hostname=host)
    answers = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        done = 0
        for side in (asks, answers):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                if side is asks:
                    return str(error)
        if done == 2:
            return ""
    raise AssertionError("they never came to an end")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("good", ""),
        ("server expired", "has expired by the clock of this machine"),
        ("server not yet valid", r"set the clock \(timedatectl\)"),
        ("server foreign", "another authority signed"),
        ("other name", "is for another name"),
        ("client expired", "this side's certificate has expired"),
        ("client foreign", "does not know who signed this side's certificate"),
    ],
)
def test_a_failed_handshake_says_what_mends_it(
    authority: Authority, foreign: Authority, tmp_path: Path, kind: str, says: str
) -> None:
    made = {"server expired": YEARS, "server not yet valid": timedelta(days=-1)}.get(kind, timedelta(0))
    server = serving(authority, tmp_path, made=made)
    if kind == "client expired":
        own = authority.client("gh/ana", timedelta(hours=1), now() - timedelta(hours=2))
    else:
        own = (foreign if kind == "client foreign" else authority).client("gh/ana")
    client = client_context((foreign if kind == "server foreign" else authority).ca, own, own)
    told = handshake(client, server, "elsewhere.example" if kind == "other name" else "localhost")
    assert bool(told) is (kind != "good")
    assert re.search(says, meaning(told)), told


def test_other_troubles_are_left_as_they_are() -> None:
    assert meaning("[Errno 111] Connection refused") == ""
    assert all(part == part.lower().replace("-", " ").replace("_", " ") for part in MEANINGS)
