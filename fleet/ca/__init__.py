"""The certificate authority of a fleet: a root key that sleeps, an issuing key that works, and who has what."""
