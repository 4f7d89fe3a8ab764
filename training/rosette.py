"""The rosette model: plants seen from above, and their leaves. What its numbers mean, before it has any files."""

from edge.contract.manifest import GraphInput, Lineage, Manifest, Thing
from edge.contract.traits import VOCABULARY
from training.network import NetworkSettings

CLASSES = ("background", "leaf")
PLANT, LEAF = 0, 1
"""Index of each thing in the heatmaps and in column 3 of ``centers``."""

PLANT_SCORE, LEAF_SCORE = 0.3, 0.25
"""From which score a peak counts: where the error of the counts is least on rendered scenes held back."""


def rosette_manifest(network: NetworkSettings, *, size_px: int, top_k: int, version: str, lineage: Lineage) -> Manifest:
    """The manifest of a rosette model; files, models and metrics are the packager's to add."""
    return Manifest(
        name="rosette",
        version=version,
        input=GraphInput(height_px=size_px, width_px=size_px),
        classes=CLASSES,
        plant_classes=("leaf",),
        things=(
            Thing(name="plant", threshold=PLANT_SCORE, count_trait="plant_count"),
            Thing(name="leaf", threshold=LEAF_SCORE, part_of="plant", grouped=True, count_trait="leaf_count"),
        ),
        top_k=top_k,
        features=network.widths[3],
        traits=tuple(name for name in VOCABULARY if name != "fruit_count"),
        files={},
        models={},
        lineage=lineage,
    )
