"""Where a candidate is made: canopy-train and canopy-export as processes of their own, at low priority, with a log.

The service itself imports neither: a machine that only serves need not have torch.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from fleet.errors import RetrainingFailed

POLITE = 10
POLL_S = 0.5
ENDS_WITHIN_S = 10.0
SAID_CHARS = 300


class Workshop:
    """Runs commands in ``folder``, which holds the log; ``stopping`` ends what runs."""

    def __init__(self, folder: Path, stopping: threading.Event | None = None) -> None:
        self.folder = folder
        self._stopping = stopping or threading.Event()

    def run(self, command: str, *words: str | Path) -> None:
        """Run a command that is installed beside this one until it ends.

        Raises:
            RetrainingFailed: it is not installed, ended badly, or the service stops.
        """
        program = Path(sys.executable).with_name(command)
        if not program.is_file():
            raise RetrainingFailed(
                f"{command} is not installed beside canopy-fleet: pip install 'canopy-edge[fleet,train,export]', or "
                "make the candidate on another machine and bring it with canopy-fleet retrain judge"
            )
        log = self.folder / "log"
        with log.open("ab") as output:
            output.write(f"$ {command} {' '.join(map(str, words))}\n".encode())
            output.flush()
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
            )
        os.setpriority(os.PRIO_PROCESS, process.pid, POLITE)
        if (code := self._ended(process)) != 0:
            raise RetrainingFailed(f"{command} {words[0]} ended with {code}: {_last_words(log)}; all of it is in {log}")

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    process.terminate()
                    try:
                        return process.wait(ENDS_WITHIN_S)
                    except subprocess.TimeoutExpired:
                        process.kill()


def _environment() -> dict[str, str]:
    """Without our own variables: training needs no passphrase and no password."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[-SAID_CHARS:] if lines else "it said nothing"
