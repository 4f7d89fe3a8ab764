"""Drift, on the device: pictures and answers against a reference, and against the camera's own last days."""
