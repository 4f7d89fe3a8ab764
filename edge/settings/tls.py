"""TLS towards the broker."""

from pathlib import Path

from edge.settings.base import Settings

IDENTITY = "identity"
"""The folder in the state directory in which ``canopy enroll`` keeps what it got."""


class TlsSettings(Settings):
    """PEM files of the connection to the broker; absent ones are what ``canopy enroll`` wrote.

    ``ca``: whom to believe. ``certificate``, with its chain, is shown to the broker; ``key`` belongs to it and may
    stand in the same file.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def anchored(self, folder: Path, state_dir: Path) -> "TlsSettings":
        """With every path absolute: relative ones start at ``folder``."""
        identity = state_dir / IDENTITY
        certificate = folder / self.certificate if self.certificate else identity / "device.pem"
        return TlsSettings(
            ca=folder / self.ca if self.ca else identity / "ca.pem",
            certificate=certificate,
            key=folder / self.key if self.key else certificate,
        )

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """``ca``, ``certificate`` and ``key`` of settings that are anchored."""
        return self.ca or Path(), self.certificate or Path(), self.key or Path()
