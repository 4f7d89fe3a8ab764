"""Drift, over the fleet: which camera changed when, why, and what people say of it."""
