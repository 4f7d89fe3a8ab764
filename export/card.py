"""The model card: what a package is, what it measured, what it is for (Mitchell et al. 2019)."""

from collections.abc import Mapping, Sequence

from edge.contract.manifest import Manifest, Precision
from export.sensitivity import LayerCost


def model_card(manifest: Manifest, note: str, left: Mapping[Precision, Sequence[LayerCost]]) -> str:
    """Markdown: what the manifest knows, then ``note``: what only a person can say, such as what it is meant for.

    ``left``: by precision, the layers that stay in float because the parity gate refused them.
    """
    size, lineage = manifest.input, manifest.lineage
    things = ", ".join(f"{thing.name} (score from {thing.threshold:g})" for thing in manifest.things)
    return f"""# {manifest.name} {manifest.version}

Segments {", ".join(manifest.classes[1:])} and counts {things} in pictures of {size.width_px} x {size.height_px} px \
after fitting. It measures {", ".join(manifest.traits)}.

**Made from** data {lineage.dataset or "not recorded"}, commit {lineage.git_commit or "not recorded"}, \
{lineage.created_at:%Y-%m-%d}.

**Measured** on rendered scenes of seeds that training never saw, through the device's own decoder:

{_table(manifest)}

{_left(left)}{note.strip()}
"""


def _left(left: Mapping[Precision, Sequence[LayerCost]]) -> str:
    lines = [
        f"**In {precision} these layers stay in float**, because the gate refused them: "
        + ", ".join(f"`{cost.layer}` (moves the outputs by {cost.cost:.2f})" for cost in costs)
        + ".\n\n"
        for precision, costs in left.items()
    ]
    return "".join(lines)


def _table(manifest: Manifest) -> str:
    names = list(manifest.metrics)
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for metric in manifest.metrics.get("fp32", {}):
        values = " | ".join(f"{manifest.metrics[name].get(metric, float('nan')):.3f}" for name in names)
        rows.append(f"| {metric.replace('_', ' ')} | {values} |")
    return "\n".join(rows)
