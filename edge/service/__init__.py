"""Canopy as a service of systemd: its unit files, and what puts them in their places and takes them away."""
