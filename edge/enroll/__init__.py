"""The device's identity: a key that is made here and never leaves, and a certificate that the fleet signs anew."""
