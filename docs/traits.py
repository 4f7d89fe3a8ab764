"""Writes the table in traits.md from the vocabulary: ``python -m docs.traits``."""

from pathlib import Path

from edge.contract.traits import TRAIT_SETS, UNIT_TERMS, VOCABULARY, Trait

PAGE = Path(__file__).with_name("traits.md")
BEGIN, END = "<!-- python -m docs.traits writes what follows -->\n", "<!-- and ends here -->\n"

EXACTLY, NUMBERS = "none", "last digits"
DIFFERENCES = {
    "projected_leaf_area": EXACTLY,
    "convex_hull_area": EXACTLY,
    "extent_x": EXACTLY,
    "extent_y": EXACTLY,
    "width": EXACTLY,
    "height": EXACTLY,
    "hue_median": EXACTLY,
    "solidity": NUMBERS,
    "perimeter": NUMBERS,
    "centroid_x": "last digits; ours is 0.5 px more, from the picture's edge",
    "centroid_y": "last digits; ours is 0.5 px more, from the picture's edge",
    "hue": "0.001 %; PlantCV's circle has 358 degrees",
    "hue_circular_std": "0.5 %; PlantCV's circle has 358 degrees",
    "hue_distribution": "last digits; five of PlantCV's bins in one",
}
"""The largest difference to PlantCV that tests/unit/test_plantcv_traits.py lets pass, in words."""

HEADINGS = (
    "trait",
    "unit",
    "definition",
    "on the wire as method",
    "term; entity",
    "one standard deviation",
    "PlantCV 4; difference",
)


def table() -> str:
    """A line for each trait, in Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(_line(trait) for trait in VOCABULARY.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def sets() -> str:
    """What each set of traits holds, in Markdown."""
    return "".join(
        f"- **`{name}`**: {', '.join(f'`{trait}`' for trait in traits)}\n" for name, traits in TRAIT_SETS.items()
    )


def written(page: str) -> str:
    """The page with the table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{sets()}\n{END}{after}"


def _line(trait: Trait) -> list[str]:
    unit = UNIT_TERMS.get(trait.unit)
    term = f"{trait.term} ({'exact' if trait.exact else 'related'})" if trait.term else "none found"
    peer = f"`{trait.plantcv}`; {DIFFERENCES[trait.name]}" if trait.plantcv else "–"
    return [
        f"`{trait.name}`",
        f"{trait.unit.value} ({unit})" if unit else trait.unit.value,
        trait.definition,
        trait.method,
        f"{term}; {trait.entity}",
        trait.uncertainty or "not known",
        peer,
    ]


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
