"""Which topics a page may hear: those of devices that hold no pictures, no logs and no orders. Pure."""

from pydantic import TypeAdapter, ValidationError

from edge.contract import topics
from edge.contract.message import Name

HEARD = frozenset(
    channel.name
    for channel in (
        topics.OBS,
        topics.EVENT,
        topics.STATE,
        topics.INFO,
        topics.HEALTH,
        topics.REPORTED,
        topics.ACK,
    )
)
"""Answers to commands and what devices are told stay with the service."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def check(wanted: str) -> str:
    """A topic filter as it is, if a page may subscribe to it.

    Raises:
        ValueError: it is no filter of ``canopy/v1/{site}/{device}/{channel}``, or the channel is not for pages.
    """
    levels = wanted.split("/")
    if "/".join(levels[:2]) != topics.ROOT or not 5 <= len(levels) <= 6:
        raise ValueError(f"{wanted[:80]!r} is no filter of {topics.ROOT}/site/device/channel")
    site, device, channel, *camera = levels[2:]
    if channel not in HEARD:
        raise ValueError(f"{channel[:32]!r} is not for pages; {', '.join(sorted(HEARD))} are")
    if bool(camera) != topics.CHANNELS[channel].per_camera:
        raise ValueError(f"{wanted[:80]!r} has not the levels of {channel}")
    for name in (site, device, *camera):
        if name != "+":
            try:
                _NAME.validate_python(name)
            except ValidationError as error:
                raise ValueError(f"{name[:80]!r} is no name") from error
    return wanted
