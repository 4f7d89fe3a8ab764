"""OpenCV's own messages would show addresses and pipelines with the passwords in them: none is let out."""

import os

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2


def silence_opencv() -> None:
    """Also where OpenCV is loaded already. Distributions' builds, as Debian's 4.6, have the older of the two names."""
    logging = getattr(cv2.utils, "logging", None)
    if logging is not None:
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    else:
        cv2.setLogLevel(0)  # type: ignore[attr-defined]
