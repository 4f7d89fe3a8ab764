"""A network on the disk: its weights, its size and what its numbers mean; nothing that runs when it is read."""

from pathlib import Path

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from edge.errors import ConfigError
from edge.package import ModelPackage
from training.network import Network, NetworkSettings
from training.spec import ModelSpec

CHECKPOINT_FILE = "network.safetensors"


def save_network(network: Network, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write ``network`` to ``path``, whole or not at all; its weights as ``dtype``."""
    partial = path.with_suffix(".partial")
    weights = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    parts: dict[str, BaseModel] = {"spec": network.spec, "settings": network.settings}
    save_file(weights, partial, {name: part.model_dump_json() for name, part in parts.items()})
    partial.replace(path)


def load_network(path: Path) -> Network:
    """Read what ``save_network`` wrote, in evaluation mode and float32. ``path`` may be a model package that holds one.

    Raises:
        ConfigError: the file is missing, is no checkpoint of ours, or its weights are of another architecture.
        PackageInvalid: a package is damaged.
    """
    file = ModelPackage.open(path).path / CHECKPOINT_FILE if path.is_dir() else path
    try:
        with safe_open(file, framework="pt") as held:
            said = held.metadata() or {}
            network = Network(
                ModelSpec.model_validate_json(said["spec"]), NetworkSettings.model_validate_json(said["settings"])
            )
            weights = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  it is no mapping
        network.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError, ValidationError) as error:
        *_, reason = str(error).splitlines()[:2]  # torch lists every tensor that differs: one tells enough
        raise ConfigError(
            f"{file} is no checkpoint of this network ({reason.strip()}); make one with canopy-train fit"
        ) from error
    return network.eval()
