"""What pages hear while they stand open, and how the fleet asks a device: one MQTT client for the whole web side."""
