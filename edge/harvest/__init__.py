"""Frames for the next model: which are kept, what is written of them, and how they go to the fleet.

::

    harvest/CAMERA/TIME-DIGEST.json   what is known of a frame, with its labels (``edge.contract.frames``)
    harvest/CAMERA/TIME-DIGEST.jpg    the frame; it is there only if its description is
    harvest/CAMERA/budget.json        what the day has left
"""
