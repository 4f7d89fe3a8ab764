"""Whether the broker is reached, speaks to this device, and has a certificate that lasts."""

import socket
from collections.abc import Iterator

from edge.clock import boot_id, utc_now
from edge.contract.messages import State as Presence
from edge.doctor.checks.certificates import judge
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.doctor.tls import expiry_of, peer_certificate
from edge.errors import DeliveryError
from edge.link import Link
from edge.settings import MqttSettings

REACH_S = 5.0
RESULTS_WAIT = "results wait on the disk until then"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Step by step: its name, its port, its certificate, and whether it takes this device."""
    mqtt = patient.settings.mqtt
    if mqtt is None:
        yield scribe.skipped("none is configured; results stay here")
        return
    about = scribe.of(f"{mqtt.host}:{mqtt.port}")
    trouble = _unreached(mqtt, about)
    if trouble:
        yield trouble
        return
    yield from _certificate(mqtt, about)
    yield _asked(patient, about) if patient.daemon_runs else _tried(patient, mqtt, about)


def _unreached(mqtt: MqttSettings, scribe: Scribe) -> Finding | None:
    try:
        socket.getaddrinfo(mqtt.host, mqtt.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return scribe.fail(
            f"no machine of that name: {error.strerror or error}; {RESULTS_WAIT}",
            "see mqtt.host, the network cable, and the name server: resolvectl status",
        )
    try:
        socket.create_connection((mqtt.host, mqtt.port), REACH_S).close()
    except OSError as error:
        return scribe.fail(
            f"no answer on that port: {error.strerror or error}; {RESULTS_WAIT}",
            "see that the broker runs and that no firewall lies between",
        )
    return None


def _certificate(mqtt: MqttSettings, scribe: Scribe) -> Iterator[Finding]:
    try:
        shown = peer_certificate(mqtt.host, mqtt.port, REACH_S)
    except OSError:
        return
    if shown:
        yield judge(scribe, expiry_of(shown), "the fleet's operator must renew the broker's certificate")


def _asked(patient: Patient, scribe: Scribe) -> Finding:
    if patient.status is None or patient.status.connected is None:
        return scribe.skipped("the port answers; the running daemon does not tell of it yet")
    if patient.status.connected:
        return scribe.ok("the daemon is connected")
    return scribe.fail("the port answers, and the daemon is not connected", "its log says why: canopy logs")


def _tried(patient: Patient, mqtt: MqttSettings, scribe: Scribe) -> Finding:
    settings = patient.settings
    will = Presence(online=False, boot_id=boot_id(), at=utc_now())
    link = Link(mqtt, settings.site, settings.device, will)
    try:
        link.open()
        link.close()
    except DeliveryError as error:
        found, _, mend = str(error).partition("; ")
        return scribe.fail(found, mend)
    return scribe.ok("takes this device")
