"""What is kept on the device, and how it reaches the fleet."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from edge.settings.base import Settings
from edge.settings.tls import TlsSettings


class OutboxSettings(Settings):
    """How much the device keeps when nobody listens, and how often it commits.

    What was measured is committed after ``commit_after_s`` or ``commit_records``, whichever comes first: one fsync for
    many frames spares SD cards.
    """

    commit_records: Annotated[int, Field(ge=1, le=1000)] = 50
    commit_after_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    max_bytes: Annotated[int, Field(ge=1_000_000)] = 2_000_000_000
    keep_delivered_s: Annotated[float, Field(ge=0)] = 86_400.0


class MqttSettings(Settings):
    """The broker, and how much is under way at a time."""

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings | None = None
    """Absent: as plain as the network is. ``{}``: with what ``canopy enroll`` got."""
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    batch_records: Annotated[int, Field(ge=1, le=1000)] = 50
    window_records: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    resend_after_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    health_every_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
