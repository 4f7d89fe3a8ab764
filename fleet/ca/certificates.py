"""What the certificates say: pure functions from keys and names to signed certificates (RFC 5280).

::

    root        pathLen 1; its key is encrypted and needed for servers and for a new issuing key only
    ├── issuing pathLen 0; clients only: no server's name can be signed with it (name constraints)
    │   ├── site/device       a device, some months
    │   └── canopy-fleet      the service itself towards the broker
    └── server  a broker or a fleet service, by its DNS names and addresses

All keys are ECDSA on P-256. Each certificate begins an hour before it was made: clocks differ.
"""

import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_LIFE, ISSUING_LIFE, SERVER_LIFE = timedelta(days=20 * 365), timedelta(days=10 * 365), timedelta(days=825)
BACKDATED = timedelta(hours=1)

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """An ECDSA key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def root(key: Key, name: str, now: datetime) -> x509.Certificate:
    """A root that signs itself. Its name ends with a part of its key's digest: two fleets' roots never look alike."""
    subject = _subject(f"{name} {x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]}")
    builder = _builder(subject, subject, key.public_key(), key.public_key(), now, ROOT_LIFE)
    return _authority(builder, path_length=1).sign(key, hashes.SHA256())


def issuing(public: ec.EllipticCurvePublicKey, by: x509.Certificate, key: Key, now: datetime) -> x509.Certificate:
    """The certificate of a key that signs clients, and nothing that has a server's name."""
    subject = _subject(f"{_common_name(by)} issuing {now:%Y-%m-%d}")
    builder = _builder(subject, by.subject, public, key.public_key(), now, min(ISSUING_LIFE, _left(by, now)))
    nowhere = [
        x509.DNSName(""),
        x509.IPAddress(ipaddress.ip_network("0.0.0.0/0")),
        x509.IPAddress(ipaddress.ip_network("::/0")),
    ]
    constraints = x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=nowhere)
    clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(constraints, critical=True).add_extension(clients, critical=False)
    return _authority(builder, path_length=0).sign(key, hashes.SHA256())


def client(
    name: str, public: CertificatePublicKeyTypes, by: x509.Certificate, key: Key, now: datetime, life: timedelta
) -> x509.Certificate:
    """The certificate of a device, or of the service, towards the broker."""
    builder = _builder(_subject(name), by.subject, public, key.public_key(), now, min(life, _left(by, now)))
    return _leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH).sign(key, hashes.SHA256())


def server(
    hosts: list[str], public: CertificatePublicKeyTypes, by: x509.Certificate, key: Key, now: datetime
) -> x509.Certificate:
    """The certificate of a server that is reached by ``hosts``: DNS names and addresses."""
    builder = _builder(
        _subject(hosts[0][:64]), by.subject, public, key.public_key(), now, min(SERVER_LIFE, _left(by, now))
    )
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = builder.add_extension(names, critical=False)
    return _leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH).sign(key, hashes.SHA256())


def revocation_list(
    revoked: list[tuple[int, datetime]], by: x509.Certificate, key: Key, now: datetime
) -> x509.CertificateRevocationList:
    """The list of what is revoked: serial number, and when.

    It ends with the issuing certificate. A broker that read it once, and was not told to read it again, must not lock
    out a whole fleet one night because the list had run out; how new it is, its place beside the broker shows.
    """
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=by.subject, last_update=now - BACKDATED, next_update=by.not_valid_after_utc
    )
    number = x509.CRLNumber(int(now.timestamp() * 1000))
    builder = builder.add_extension(number, critical=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    for serial, at in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=at).build()
        )
    return builder.sign(key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _left(by: x509.Certificate, now: datetime) -> timedelta:
    """Nothing outlives what signed it."""
    return by.not_valid_after_utc - now


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: CertificatePublicKeyTypes,
    issuer_public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number(), now - BACKDATED, now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def _authority(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _usage(signs_certificates=True), critical=True
    )


def _leaf(builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
