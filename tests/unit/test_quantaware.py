"""Training with INT8's rounding: it rounds as INT8 does, changes nothing else, and mends what rounding broke."""

from pathlib import Path

import pytest
import torch

from tests.sim.measured import evaluate
from tests.sim.painted import painted_pool, painted_source, tiny_run
from training.loop import fit
from training.network import Network
from training.quantaware import RoundedConv, ordinary, rounded, unrounded

SIZE_PX = 64
RUN = tiny_run(SIZE_PX, steps=120, check_every=120)
HELD_BACK = {"scenes": painted_pool(8, SIZE_PX, seed=1)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Network:
    torch.set_num_threads(1)
    return fit(RUN, painted_source(24, SIZE_PX), HELD_BACK, tmp_path_factory.mktemp("run"))


def calibrated(network: Network) -> Network:
    """In INT8 without further training: the ranges of the activations as they are."""
    prepared = rounded(network).train()
    with torch.no_grad():
        prepared(torch.from_numpy(painted_pool(8, SIZE_PX, seed=3).pixels).movedim(-1, 1).float() / 255)
    return prepared.eval()


@torch.no_grad()
def uneven(network: Network) -> Network:
    """The same function with one channel some hundred times larger than the others, which one scale can't serve."""
    spoilt = unrounded(rounded(network))
    stem, first = spoilt.stem, spoilt.stages[0][0]
    channel = int(stem[1].bias.argmax())
    stem[0].weight[channel] *= 250
    stem[1].bias[channel] *= 250
    first.conv.weight[:, channel] /= 250
    return spoilt


def iou(network: Network) -> float:
    return evaluate(network, painted_pool(8, SIZE_PX, seed=2), SIZE_PX, RUN.top_k).metrics()["mean_iou"]


@torch.no_grad()
def test_weights_go_there_and_back_unchanged(trained: Network) -> None:
    picture = torch.rand(2, 3, SIZE_PX, SIZE_PX)
    for before, after in zip(trained(picture), unrounded(rounded(trained))(picture), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    assert ordinary(trained) is trained


@torch.no_grad()
def test_a_rounded_convolution_has_the_levels_of_int8() -> None:
    conv = RoundedConv(torch.nn.Conv2d(1, 1, 1, bias=False)).train()
    conv.conv.weight.fill_(1.0)
    given = torch.linspace(-1, 1, 2000).reshape(1, 1, 1, -1)
    levels = torch.unique(conv(given))
    assert len(levels) == 255
    assert levels.max() == pytest.approx(1.0)


def test_what_rounding_broke_is_mended_by_training_with_it(trained: Network, tmp_path: Path) -> None:
    spoilt = uneven(trained)
    good, broken = iou(spoilt), iou(calibrated(spoilt))
    assert good == pytest.approx(iou(trained), abs=1e-3)
    assert broken < good - 0.05, "one scale for all channels must hurt, or there is nothing to mend"
    settings = RUN.model_copy(update={"quantized": True, "steps": 120, "learning_rate": 5e-3})
    mended = fit(settings, painted_source(24, SIZE_PX), HELD_BACK, tmp_path, start=spoilt)
    assert iou(calibrated(mended)) > broken + 0.4 * (good - broken)
