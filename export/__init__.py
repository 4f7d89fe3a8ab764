"""Export: checkpoint → ONNX → INT8 → parity → model package."""
