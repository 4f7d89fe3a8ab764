"""A network in torch, measured on labelled pictures in one call."""

from training.evaluate import Report, draft_manifest, each, evaluate_look, torch_look
from training.network import Network
from training.pool import Examples


def evaluate(network: Network, examples: Examples, size_px: int, top_k: int) -> Report:
    """Read through the device's own decoder, fitted into ``size_px``."""
    return evaluate_look(torch_look(network, top_k), draft_manifest(network, size_px, top_k), each(examples))
