"""Procedural scenes with exact ground truth: the same seed gives the same scene."""

from training.synthetic.rosettes import render_rosettes
from training.synthetic.scene import Scene

__all__ = ["Scene", "render_rosettes"]
