"""TensorRT engines: built on the device that runs them, kept as a cache, never taken from elsewhere.

``machine`` says what an engine would be built for, ``cache`` keeps engines by everything that decides about them,
``build`` makes one in a process of its own, which ``process`` starts, bounds and watches, and ``engine`` puts these
together for a model package. The ONNX file is the source of truth: an engine can always be made again.
"""
