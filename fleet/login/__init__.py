"""The login: people with passwords and sessions, programs with tokens, and the gate before every route."""
