"""``UpdatingDevice`` in a process of its own, to be killed: prints each phase that it comes to."""

import sys
import time
from pathlib import Path

from edge.contract.control import Desired
from edge.settings import load_settings
from tests.sim.updating import UpdatingDevice


def main() -> None:
    config, desired = (Path(word) for word in sys.argv[1:])
    device = UpdatingDevice(load_settings(config)).start()
    device.updater.hear(Desired.model_validate_json(desired.read_bytes()))
    told = None
    while True:
        update = device.ledger.slots.update
        now = f"{update.model.version} {update.phase.value}" if update else "none idle"
        if now != told:
            told = now
            sys.stdout.write(f"{now}\n")
            sys.stdout.flush()
        time.sleep(0.0005)


if __name__ == "__main__":
    main()
