"""Rollouts: a model comes to the devices in waves, is watched, stopped and taken back."""
