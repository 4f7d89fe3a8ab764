"""Whether the model's package is whole, and the daemon measures with one."""

from collections.abc import Iterator

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import ModelError
from edge.package import ModelPackage

MEND = "copy the package again, or take the one before: canopy model rollback"


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Verify every file of the configured package against its manifest, and the smaller one's for heat."""
    settings = patient.settings
    for path in filter(None, (settings.inference.package, settings.heat.package)):
        about = scribe.of(path.name)
        try:
            package = ModelPackage.open(path)
        except ModelError as error:
            found, _, mend = str(error).partition("; ")
            yield about.fail(found, mend or MEND)
        else:
            manifest = package.manifest
            yield about.ok(f"{manifest.name} {manifest.version}, {len(manifest.files)} files, all whole")
    status = patient.status
    if status is not None and not status.model:
        yield scribe.fail("the running daemon has no model: every picture is a failed reading", MEND)
