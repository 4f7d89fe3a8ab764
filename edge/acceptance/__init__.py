"""``canopy accept``: does this machine run this model as it should, and how fast? Measured here, written to send back.

``checks`` holds what runs here against the package's golden frames and its ONNX file on the CPU, ``speed`` measures,
``board`` says what machine it was, ``report`` is what is written, and ``accept`` puts these together.
"""
