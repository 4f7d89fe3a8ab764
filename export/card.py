"""The model card: what a package is for, what it measured, and where it falls short (Mitchell et al. 2019)."""

from edge.contract.manifest import Manifest

METRICS = {
    "mean_iou": "mean IoU",
    "symmetric_best_dice": "SBD, leaves",
    "leaf_difference_in_count": "DiC, leaves per plant",
    "leaf_count_mae": "mean abs. DiC, leaves per plant",
    "plant_count_mae": "mean abs. DiC, plants per picture",
}


def model_card(manifest: Manifest, note: str) -> str:
    """Markdown: what the manifest knows, then ``note``, which says what a person measured elsewhere."""
    size, lineage = manifest.input, manifest.lineage
    things = ", ".join(f"{thing.name} (score from {thing.threshold:g})" for thing in manifest.things)
    return f"""# {manifest.name} {manifest.version}

Segments {", ".join(manifest.classes[1:])} and counts {things} in pictures taken from above, {size.width_px} x \
{size.height_px} px after fitting. It measures {", ".join(manifest.traits)}.

**Made from** procedurally rendered scenes only; no photograph was used to train, calibrate or choose it.
Dataset {lineage.dataset or "not recorded"}, commit {lineage.git_commit or "not recorded"}, \
{lineage.created_at:%Y-%m-%d}.

**Measured** on rendered scenes of seeds that training never saw, through the device's own decoder:

{_table(manifest)}

**Meant for** growth and leaf counts of rosette plants in single pots and trays under a fixed camera.
**Not meant for** plants seen from the side, fruit, weeds among crops, or any decision that nobody looks at.
Leaves hidden under others are not counted, and one that is a few pixels wide at {size.width_px} px may be missed.

{note.strip()}
"""


def _table(manifest: Manifest) -> str:
    names = list(manifest.metrics)
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for metric, label in METRICS.items():
        values = " | ".join(f"{manifest.metrics[name][metric]:.3f}" for name in names)
        rows.append(f"| {label} | {values} |")
    return "\n".join(rows)
