"""The conformance suite of The Update Framework, against the device's own update client.

``TUF_CONFORMANCE`` names a checkout of https://github.com/theupdateframework/tuf-conformance; its Python, which has the
versions of python-tuf and pytest that the suite pins, is ``TUF_CONFORMANCE_PYTHON`` or the checkout's own ``.venv``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = os.environ.get("TUF_CONFORMANCE", "")
HERE = Path(__file__).parents[2]


@pytest.mark.skipif(not CHECKOUT, reason="TUF_CONFORMANCE names no checkout of tuf-conformance")
@pytest.mark.timeout(3600)
def test_every_test_of_the_conformance_suite_passes(tmp_path: Path) -> None:
    assert shutil.which("faketime"), "the suite turns the clock with faketime: apt install faketime"
    python = os.environ.get("TUF_CONFORMANCE_PYTHON") or f"{CHECKOUT}/.venv/bin/python"
    client = tmp_path / "canopy-tuf-client"  # one executable without spaces: the suite splits its command
    client.write_text(f'#!/bin/sh\nexec {sys.executable} -m edge.update.conformance "$@"\n')
    client.chmod(0o755)
    run = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tuf_conformance", "--entrypoint", str(client)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}:{HERE}"},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else run.stderr
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) >= 113, f"the suite has fewer tests than it had: {summary}"
    assert not re.search(r"failed|xfailed|xpassed|skipped", summary), summary
