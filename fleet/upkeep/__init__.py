"""What the store needs while it runs: parts of tables, roll-ups, and letting go of what is old."""
