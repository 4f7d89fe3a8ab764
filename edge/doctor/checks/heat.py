"""Whether the chip is near its limit, or slowed down for heat or want of power."""

from collections.abc import Iterator

from edge.chip import Chip
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient

COOL = "give it air and shade: clean the heat sink, see that the fan turns, move it out of the sun"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Read the sensors, and what the daemon does against heat."""
    found, heat = Chip(patient.root).read(), patient.settings.heat
    if not found.temperatures_c and found.throttled is None:
        yield scribe.skipped("this machine has no sensors that Canopy reads")
        return
    name, hottest_c = max(found.temperatures_c.items(), key=lambda each: each[1], default=("chip", 0.0))
    told = f"{name} {hottest_c:.0f} °C"
    headroom_c = heat.limit_c - hottest_c if found.headroom_c is None else found.headroom_c
    if found.power_mode:
        told += f", power mode {found.power_mode}"
    health = patient.status.health if patient.status else None
    relief = health.relief if health else ""
    if found.throttled or (health and health.throttled):
        yield scribe.fail(f"{told}, and the chip is slowed down", f"{COOL}; see that the power supply is strong enough")
    elif headroom_c < heat.margin_c:
        yield scribe.warn(f"{told}, {headroom_c:.0f} °C below its limit", COOL)
    elif relief:
        yield scribe.warn(f"{told}; the daemon measures {relief} to keep it cool", COOL)
    else:
        yield scribe.ok(f"{told}, {headroom_c:.0f} °C below its limit")
