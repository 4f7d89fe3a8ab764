"""Keys are made once, kept from others, and never taken for what they are not."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key

from fleet.errors import KeyUnusable
from fleet.repository.keys import called, make_key, read_key
from tests.sim.fleet_repository import FleetRepository, no_passphrase


def test_a_key_is_readable_by_its_owner_alone_and_its_public_half_by_all(tmp_path: Path) -> None:
    made = make_key(tmp_path / "alice.pem", "")
    assert stat.S_IMODE((tmp_path / "alice.pem").stat().st_mode) == 0o600
    public = read_key(str(tmp_path / "alice.pem.pub"), no_passphrase)
    assert public.public == made.public
    assert public.signer is None
    assert public.reference is None
    assert called(made.public) == f"alice ({made.public.keyid[:8]})"


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    made = make_key(tmp_path / "alice.pem", "open sesame")
    asked: list[str] = []

    def answer(name: str) -> str:
        asked.append(name)
        return "open sesame"

    assert read_key(str(tmp_path / "alice.pem"), answer).public == made.public
    assert asked == ["alice.pem"]
    with pytest.raises(KeyUnusable, match="passphrase"):
        read_key(str(tmp_path / "alice.pem"), lambda _: "open barley")
    assert b"open" not in (tmp_path / "alice.pem").read_bytes()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "alice.pem", "")
    before = (tmp_path / "alice.pem").read_bytes()
    with pytest.raises(KeyUnusable, match="does not exist"):
        make_key(tmp_path / "alice.pem", "")
    assert (tmp_path / "alice.pem").read_bytes() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_plain_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_key(tmp_path / "alice.pem", "")
    (tmp_path / "alice.pem").chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_key(str(tmp_path / "alice.pem"), no_passphrase)


@pytest.mark.parametrize("content", [b"", b"key", b"-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.pem").write_bytes(content)
    (tmp_path / "odd.pem").chmod(0o600)
    with pytest.raises(KeyUnusable, match=r"odd\.pem"):
        read_key(str(tmp_path / "odd.pem"), no_passphrase)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match=r"lost\.pem"):
        read_key(str(tmp_path / "lost.pem"), no_passphrase)


class Service(CryptoSigner):
    """A key service: signs by a URI, and gives no key away."""

    private = CryptoSigner.generate_ecdsa()

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: object = None) -> CryptoSigner:
        assert priv_key_uri == "service:release"
        assert public_key.keyid == cls.private.public_key.keyid
        return cls.private


def test_a_key_in_a_key_service_signs_and_is_found_again_by_its_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "service", Service)
    (tmp_path / "release.pub").write_text(Service.private.public_key.keyval["public"])
    repository = FleetRepository(tmp_path)
    repository.keys["release"] = read_key(f"service:release@{tmp_path / 'release.pub'}", no_passphrase)
    repository.ready()
    repository.keys.clear()
    assert repository.publish().written


def test_a_key_in_a_key_service_is_named_by_its_uri_and_its_public_half(tmp_path: Path) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "hsm.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for uri in ("hsm:2?label=release", "nothing:1"):
        with pytest.raises(KeyUnusable, match=uri.split("?")[0]):  # no HSM here: what is asked for is named
            read_key(f"{uri}@{tmp_path / 'hsm.pub'}", no_passphrase)
