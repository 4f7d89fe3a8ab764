"""How a device has a camera back by itself: which step comes next, and the doing of it."""
