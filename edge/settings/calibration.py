"""What is done with a camera's calibration while it runs, and how things in its pictures are told apart."""

from typing import Annotated, Literal

from pydantic import Field

from edge.settings.base import Settings


class MovementSettings(Settings):
    """When a camera counts as moved against its reference picture.

    It is looked at every ``every_s``. It has moved when ``confirmations`` looks in a row agree that a corner of the
    picture lies ``shift_share`` of its width from where it was, or that it is turned by ``turn_degree``: a tray that
    was shifted by hand, a hose or an arm in the picture do not last, or do not move everything.
    """

    every_s: Annotated[float, Field(ge=0, le=86_400)] = 600.0
    shift_share: Annotated[float, Field(gt=0, le=0.2)] = 0.012
    turn_degree: Annotated[float, Field(gt=0, le=45)] = 0.6
    confirmations: Annotated[int, Field(ge=1, le=100)] = 3
    doubt_after: Annotated[int, Field(ge=1, le=10_000)] = 36
    """After so many looks in a row, in pictures fit to measure, at which nothing of the reference is recognised, the
    fleet is told: perhaps the camera looks elsewhere."""


class IdentitySettings(Settings):
    """Whether the camera stands still, or passes over its objects.

    ``fixed``: a plot is a place in the picture. ``moving``: a rail or a cart; objects are followed from picture to
    picture, and each is counted once, when it has left. ``frame_overlap`` is how much of a picture the next one must
    show again at the least.
    """

    kind: Literal["fixed", "moving"] = "fixed"
    frame_overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    confirm_pictures: Annotated[int, Field(ge=1, le=100)] = 3
    """An object must be found in so many pictures to be counted."""
    lost_pictures: Annotated[int, Field(ge=1, le=1_000)] = 12
    """One that is not found again in so many pictures has left."""
