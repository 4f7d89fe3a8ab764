"""The model card: what a package is, what it measured, what it is for (Mitchell et al. 2019)."""

from edge.contract.manifest import Manifest


def model_card(manifest: Manifest, note: str) -> str:
    """Markdown: what the manifest knows, then ``note``: what only a person can say, such as what it is meant for."""
    size, lineage = manifest.input, manifest.lineage
    things = ", ".join(f"{thing.name} (score from {thing.threshold:g})" for thing in manifest.things)
    return f"""# {manifest.name} {manifest.version}

Segments {", ".join(manifest.classes[1:])} and counts {things} in pictures of {size.width_px} x {size.height_px} px \
after fitting. It measures {", ".join(manifest.traits)}.

**Made from** data {lineage.dataset or "not recorded"}, commit {lineage.git_commit or "not recorded"}, \
{lineage.created_at:%Y-%m-%d}.

**Measured** on rendered scenes of seeds that training never saw, through the device's own decoder:

{_table(manifest)}

{note.strip()}
"""


def _table(manifest: Manifest) -> str:
    names = list(manifest.metrics)
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for metric in manifest.metrics.get("fp32", {}):
        values = " | ".join(f"{manifest.metrics[name].get(metric, float('nan')):.3f}" for name in names)
        rows.append(f"| {metric.replace('_', ' ')} | {values} |")
    return "\n".join(rows)
