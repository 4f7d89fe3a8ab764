"""The local control socket: how a technician's command speaks to the daemon beside it.

``control`` in the state directory, a Unix socket that the daemon's user and group may use. A client sends one request,
a line of JSON; the daemon answers with lines of JSON, of which the last says that it is. ``protocol`` says what stands
in them; ``server`` serves, ``client`` asks, ``answers`` knows the daemon.
"""
