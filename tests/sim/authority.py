"""A fleet's authority, certificates of all kinds by it, and a Mosquitto as it is shipped, which believes it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from queue import Queue

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fleet.ca import certificates
from fleet.ca.folder import CaFolder, pem
from tests.sim.mosquitto import Mosquitto

SHIPPED = Path(__file__).parents[2] / "configs" / "mosquitto"
PASSPHRASE = "a few words of truth"
LIFE = timedelta(days=90)
WITHIN_S = 30.0


def now() -> datetime:
    return datetime.now(timezone.utc)


class Authority(CaFolder):
    """Made at once; ``client`` gives certificates that no device would get."""

    def __init__(self, path: Path, name: str = "Test") -> None:
        super().__init__(path)
        self.make(name, PASSPHRASE, now())
        self._revoked: list[tuple[int, datetime]] = []

    def client(self, name: str, life: timedelta = LIFE, at: datetime | None = None) -> Path:
        """Key, certificate and chain in one file. ``at``: when it was made."""
        issuer, key = self.issuer(), certificates.new_key()
        made = certificates.client(name, key.public_key(), issuer.certificate, issuer.key, at or now(), life)
        path = self.path / f"{name.replace('/', '_')}-{made.serial_number:x}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(secret + pem(made) + pem(issuer.certificate))
        return path

    def revoke(self, path: Path) -> None:
        """Put a certificate on the list; the broker reads it at ``reload``."""
        serial = x509.load_pem_x509_certificates(path.read_bytes())[0].serial_number
        self._revoked.append((serial, now()))
        self.write_crl(self._revoked, now())

    def server(self, *hosts: str) -> tuple[Path, Path]:
        """Certificate and key of a server."""
        return self.write_server(list(hosts), PASSPHRASE, self.path / "server", now())[:2]


class SecureMosquitto(Mosquitto):
    """The shipped ``mosquitto.conf`` and ``acl``, at other paths and on another port."""

    def __init__(self, folder: Path, authority: CaFolder, certificate: Path, key: Path) -> None:
        config = (SHIPPED / "mosquitto.conf").read_text()
        for name, path in (
            ("acl", SHIPPED / "acl"), ("ca.pem", authority.ca), ("crl.pem", authority.crl),
            ("server.pem", certificate), ("server.key", key),
        ):  # fmt: skip
            assert f" /etc/mosquitto/canopy/{name}\n" in config
            config = config.replace(f"/etc/mosquitto/canopy/{name}", str(path))
        super().__init__(folder, config)


class Refused(Exception):
    """The broker took no connection."""


@contextmanager
def connected(broker: Mosquitto, ca: Path, own: Path | None) -> Iterator[tuple[mqtt.Client, "Queue[mqtt.MQTTMessage]"]]:
    """A client that shows ``own``, and what it hears.

    Raises:
        Refused: no connection came about.
    """
    context = ssl.create_default_context(cafile=ca)
    if own is not None:
        context.load_cert_chain(own)
    answers: Queue[object] = Queue()
    inbox: Queue[mqtt.MQTTMessage] = Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    client.on_connect = lambda *args: answers.put(args[3])
    client.on_disconnect = lambda *args: answers.put(args[3])
    client.on_message = lambda *args: inbox.put(args[2])
    try:
        client.connect("localhost", broker.port)
    except OSError as error:
        raise Refused(str(error)) from error
    client.loop_start()
    try:
        answer = answers.get(timeout=WITHIN_S)
        if answer.is_failure:  # type: ignore[attr-defined]
            raise Refused(str(answer))
        yield client, inbox
    finally:
        client.disconnect()
        client.loop_stop()
