"""One file for each check: ``examine`` looks at a device and yields findings. None of them changes anything."""
