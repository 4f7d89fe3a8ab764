"""Whether there is room, and whether it may be written to."""

import os
from collections.abc import Iterator

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.views import size

NOTHING_LEFT_BYTES = 20_000_000
FEW_FILES = 1_000


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Look at the file systems of the database, the state and the status."""
    settings = patient.settings
    for folder in sorted({settings.data_dir, settings.state_dir, settings.run_dir}):
        about = scribe.of(str(folder))
        if not folder.is_dir() and folder == settings.storage.folder:
            yield about.fail("is not there, and is never made", "mount its disk, or make the folder on it")
            continue
        found = os.statvfs(next(each for each in (folder, *folder.parents) if each.exists()))
        free = found.f_bavail * found.f_frsize
        if found.f_flag & os.ST_RDONLY:
            yield about.fail(
                "is mounted read-only, as a kernel does with a failing disk", "see dmesg; replace the card"
            )
        elif free < NOTHING_LEFT_BYTES:
            yield about.fail(f"{size(free)} free of {size(found.f_blocks * found.f_frsize)}", _room(patient))
        elif folder == settings.data_dir and free < settings.storage.keep_free_bytes:
            wanted = size(settings.storage.keep_free_bytes)
            yield about.warn(f"{size(free)} free, {wanted} are to stay free", _room(patient))
        elif found.f_files and found.f_favail < FEW_FILES:
            yield about.fail(f"no more than {found.f_favail} files can be made", "delete files that are not needed")
        else:
            yield about.ok(f"{size(free)} free of {size(found.f_blocks * found.f_frsize)}")


def _room(patient: Patient) -> str:
    return (
        f"lower outbox.max_bytes (now {size(patient.settings.outbox.max_bytes)}), or free the disk: du -xh / | sort -h"
    )
