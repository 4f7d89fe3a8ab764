"""The loop closed: a greenhouse drifts, and the fleet mends its model."""
