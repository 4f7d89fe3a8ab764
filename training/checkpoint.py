"""A network on the disk: its weights and its size, nothing that runs when it is read."""

from pathlib import Path
from pickle import UnpicklingError

import torch
from pydantic import ValidationError

from edge.errors import ConfigError
from training.network import Network, NetworkSettings


def save_network(network: Network, path: Path) -> None:
    """Write ``network`` to ``path``, whole or not at all."""
    partial = path.with_suffix(".partial")
    weights = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    torch.save({"settings": network.settings.model_dump(mode="json"), "weights": weights}, partial)
    partial.replace(path)


def load_network(path: Path) -> Network:
    """Read what ``save_network`` wrote, in evaluation mode.

    Raises:
        ConfigError: the file is missing, is no checkpoint of ours, or its weights are of another architecture.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        network = Network(NetworkSettings.model_validate(held["settings"]))
        network.load_state_dict(held["weights"])
    except (OSError, EOFError, UnpicklingError, KeyError, TypeError, RuntimeError, ValidationError) as error:
        raise ConfigError(
            f"{path} is no checkpoint of this network ({error}); make one with canopy-train fit"
        ) from error
    return network.eval()
