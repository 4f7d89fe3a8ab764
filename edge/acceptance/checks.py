"""Does what runs here see what the package's maker saw? Golden frames, and traits against the CPU."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.acceptance.report import Check
from edge.backends import Backend
from edge.contract.manifest import Manifest
from edge.contract.traits import VOCABULARY, Unit, expanded
from edge.golden import Golden
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.traits import measure

Picture = NDArray[np.uint8]
Traits = dict[str, float]

MAX_COUNT_CHANGE: Final = 0.1
"""Mean difference of a count in a picture, as the exporter's gate allows; or ``MAX_RELATIVE`` of a large count."""

MAX_RELATIVE: Final = 0.01
"""Of areas and shares: the same file on two runtimes differs by roundings at the edges of plants."""

GATED: Final = {Unit.COUNT, Unit.PX2, Unit.FRACTION}


def golden_check(backend: Backend, manifest: Manifest, golden: Sequence[Golden]) -> Check:
    """Whether the backend gives what the package recorded for its golden frames."""
    size = manifest.input
    wrong = [
        each.name
        for each in golden
        if not each.agrees(backend.infer(fit(each.picture, size.height_px, size.width_px)[0]))
    ]
    if not golden:
        return Check(name="golden frames", passed=False, found="the package has none; build it again")
    found = f"{len(golden) - len(wrong)} of {len(golden)} as recorded"
    return Check(name="golden frames", passed=not wrong, found=f"{found}; not {', '.join(wrong)}" if wrong else found)


def trait_checks(ours: Backend, reference: Backend, manifest: Manifest, pictures: Sequence[Picture]) -> list[Check]:
    """Whether counts, areas and shares come out alike on both, over all pictures."""
    look = traits_of(manifest)
    pairs = [(look(ours, picture), look(reference, picture)) for picture in pictures]
    return [_agreement(name, pairs) for name in expanded(manifest.traits) if VOCABULARY[name].unit in GATED]


def traits_of(manifest: Manifest) -> Callable[[Backend, Picture], Traits]:
    """From a picture to the traits of all of it, with a backend."""
    plots = Plots(None)

    def look(backend: Backend, picture: Picture) -> Traits:
        image, placement = fit(picture, manifest.input.height_px, manifest.input.width_px)
        segmentation = decode(backend.infer(image), manifest, placement)
        (whole,) = measure(image, segmentation, plots.on(placement), manifest)
        return {trait.trait: trait.value for trait in whole.traits}

    return look


def turned(pictures: Sequence[Picture]) -> Iterator[Picture]:
    """Each picture as it is, mirrored, and upside down: more evidence from the few that a package has."""
    for picture in pictures:
        yield picture
        yield np.ascontiguousarray(picture[:, ::-1])
        yield np.ascontiguousarray(picture[::-1])


def _agreement(name: str, pairs: Sequence[tuple[Traits, Traits]]) -> Check:
    """Missing is never zero: a trait that one of the two does not give is a disagreement."""
    one_sided = sum((name in ours) != (name in theirs) for ours, theirs in pairs)
    both = [(ours[name], theirs[name]) for ours, theirs in pairs if name in ours and name in theirs]
    apart = float(np.mean([abs(ours - theirs) for ours, theirs in both])) if both else 0.0
    mean = float(np.mean([theirs for _, theirs in both])) if both else 0.0
    count = VOCABULARY[name].unit == Unit.COUNT
    limit = max(MAX_COUNT_CHANGE if count else 0.0, MAX_RELATIVE * mean)
    found = f"mean {mean:.4g}, apart {apart:.3g}, at most {limit:.3g}"
    if one_sided:
        found += f"; only one of both gives it in {one_sided} pictures"
    return Check(name=name, passed=not one_sided and apart <= limit, found=found)
