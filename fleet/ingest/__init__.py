"""From MQTT to the store: letters are taken in, filed once, and acknowledged when they are on the disk."""
