"""Start a fleet service and a device, watch plants arrive, and account for every picture.

Nothing is simulated but the camera: the device and the service are the commands that run in a greenhouse, with the
embedded broker between them.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console, Group
from rich.live import Live

from demo.processes import Device, ProcessError, Service, start_device, start_fleet
from demo.setup import DEVICE, SITE, has_end, write_device_config, write_fleet_config
from demo.views import GROWTH, PlotsView, progress_bar, summary_table
from edge.status import Status, read_status

REFRESH_S = 0.5
DELIVERY_TIMEOUT_S = 30.0
API = f"/api/v1/devices/{SITE}/{DEVICE}"
LATEST = f"{API}/latest?limit=1000"
OBSERVATIONS = f"/api/v1/observations?site={SITE}&device={DEVICE}&trait={GROWTH}&limit=1000"

console = Console(highlight=False)


def main() -> int:
    """Run the demo; 0 if every record arrived and none is missing."""
    arguments = _arguments()
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canopy-demo-")))
        fleet = stack.enter_context(start_fleet(write_fleet_config(state)))
        config = write_device_config(state, arguments.source, fleet.mqtt_port)
        console.print(f"[bold green]Canopy[/]  device {SITE}/{DEVICE}, fleet page [bold]{fleet.page}[/]")
        until_end = has_end(arguments.source)
        if not until_end:
            console.print("Press Ctrl-C to end: a camera has no end of its own.")
        device = stack.enter_context(start_device(config, until_end=until_end))
        _watch(device, fleet, state / "device")
        account = _account(fleet, device.summary())
        console.print(summary_table(account))
        if arguments.stay:
            _stay(fleet)
    return 0 if account["captured"] and not account["missing"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--source", help="a folder of pictures, a video, a camera's index or path, or an RTSP URL")
    parser.add_argument("--stay", action="store_true", help="keep the fleet's page up until Ctrl-C")
    return parser.parse_args()


def _watch(device: Device, fleet: Service, state_dir: Path) -> None:
    """Show the newest traits and the progress until the device ends; Ctrl-C asks it to."""
    plots, bar = PlotsView(), progress_bar()
    task = bar.add_task("pictures", total=None)
    with Live(console=console, refresh_per_second=4) as live:
        ended = False
        while not ended:
            try:
                ended = device.process.poll() is not None
                status = read_status(state_dir)
                if status is not None:
                    bar.update(task, **_progress(status))
                plots.note_growth(fleet.items(OBSERVATIONS + (f"&since={quote(plots.newest)}" if plots.newest else "")))
                troubles = [camera.error for camera in status.cameras.values() if camera.error] if status else []
                live.update(Group(plots.show(fleet.items(LATEST)), bar, *troubles, ""))
                time.sleep(0 if ended else REFRESH_S)
            except KeyboardInterrupt:
                device.process.terminate()


def _progress(status: Status) -> dict[str, Any]:
    totals = [camera.total for camera in status.cameras.values()]
    captured = sum(tally.captured for tally in status.health.frames.values())
    return {"completed": captured, "total": sum(total or 0 for total in totals) or None}


def _account(fleet: Service, summary: dict[str, Any]) -> dict[str, Any]:
    """Set what the device appended against what the fleet has committed, once everything had time to arrive."""
    give_up_at_s = time.monotonic() + DELIVERY_TIMEOUT_S
    while True:
        stream = fleet.get(f"{API}/streams")
        delivered = sum(epoch["received"] for epoch in stream)
        if delivered >= summary["appended"] or time.monotonic() > give_up_at_s:
            break
        time.sleep(REFRESH_S)
    duplicates = sum(epoch["repeated"] for epoch in stream)
    missing = summary["appended"] - delivered
    return {**summary, "delivered": delivered, "duplicates": duplicates, "missing": missing}


def _stay(fleet: Service) -> None:
    console.print(f"The page stays at [bold]{fleet.page}[/] until Ctrl-C.")
    try:
        fleet.process.wait()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProcessError as error:
        console.print(f"[red]demo:[/] {error}", markup=True)
        sys.exit(1)
