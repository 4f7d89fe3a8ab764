"""Hides a pycuda that is installed: the fake GPU speaks the language of cuda-bindings."""

raise ImportError("the GPU is a fake")
