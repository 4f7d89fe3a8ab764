"""Hands a device that was set up over to systemd, where that is there and allowed."""

import grp
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from edge.errors import CanopyError

GROUP = "canopy"
INSTALL_WITHIN_S = 300.0


def can_install() -> str:
    """Why the service cannot be installed from here; empty if it can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd does not run here; start the daemon with: canopy run"
    if os.geteuid() != 0:
        return "installing the service needs root: sudo canopy service install"
    return ""


def install(config: Path) -> None:
    """Install and start the service, and let its group read the configuration, in which a camera's password may stand.

    Raises:
        CanopyError: it did not work; what the installer said stands above.
    """
    command = [str(Path(sys.executable).with_name("canopy")), "service", "install", "--config", str(config)]
    done = subprocess.run(command, check=False, timeout=INSTALL_WITHIN_S)  # noqa: S603 - our own command
    if done.returncode:
        raise CanopyError(f"the service was not installed (code {done.returncode}); try: sudo {' '.join(command)}")
    with suppress(KeyError, OSError):
        os.chown(config, 0, grp.getgrnam(GROUP).gr_gid)
    subprocess.run(["systemctl", "restart", GROUP], check=False, timeout=INSTALL_WITHIN_S)  # noqa: S603, S607
