"""The device: capture → segment → count → outbox → MQTT.

Importing this package is free: numpy, OpenCV, ONNX Runtime, SQLite and MQTT are imported by the modules that use them,
when they use them.
"""

__version__ = "0.1.0"
