"""The training loop, on PyTorch Lightning: mixed precision, an average of the weights, a checkpoint at each check."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from training.args import FitSettings
from training.checkpoint import load_network, save_network
from training.data import SceneViews
from training.evaluate import evaluate
from training.loss import Wanted, loss_terms, weighted
from training.network import Network
from training.pool import Pool

CHECKPOINT_FILE = "network.pt"

Tensors = tuple[Tensor, ...] | list[Tensor]


class Fitting(lightning.LightningModule):  # type: ignore[misc]  # Lightning ships no types that mypy can follow
    """The network in training, and ``averaged``: the exponential mean of its weights, which is what is kept."""

    def __init__(self, network: Network, settings: FitSettings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.averaged = AveragedModel(network, multi_avg_fn=moving_average(settings.average), use_buffers=True)
        self.started_s = time.monotonic()

    def training_step(self, batch: tuple[Tensor, Wanted], _index: int) -> Tensor:
        """One step; logs each term of the loss."""
        picture, wanted = batch
        maps = self.network(picture.contiguous(memory_format=torch.channels_last))
        terms = loss_terms(type(maps)(*(part.float() for part in maps)), wanted)
        self.log_dict({f"loss/{name}": term.detach() for name, term in terms.items()})
        return weighted(terms, self.settings.loss)

    def on_train_batch_end(self, *_: Any) -> None:
        """Average, and stop when the minutes are used up."""
        self.averaged.update_parameters(self.network)
        self.trainer.should_stop = self.progress() >= 1

    def progress(self) -> float:
        """How much of the run is done, by steps or by minutes, whichever is nearer the end."""
        by_steps: float = self.global_step / self.settings.steps
        if self.settings.minutes is None:
            return by_steps
        return max(by_steps, (time.monotonic() - self.started_s) / 60 / self.settings.minutes)

    def configure_optimizers(self) -> Optimizer:
        """AdamW; batch norms and biases are not decayed."""
        decayed = [parameter for parameter in self.network.parameters() if parameter.ndim > 1]
        free = [parameter for parameter in self.network.parameters() if parameter.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.settings.weight_decay}, {"params": free, "weight_decay": 0}]
        return AdamW(groups, lr=self.settings.learning_rate)

    def optimizer_step(self, epoch: int, index: int, optimizer: Optimizer, closure: Any = None) -> None:
        """Set the rate for where the run stands, then step."""
        rate = self.settings.learning_rate * schedule(self.progress(), self.settings.warm_up)
        for group in optimizer.param_groups:
            group["lr"] = rate
        super().optimizer_step(epoch, index, optimizer, closure)


def moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential mean that forgets its random beginning: over the first steps it remembers only a few."""

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value.to(mean.dtype), share)
            else:
                mean.copy_(value)

    return update


def schedule(progress: float, warm_up: float) -> float:
    """Share of the full rate: a linear rise, then half a cosine (Loshchilov & Hutter 2017)."""
    if progress < warm_up:
        return (progress + 1e-3) / (warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warm_up) / (1 - warm_up)))) + 1e-3


class Check(lightning.Callback):  # type: ignore[misc]
    """Every so many steps: keep the averaged weights, and measure them on the held-back scenes."""

    def __init__(self, folder: Path, held_back: Pool, settings: FitSettings) -> None:
        self.folder, self.held_back, self.settings = folder, held_back, settings

    def on_train_batch_end(self, _trainer: Any, fitting: Fitting, *_: Any) -> None:
        """Check if it is time."""
        if fitting.global_step % self.settings.check_every == 0:
            self.check(fitting)

    def on_train_end(self, _trainer: Any, fitting: Fitting) -> None:
        """Check what the run ended with."""
        self.check(fitting)

    def check(self, fitting: Fitting) -> None:
        """Write the checkpoint and log its metrics."""
        save_network(cast("Network", fitting.averaged.module), self.folder / CHECKPOINT_FILE)
        report = evaluate(load_network(self.folder / CHECKPOINT_FILE), self.held_back, self.settings.top_k)
        fitting.logger.log_metrics(report.metrics(), step=fitting.global_step)


def fit(settings: FitSettings, scenes: Pool, held_back: Pool, folder: Path, start: Network | None = None) -> Network:
    """Train on ``scenes`` and return the averaged network; checkpoints and ``metrics.csv`` go to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    lightning.seed_everything(settings.seed, verbose=False)
    network = start or Network(settings.network)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
    fitting = Fitting(network, settings)
    length = settings.steps * settings.batch
    views = SceneViews(scenes, settings.network.classes, settings.augmentation, settings.seed, length)
    loader = DataLoader(views, settings.batch, num_workers=settings.workers, persistent_workers=settings.workers > 0)
    trainer = lightning.Trainer(
        max_steps=settings.steps,
        max_epochs=1,
        precision="bf16-mixed",
        accelerator="auto",
        devices=1,
        logger=CSVLogger(folder, name="", version="", flush_logs_every_n_steps=50),
        log_every_n_steps=max(1, min(50, settings.steps // 20)),
        callbacks=[Check(folder, held_back, settings)],
        enable_checkpointing=False,
        enable_model_summary=False,
        gradient_clip_val=10.0,
    )
    trainer.fit(fitting, loader)
    return load_network(folder / CHECKPOINT_FILE)
