"""A bridge to Home Assistant: each camera's headline traits as sensors, by its MQTT discovery.

Home Assistant has to be on the same broker. A sensor is announced once, retained, and its state follows the newest
reading; a sensor of a camera that is not there any more is taken away. Names are Canopy's own, which hold no character
that an MQTT topic could misread.

Source: Home Assistant, "MQTT Discovery" (developers' documentation), component ``sensor``.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

from edge.contract.traits import VOCABULARY, Unit
from fleet.questions.overview import CameraState, Headline, overview
from fleet.settings import HomeAssistantSettings
from fleet.store import Store

MAX_CAMERAS = 500
log = logging.getLogger(__name__)

Publish = Callable[[str, bytes], bool]
"""Puts a retained message on a topic; False if it cannot now."""

_UNITS = {Unit.PX2: "px²", Unit.MM2: "mm²", Unit.MM: "mm", Unit.PX: "px", Unit.FRACTION: "%", Unit.DEGREE: "°"}


class HomeAssistant:
    """The thread that keeps Home Assistant's sensors true.

    Args:
        store: the fleet's.
        settings: where and how often.
        publish: puts a message on the broker.
        session: counts connections to it: another broker knows of no announcement.
    """

    def __init__(
        self, store: Store, settings: HomeAssistantSettings, publish: Publish, session: Callable[[], int]
    ) -> None:
        self._store, self._settings, self._publish, self._session = store, settings, publish, session
        self._announced: dict[str, bytes] = {}
        self._in_session = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell_until_stopped, name="home-assistant", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Leave the sensors as they are: Home Assistant shows how old they are."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _tell_until_stopped(self) -> None:
        while not self._stopping.wait(self._settings.every_s):
            try:
                self.tell()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round must be tried
                log.warning("Home Assistant is not told: %s", error)

    def tell(self) -> None:
        """Announce what is new, take away what is gone, renew every state."""
        if self._session() != self._in_session:
            self._announced, self._in_session = {}, self._session()
        with self._store.reading() as connection:
            cameras = overview(connection, datetime.now(timezone.utc), limit=MAX_CAMERAS).cameras
        wanted = dict(_announcements(cameras, self._settings.prefix))
        for topic in [*self._announced]:
            if topic not in wanted and self._publish(topic, b""):
                del self._announced[topic]
        for topic, payload in wanted.items():
            if self._announced.get(topic) != payload and self._publish(topic, payload):
                self._announced[topic] = payload
        for camera in cameras:
            self._publish(_state_topic(camera), json.dumps(_state(camera)).encode())


def _announcements(cameras: Iterable[CameraState], prefix: str) -> Iterable[tuple[str, bytes]]:
    for camera in cameras:
        for line in camera.headlines:
            identity = f"canopy_{camera.site}_{camera.device}_{camera.camera}_{line.trait}".replace(".", "_")
            yield f"{prefix}/sensor/{identity}/config", json.dumps(_announcement(camera, line, identity)).encode()


def _announcement(camera: CameraState, line: Headline, identity: str) -> dict[str, Any]:
    trait, unit = VOCABULARY[line.trait], Unit(line.unit) if line.unit else None
    told = {
        "name": f"{camera.camera} {trait.label}",
        "unique_id": identity,
        "state_topic": _state_topic(camera),
        "value_template": f"{{{{ value_json.{line.trait} }}}}",
        "json_attributes_topic": _state_topic(camera),
        "state_class": "measurement",
        "icon": "mdi:sprout",
        "device": {
            "identifiers": [f"canopy_{camera.site}_{camera.device}"],
            "name": f"{camera.device} ({camera.site})",
            "manufacturer": "Canopy",
        },
    }
    return told | ({"unit_of_measurement": _UNITS[unit]} if unit in _UNITS else {})


def _state_topic(camera: CameraState) -> str:
    return f"canopy-ha/{camera.site}/{camera.device}/{camera.camera}"


def _state(camera: CameraState) -> dict[str, Any]:
    values = {
        line.trait: round(line.now * (100 if line.unit == Unit.FRACTION.value else 1), 3) for line in camera.headlines
    }
    return values | {"taken_at": camera.taken_at.isoformat() if camera.taken_at else None, "online": camera.online}
