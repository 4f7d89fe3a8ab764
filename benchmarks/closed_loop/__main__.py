"""A greenhouse drifts, its model errs twice as much, and the fleet mends it: every part real, but for the plants.

    python -m benchmarks.closed_loop [--package packages/rosette] [--folder DIR] [--output closed_loop.json]

Four devices, each ``canopy run`` over a rendered tray of grown plants, deliver to ``canopy-fleet serve``. From a day on
the plants are of another variety. The daemons notice by themselves, keep frames within their budgets and bring them
home; a grower says what it was; a retraining is opened; a person labels the frames (here: draws the truth); ``retrain
run`` trains, packages, compares and judges, publishes, and begins a rollout, which the daemons take up from the update
repository after their own tests. Then they measure two more days. It takes half an hour on two cores, most of it for
training, and ends with an error where the gate refuses the candidate.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import yaml

from benchmarks.closed_loop.greenhouse import Bench, Calendar, count_error, label
from benchmarks.closed_loop.parties import SITE, UPDATE, Device, Fleet, static_host, wait_for
from edge.package import ModelPackage
from tests.sim.releases import Releases

ROOT = Path(__file__).parents[2]
DEVICES = ("bench-1", "bench-2", "bench-3", "bench-4")
BEFORE, DRIFTED, AFTER = 18, 6, 3
LAST = 4
"""So many days before the new variety are the measure of "before"."""
LIVE_FPS, LIVE_EVERY_MIN = 4.0, 1


class Story:
    """The greenhouse, its devices and its fleet, and what is measured of them."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.folder, self.package = folder, package
        midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        days = BEFORE + DRIFTED + AFTER
        self.calendar = Calendar(midnight - timedelta(days=days), BEFORE, DRIFTED, AFTER)
        self.benches = {
            name: Bench(folder / name / "pictures", 700 + number, self.calendar) for number, name in enumerate(DEVICES)
        }
        self.told: dict[str, Any] = {"minutes": {}}

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what is done, and note how long it takes."""
        began_s = time.monotonic()
        say(f"{what} …")
        yield
        self.told["minutes"][what] = round((time.monotonic() - began_s) / 60, 2)

    def play(self, parts: ExitStack) -> dict[str, Any]:
        """From the first day to the last; what was measured."""
        with self.step("render the trays"):
            for bench in self.benches.values():
                bench.render()
        fleet, devices = self.build(parts)
        with self.step("measure until the variety has changed"):
            for device in devices:
                device.measure(self.pictures(device, range(BEFORE + DRIFTED), "first"))
                device.send_frames()
        self.notice(fleet, devices)
        name = self.propose(fleet)
        with self.step("label, train, compare, judge, publish"):
            self.mend(fleet, name)
        with self.step("roll out"):
            self.roll_out(fleet, devices, name)
        with self.step("measure with the new model"):
            for device in devices:
                device.measure(self.pictures(device, range(BEFORE + DRIFTED + 1, self.calendar.days), "last"))
        return self.conclude(devices)

    def build(self, parts: ExitStack) -> tuple[Fleet, list[Device]]:
        """The repository with the champion in it, the service, and three devices that have enrolled."""
        releases = Releases(self.folder)
        releases.publish(self.package)
        plan = self.folder / "plan.yaml"
        plan.write_text(yaml.safe_dump({"waves": [{"percent": 100, "min_executed": 3, "soak_s": 1}]}))
        retrain = {"fit": str(ROOT / "configs/training/retrain-rosette.yaml"), "plan": str(plan), "history_days": 60}
        fleet = Fleet(self.folder / "fleet", releases.folder.path, retrain)
        parts.callback(fleet.close)
        fleet.start()
        fleet.run("model", "add", self.package)
        url = parts.enter_context(static_host(releases.public))
        update = {**UPDATE, "root": str(releases.root), "url": url}
        devices = [Device(self.folder / name, name, fleet, self.package, update) for name in DEVICES]
        for device in devices:
            parts.callback(device.close)
            device.enrol(self.folder / device.name / "pictures")
        return fleet, devices

    def pictures(self, device: Device, days: range, name: str, every_min: int = 60) -> Path:
        """A folder of some days of a device's tray."""
        return self.benches[device.name].gather(self.folder / device.name / name, days, every_min)

    def notice(self, fleet: Fleet, devices: list[Device]) -> None:
        """What the devices noticed, and the frames that came home."""
        changed = self.calendar.day(BEFORE)
        alarms = {device.name: [at for at in _alarms(device) if at >= changed] for device in devices}
        false = sum(1 for device in devices for at in _alarms(device) if at < changed)
        first = {name: (min(at) - changed).total_seconds() / 3600 for name, at in alarms.items() if at}
        frames = fleet.ask("dataset", "list", "--limit", 100_000)
        self.told |= {
            "devices_that_noticed": len(first),
            "alarms_before": false,
            "noticed_at_hour": {name: round(hours, 1) for name, hours in first.items()},
            "frames": {
                why: sum(frame["reason"] == why for frame in frames) for why in ("random", "uncertain", "drifted")
            },
        }
        say(f"{len(first)} of {len(devices)} devices have noticed; {len(frames)} frames are at home")

    def propose(self, fleet: Fleet) -> str:
        """A grower's word, and the retraining that follows from it."""
        since = f"{self.calendar.day(BEFORE):%Y-%m-%d}"
        fleet.run("drift", "label", SITE, "new_variety", "--since", since, "--note", "red leaves")
        (case,) = fleet.ask("retrain", "propose")
        self.told["why"] = case["why"]
        say(f"{case['name']}: {case['why']}")
        return str(case["name"])

    def mend(self, fleet: Fleet, name: str) -> None:
        """Labels, and the one command that does the rest."""
        out = self.folder / "frames"
        fleet.run("retrain", "frames", name, out)
        say(fleet.run("retrain", "run", name, label(out, self.benches)))
        case = fleet.ask("retrain", "show", name)
        self.told["gate"] = [f"{each['slice']}: {each['says']}" for each in case["findings"]]

    def roll_out(self, fleet: Fleet, devices: list[Device], name: str) -> None:
        """The daemons run on the next day's pictures until each has confirmed the new model."""
        rollout = fleet.ask("retrain", "show", name)["rollout"]
        for device in devices:
            device.start(
                self.pictures(device, range(BEFORE + DRIFTED, BEFORE + DRIFTED + 1), "live", LIVE_EVERY_MIN), LIVE_FPS
            )
        logs = lambda: "\n".join(device.log for device in devices) + fleet.run("rollout", "status", rollout)  # noqa: E731
        wait_for(lambda: fleet.ask("rollout", "status", rollout)["state"] != "running", "the end of the rollout", logs)
        state = fleet.ask("rollout", "status", rollout)["state"]
        for device in devices:
            device.stop()
        if state != "done":
            raise RuntimeError(f"the rollout is {state}:\n{logs()}")
        self.told["audit"] = [entry["action"] for entry in fleet.ask("audit", "list")]

    def conclude(self, devices: list[Device]) -> dict[str, Any]:
        """The error before, with the drift, and with the new model."""
        records = {device.name: device.records() for device in devices}
        periods = {
            "before": range(BEFORE - LAST, BEFORE),
            "drifted": range(BEFORE, BEFORE + DRIFTED),
            "after": range(BEFORE + DRIFTED + 1, self.calendar.days),
        }
        for period, days in periods.items():
            errors = [count_error(iter(records[name]), self.benches[name], days, self.calendar) for name in DEVICES]
            self.told[f"leaf_count_mae_{period}"] = round(sum(errors) / len(errors), 3)
        last = {record["model"] for name in DEVICES for record in records[name][-10:]}
        self.told["measured_last_by_the_champion"] = ModelPackage.open(self.package).digest in last
        return self.told


def _alarms(device: Device) -> list[datetime]:
    return [
        datetime.fromisoformat(each["clock"]["at"]) for each in device.records(events=True) if each["kind"] == "drift"
    ]


def say(text: str) -> None:
    """To whoever watches; the result alone goes to standard output."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", type=Path, default=ROOT / "packages" / "rosette")
    parser.add_argument("--folder", type=Path, help="Keep everything in this new folder.")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    os.environ.setdefault("CANOPY_CA_PASSPHRASE", "a greenhouse that is not there")
    with tempfile.TemporaryDirectory() as made, ExitStack() as parts:
        folder = options.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        told = Story(folder.resolve(), options.package.resolve()).play(parts)
    text = json.dumps(told, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
