"""A better backend made ready while the one at hand goes on."""

import logging
import threading
from collections.abc import Callable

from edge.backends import Backend, open_backend, prepare
from edge.errors import ModelError
from edge.package import ModelPackage
from edge.settings import InferenceSettings

log = logging.getLogger(__name__)


def prepare_in_background(
    package: ModelPackage, settings: InferenceSettings, ready: Callable[[Backend], None]
) -> threading.Thread:
    """Build what the preferred backend needs, open it, run it once, and hand it to ``ready``, from another thread.

    It is tried once: a build that fails would fail again in ten minutes, and take the machine's time each time. The log
    says why; opening the model again, or ``canopy accept``, tries again.
    """

    def work() -> None:
        backend = None
        try:
            prepare(package, settings, lambda share, doing: log.info("%3.0f %% %s", share * 100, doing))
            backend = open_backend(package, settings)
            backend.warm_up()
        except ModelError as error:
            log.error("the model stays where it runs: %s", error)  # noqa: TRY400  the message says what to do
            if backend is not None:
                backend.close()
            return
        ready(backend)

    thread = threading.Thread(target=work, name="prepare", daemon=True)
    thread.start()
    return thread
