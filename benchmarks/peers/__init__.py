"""Canopy's speed beside what people use today; see ``__main__``."""
