"""Procedural scenes with exact ground truth: the same seed gives the same scene."""

from training.synthetic.rosettes import render_rosettes
from training.synthetic.scene import Scene
from training.synthetic.timelapse import Moment, Tray, render_timelapse

__all__ = ["Moment", "Scene", "Tray", "render_rosettes", "render_timelapse"]
