"""``python -m fleet`` is ``canopy-fleet``."""

from fleet.cli import app

app(prog_name="canopy-fleet")
