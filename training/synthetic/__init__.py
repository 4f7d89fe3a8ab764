"""Rendered greenhouse scenes with exact ground truth."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import ConfigError
from training.synthetic import rosettes, scene, vines
from training.synthetic.rosettes import render_rosettes
from training.synthetic.scene import Scene
from training.synthetic.stands import render_stands
from training.synthetic.timelapse import Moment, Tray, render_timelapse
from training.synthetic.vines import render_vines

__all__ = [
    "RENDERERS",
    "Moment",
    "Renderer",
    "Scene",
    "Tray",
    "render_rosettes",
    "render_stands",
    "render_timelapse",
    "render_vines",
    "renderer_of",
]


@dataclass(frozen=True, slots=True)
class Renderer:
    """A kind of scene: what pixels can be, what is counted, and the function (seed, height_px, width_px) → scene."""

    classes: tuple[str, ...]
    things: tuple[str, ...]
    render: Callable[[int, int, int], Scene]


RENDERERS = {
    "rosettes": Renderer(scene.CLASSES, scene.THINGS, rosettes.render_rosettes),
    "stands": Renderer(scene.CLASSES, scene.THINGS, render_stands),
    "vines": Renderer(vines.CLASSES, vines.THINGS, vines.render_vines),
}
"""Every kind of scene by the name that a run's YAML gives it."""


def renderer_of(classes: tuple[str, ...], things: tuple[str, ...]) -> Renderer:
    """The renderer whose scenes show what a model knows.

    Raises:
        ConfigError: there is none.
    """
    for renderer in RENDERERS.values():
        if (renderer.classes, renderer.things) == (classes, things):
            return renderer
    raise ConfigError(f"nothing renders scenes with classes {list(classes)} and things {list(things)}")
