"""Alerts: what needs somebody now, who is told, and when it is over."""
