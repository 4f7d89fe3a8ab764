"""How glibc's allocator treats a process of several threads that all handle large pictures."""

import ctypes

M_ARENA_MAX = -8
"""Option of mallopt(3)."""


def share_one_arena() -> None:
    """Let all threads allocate from one arena; to be called before they start. Without glibc nothing happens.

    Otherwise each thread keeps what it has freed for itself, tens of megabytes over all cameras; what takes long in a
    step is computing, not allocating.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
