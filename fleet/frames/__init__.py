"""Frames that devices bring home for training: received, kept, and built into datasets."""
