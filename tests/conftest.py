"""Fixtures that every test may ask for."""

from tests.sim.mosquitto import mosquitto

__all__ = ["mosquitto"]
