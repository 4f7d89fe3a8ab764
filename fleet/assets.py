"""Fetches what the pages have from others, pinned and checked: ``python -m fleet.assets`` (npm is needed, once).

The files stand in the tree, so a service needs no network and no npm. This reproduces them: each package is checked
against npm's own sha512 before a byte of it is written.
"""

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_STATIC = _ROOT / "fleet" / "static" / "vendor"
_TESTS = _ROOT / "tests" / "browser" / "vendor"


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned npm package: which of its files go where, under which name."""

    name: str
    version: str
    sha512: str
    files: Mapping[str, Path]


PACKAGES = (
    Package(
        "uplot", "1.6.32",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {
            "dist/uPlot.iife.min.js": _STATIC / "uplot.js",
            "dist/uPlot.min.css": _STATIC / "uplot.css",
            "LICENSE": _STATIC / "uplot.LICENSE",
        },
    ),
    Package(
        "u8-mqtt", "0.6.7",
        "K4Hg9MfzKm8PvwP9aE9XrvWzY0RurUStMYbaimQ8qdlWZI3TAtOAOPclpr/JrLppcuQejKLicDK3DjUlhMhgHQ==",
        {"esm/web/basic-v4.min.js": _STATIC / "u8-mqtt.js", "LICENSE": _STATIC / "u8-mqtt.LICENSE"},
    ),
    Package(
        "idiomorph", "0.8.0",
        "R47JBL+6jHDQvcnbppIUtXXcxi5h6+wuCEEZXnRhUltsgzPFKzThL5PuHppP9ypJuy+7WawcY1TsSBD/iQbMhw==",
        {"dist/idiomorph.min.js": _STATIC / "idiomorph.js", "LICENSE": _STATIC / "idiomorph.LICENSE"},
    ),
    Package(
        "@fontsource-variable/inter", "5.3.0",
        "OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
        {
            "files/inter-latin-wght-normal.woff2": _STATIC / "inter.woff2",
            "LICENSE": _STATIC / "inter.LICENSE",
        },
    ),
    Package(
        "axe-core", "4.14.1",
        "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        {"axe.min.js": _TESTS / "axe.js", "LICENSE": _TESTS / "axe.LICENSE"},
    ),
)  # fmt: skip


def fetch(package: Package) -> None:
    """Write the files of one package.

    Raises:
        ValueError: what npm gives is not what was pinned.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{package.name}@{package.version}"
        command = ["npm", "pack", "--silent", "--pack-destination", folder, wanted]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - npm from the path is what is meant
        archive = next(Path(folder).glob("*.tgz")).read_bytes()
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != package.sha512:
        raise ValueError(f"{wanted} has sha512-{found}, not sha512-{package.sha512}; nothing of it was written")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for inside, target in package.files.items():
            member = opened.extractfile(f"package/{inside}")
            if member is None:
                raise ValueError(f"{wanted} has no file {inside}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_without_map(member.read()))


def _without_map(content: bytes) -> bytes:
    """Without the line that names a source map, which is not here."""
    return b"\n".join(line for line in content.split(b"\n") if not line.startswith(b"//# sourceMappingURL="))


if __name__ == "__main__":
    for each in PACKAGES:
        fetch(each)
        sys.stdout.write(f"{each.name} {each.version}\n")
