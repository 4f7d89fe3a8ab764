"""Whether a configuration fits this machine: what can be known without starting anything."""

import os

from edge.contract.manifest import Manifest
from edge.errors import CaptureError, ConfigError, StoreError
from edge.package import ModelPackage
from edge.settings import DeviceSettings, FolderSource, VideoSource


def check(settings: DeviceSettings) -> Manifest:
    """Look at the files and folders that the settings name; the model's manifest if all is well.

    Raises:
        ConfigError: the root metadata that updates hang on, or a privacy filter, is not there.
        StoreError: the state directory cannot be written to.
        CaptureError: a folder or video is not there.
        ModelError: the model package cannot be used.
    """
    _check_state_dir(settings)
    _check_files(settings)
    if settings.update and not settings.update.root.is_file():
        raise ConfigError(f"update.root {settings.update.root} is no file; copy the fleet's 1.root.json there")
    return ModelPackage.open(settings.inference.package).manifest


def _check_state_dir(settings: DeviceSettings) -> None:
    folder = settings.state_dir
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise StoreError(f"state_dir {folder}: {there} is no folder that this user may write to; choose another")


def _check_files(settings: DeviceSettings) -> None:
    for camera in settings.cameras:
        source = camera.source
        if isinstance(source, FolderSource) and not source.path.is_dir():
            raise CaptureError(
                f"camera {camera.name}: {source.path} is no folder; set source.path to one with pictures"
            )
        if isinstance(source, VideoSource) and not source.path.is_file():
            raise CaptureError(f"camera {camera.name}: {source.path} is no file; set source.path to a video")
        command = camera.harvest.privacy.command if camera.harvest else ()
        if command and not os.access(command[0], os.X_OK):
            raise ConfigError(
                f"camera {camera.name}: harvest.privacy.command {command[0]} is no program that this user may run; "
                "no frame would be kept. Install it, or make it executable"
            )
