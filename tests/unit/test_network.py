"""The network: folding changes nothing, sizes come from settings, and its checkpoint holds no code."""

import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from edge.errors import ConfigError
from tests.sim.painted import ROSETTE
from training.checkpoint import CHECKPOINT_FILE, load_network, save_network
from training.network import SIZES, ConvNorm, Network, NetworkSettings, RepConv, fold

SMALL = NetworkSettings(widths=(8, 16, 16, 16), depths=(1, 1, 1, 1), pyramid_width=16, fine_width=8, head_width=16)


def lived_in(settings: NetworkSettings = SMALL) -> Network:
    """A network whose batch norms have statistics of their own, as after training."""
    torch.manual_seed(3)
    network = Network(ROSETTE.model, settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    torch.nn.init.normal_(network.heat.weight, 0, 0.3)
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize("settings", [SMALL, NetworkSettings()], ids=["small", "shipped"])
def test_folding_the_branches_changes_no_output(settings: NetworkSettings) -> None:
    network = lived_in(settings)
    picture = torch.rand(1, 3, 64, 96)
    for before, after in zip(network(picture), fold(network)(picture), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_a_folded_network_is_plain_convolutions() -> None:
    kinds = {type(module) for module in fold(lived_in()).modules()}
    assert not kinds & {RepConv, ConvNorm, torch.nn.BatchNorm2d}


@torch.no_grad()
def test_maps_have_a_quarter_of_the_resolution() -> None:
    maps = Network(ROSETTE.model, SMALL).eval()(torch.rand(3, 3, 64, 96))
    shapes = [tuple(part.shape) for part in maps]
    assert shapes == [(3, 2, 16, 24), (3, 2, 16, 24), (3, 2, 16, 24), (3, 16)]


@pytest.mark.parametrize(("size", "millions"), [("nano", 0.66), ("small", 1.63), ("med", 3.30), ("large", 5.70)])
def test_each_size_has_the_weights_that_it_is_known_for(size: str, millions: float) -> None:
    network = Network(ROSETTE.model, SIZES[size])
    assert sum(parameter.numel() for parameter in fold(network).parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@torch.no_grad()
def test_a_checkpoint_gives_back_the_same_network(tmp_path) -> None:
    network = lived_in()
    save_network(network, tmp_path / CHECKPOINT_FILE)
    picture = torch.rand(1, 3, 64, 64)
    again = load_network(tmp_path / CHECKPOINT_FILE)
    assert again.settings == SMALL
    torch.testing.assert_close(again(picture).semantic, network(picture).semantic)


class Payload:
    def __reduce__(self):
        return (print, ("code ran while a checkpoint was read",))


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", pickle.dumps(Payload(), protocol=2)],
    ids=["empty", "garbage", "code"],
)
def test_a_file_that_is_no_checkpoint_is_refused_without_running_it(tmp_path, capsys, content: bytes) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=r"network.safetensors is no checkpoint"):
        load_network(tmp_path / CHECKPOINT_FILE)
    assert not capsys.readouterr().out


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path) -> None:
    save_network(Network(ROSETTE.model, SMALL), tmp_path / CHECKPOINT_FILE)
    other = SMALL.model_copy(update={"depths": (1, 2, 1, 1)}).model_dump_json()
    said = {"spec": ROSETTE.model.model_dump_json(), "settings": other}
    save_file(load_file(tmp_path / CHECKPOINT_FILE), tmp_path / CHECKPOINT_FILE, said)
    with pytest.raises(ConfigError, match="no checkpoint of this network"):
        load_network(tmp_path / CHECKPOINT_FILE)
