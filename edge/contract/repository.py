"""What both sides know of the update repository beside The Update Framework's own format.

A repository is a folder that any static host serves. Below its URL lie ``metadata/`` and ``targets/``; consistent
snapshots, so that a name never gets another content, but for ``metadata/timestamp.json``. Each hardware has a role of
its own name, to which the top-level targets role delegates ``{hardware}/*``.
"""

METADATA = "metadata"
"""The folder of the signed metadata."""

TARGETS = "targets"
"""The folder of the packages: ``{hardware}/{sha256}.{name}-{version}.zip``."""

ISSUED = "issued"
"""A field of the timestamp role, under signature as all of it: the moment of signing, ISO 8601 with its offset.

The format has only the moment when a role expires. This one says what a clock must have passed.
"""


def target_path(hardware: str, name: str, version: str) -> str:
    """The path of a package in the repository."""
    return f"{hardware}/{name}-{version}.zip"
