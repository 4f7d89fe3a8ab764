"""The model card: what a package is, what it measured, what it is for (Mitchell et al. 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.contract.manifest import Manifest, Precision
from export.sensitivity import LayerCost


@dataclass(frozen=True, slots=True)
class Story:
    """What the card tells beside the manifest.

    Attributes:
        note: what only a person can say, such as what a model is meant for; Markdown.
        left: by precision, the layers that stay in float because the parity gate refused them.
        refused: by precision, why the gate refused the file.
        times_ms: by precision, what a picture takes of one core of ``machine``.
        machine: where that was.
    """

    note: str = ""
    left: Mapping[Precision, Sequence[LayerCost]] = field(default_factory=dict)
    refused: Mapping[Precision, str] = field(default_factory=dict)
    times_ms: Mapping[Precision, float] = field(default_factory=dict)
    machine: str = ""


def model_card(manifest: Manifest, story: Story) -> str:
    """Markdown: what the manifest knows, then the story."""
    size, lineage = manifest.input, manifest.lineage
    things = ", ".join(f"{thing.name} (score from {thing.threshold:g})" for thing in manifest.things)
    return f"""# {manifest.name} {manifest.version}

Segments {", ".join(manifest.classes[1:])} and counts {things} in pictures of {size.width_px} x {size.height_px} px \
after fitting. It measures {", ".join(manifest.traits)}.

**Made from** data {lineage.dataset or "not recorded"}, commit {lineage.git_commit or "not recorded"}, \
{lineage.created_at:%Y-%m-%d}. INT8 was calibrated on pictures {lineage.calibration or "not recorded"}.

**Measured** on labelled pictures that neither training nor calibration saw, through the device's own decoder:

{_table(manifest)}

{_files(manifest, story)}{_left(story)}{_refused(story)}{_slow(story)}{story.note.strip()}
"""


def _table(manifest: Manifest) -> str:
    names = list(manifest.metrics)
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for metric in manifest.metrics.get("fp32", {}):
        values = " | ".join(f"{manifest.metrics[name].get(metric, float('nan')):.3f}" for name in names)
        rows.append(f"| {metric.replace('_', ' ')} | {values} |")
    return "\n".join(rows)


def _files(manifest: Manifest, story: Story) -> str:
    rows = [f"| file | bytes | ms of one core, {story.machine} |", "|---|---:|---:|"]
    for precision, name in manifest.models.items():
        time = f"{story.times_ms[precision]:.1f}" if precision in story.times_ms else "for TensorRT"
        rows.append(f"| {name} | {manifest.files[name].length_bytes:,} | {time} |")
    return "\n".join(rows) + "\n\n"


def _left(story: Story) -> str:
    return "".join(
        f"**In {precision} these layers stay in float**, because the gate refused them: "
        + ", ".join(f"`{cost.layer}` (moves the outputs by {cost.cost:.2f})" for cost in costs)
        + ".\n\n"
        for precision, costs in story.left.items()
    )


def _refused(story: Story) -> str:
    return "".join(f"**There is no {precision}**: {reason}.\n\n" for precision, reason in story.refused.items())


def _slow(story: Story) -> str:
    times = story.times_ms
    if not {"fp32", "int8.cpu"} <= set(times) or times["int8.cpu"] < times["fp32"]:
        return ""
    return "**INT8 is no faster than FP32 on that machine**: on such CPUs set `inference.precision: fp32`.\n\n"
