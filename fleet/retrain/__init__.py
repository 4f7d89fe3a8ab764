"""The way back: from drift to a reason, to frames that people label, to a candidate, through a gate, to a rollout."""
