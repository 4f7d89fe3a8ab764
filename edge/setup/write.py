"""The configuration that a setup writes, with comments for whoever opens it next."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = """\
# Written by canopy setup. canopy config check says what is wrong with it, canopy config show --effective what else can
# be set; passwords do not belong here: CANOPY_MQTT_PASSWORD comes from the service's environment.

site: {site}
device: {device}
state_dir: {state_dir}

inference:
  package: {package}

cameras:
  - name: {name}
    source: {source}
{pace}
{plots}

{mqtt}
"""


@dataclass(frozen=True)
class Plan:
    """What is to be written. ``interval_s`` None: every picture that the camera gives, one a second at most."""

    site: str
    device: str
    state_dir: Path
    package: Path
    name: str
    source: dict[str, Any]
    interval_s: float | None
    plots: dict[str, Any] | None
    mqtt: dict[str, Any] | None


def written(plan: Plan) -> str:
    """The file's text."""
    pace = "    max_fps: 1                      # one picture a second at most"
    if plan.interval_s is not None:
        pace = f"    interval_s: {plan.interval_s:g}                 # time-lapse, aligned to the clock"
    plots = "    # plots: the whole picture is one plot"
    if plan.plots is not None:
        plots = _block(plan.plots) if "outlines" in plan.plots else f"    plots: {_line(plan.plots)}"
    mqtt = "mqtt: null                          # results stay on the device"
    if plan.mqtt is not None:
        mqtt = f"mqtt: {_line(plan.mqtt)}"
    texts = {name: _line(str(getattr(plan, name))) for name in ("site", "device", "state_dir", "package", "name")}
    return TEMPLATE.format(**texts, source=_line(plan.source), pace=pace, plots=plots, mqtt=mqtt)


def _block(plots: dict[str, Any]) -> str:
    """Outlines, each in a line of its own."""
    outlines = "".join(f"\n        {_line(name)}: {_line(corners)}" for name, corners in plots["outlines"].items())
    return f"    plots:\n      kind: polygons\n      outlines:{outlines}"


def _line(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return str(text).removesuffix("...\n").strip("\n")
