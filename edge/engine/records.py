"""What TensorRT says: into our log, and its last errors for our messages, since its calls only return None."""

import logging
import threading
from collections import deque
from typing import Any

MAX_ERRORS = 5
MAX_CHARS = 400

log = logging.getLogger("tensorrt")


class Records:
    """The last errors that were said."""

    def __init__(self) -> None:
        self._errors: deque[str] = deque(maxlen=MAX_ERRORS)
        self._lock = threading.Lock()

    def add(self, message: str) -> None:
        """Keep an error."""
        with self._lock:
            self._errors.append(message.strip()[:MAX_CHARS])

    def errors(self) -> str:
        """The errors since the last time that somebody asked."""
        with self._lock:
            said = "; ".join(self._errors)
            self._errors.clear()
        return said


def make_logger(trt: Any, records: Records) -> Any:
    """An ``ILogger`` of the library ``trt`` that tells our log, and ``records`` of errors."""
    levels = {
        trt.ILogger.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.ERROR: logging.ERROR,
        trt.ILogger.WARNING: logging.WARNING,
        trt.ILogger.INFO: logging.DEBUG,
        trt.ILogger.VERBOSE: logging.DEBUG,
    }

    class Logger(trt.ILogger):  # type: ignore[misc]  # its type is known on the device only
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            log.log(level, "%s", msg)
            if level >= logging.ERROR:
                records.add(msg)

    return Logger()
