"""The training loop, on PyTorch Lightning: mixed precision, and an average of the weights, which is what is kept.

An epoch is ``check_every`` steps. After each the network is measured, and a run that was killed goes on from there.
"""

import copy
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from torch import Tensor, distributed
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Sampler

from edge.errors import ConfigError
from training.args import FitSettings
from training.checkpoint import CHECKPOINT_FILE, load_network, save_network
from training.data import Source, Views
from training.evaluate import draft_manifest, each, evaluate_look, torch_look
from training.loss import Wanted, loss_terms, weighted
from training.network import Network, transferred
from training.pool import Examples
from training.quantaware import ordinary, rounded
from training.report import draw_pictures
from training.run import RunRecord
from training.tracking import commit, keep_pictures, loggers, track

RESUME_FILE = "resume.ckpt"
SAMPLES, SAMPLE_COUNT = "samples", 4

HARMLESS = (
    "Checkpoint directory .* exists",  # it does when a run goes on
    ".*does not have many workers",  # the settings say how many
    ".*LeafSpec",
    ".*barrier",
)
"""Warnings of libraries about nothing that the user of a run could mend."""

Tensors = tuple[Tensor, ...] | list[Tensor]


class Fitting(lightning.LightningModule):  # type: ignore[misc]  # Lightning ships no types that mypy can follow
    """The network in training, and ``averaged``: the exponential mean of its weights, which is what is kept."""

    def __init__(self, network: Network, settings: FitSettings) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.averaged = AveragedModel(network, multi_avg_fn=moving_average(settings.average), use_buffers=True)
        self.averaged.requires_grad_(requires_grad=False)
        self.begun = copy.deepcopy(ordinary(network).state_dict()) if settings.retain else {}
        self.spent_s = 0.0
        self.seen_s = time.monotonic()

    def training_step(self, batch: tuple[Tensor, Wanted], _index: int) -> Tensor:
        """One step; logs each term of the loss."""
        picture, wanted = batch
        maps = self.network(picture.contiguous(memory_format=torch.channels_last))
        terms = loss_terms(type(maps)(*(part.float() for part in maps)), wanted)
        self.log_dict({f"loss/{name}": term.detach() for name, term in terms.items()})
        loss = weighted(terms, self.settings.loss)
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Average, and stop when the minutes are used up."""
        self.averaged.update_parameters(self.network)
        now_s = time.monotonic()
        self.spent_s, self.seen_s = self.spent_s + now_s - self.seen_s, now_s
        self.trainer.should_stop = self.progress() >= 1

    def kept(self) -> Network:
        """The averaged network, ``retain`` of the way back to where the run began (Wortsman et al. 2022, WiSE-FT)."""
        network = copy.deepcopy(ordinary(cast("Network", self.averaged.module)))
        if self.begun:
            learned = network.state_dict()
            network.load_state_dict({name: self._between(learned[name], self.begun[name]) for name in learned})
        return network

    def _between(self, learned: Tensor, begun: Tensor) -> Tensor:
        return learned.lerp(begun.to(learned), self.settings.retain) if learned.is_floating_point() else learned

    def progress(self) -> float:
        """How much of the run is done, by steps or by minutes, whichever is nearer the end."""
        by_steps: float = self.global_step / self.settings.steps
        if self.settings.minutes is None:
            return by_steps
        return max(by_steps, self.spent_s / 60 / self.settings.minutes)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The minutes that are used up stay so when the run goes on."""
        checkpoint["spent_s"] = self.spent_s

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on."""
        self.spent_s = checkpoint["spent_s"]

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


class InOrder(Sampler[int]):
    """Item numbers, one epoch after the other, each process its share: a run that goes on asks for what comes next."""

    def __init__(self, epoch_items: int, processes: int, seen: Callable[[], int]) -> None:
        self.epoch_items, self.processes, self.seen = epoch_items, processes, seen

    def __len__(self) -> int:
        return self.epoch_items // self.processes

    def __iter__(self) -> Iterator[int]:
        rank = distributed.get_rank() if distributed.is_initialized() else 0
        first = self.seen()
        return iter(range(first + rank, first + self.epoch_items, self.processes))


class Bar(RichProgressBar):  # type: ignore[misc]
    """Progress of an epoch and its loss: how many epochs follow is the steps' business, and a run's number MLflow's."""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}"

    def get_metrics(self, trainer: Any, model: Any) -> dict[str, Any]:
        """What stands beside the bar."""
        return {name: value for name, value in super().get_metrics(trainer, model).items() if name != "v_num"}


class Check(lightning.Callback):  # type: ignore[misc]
    """After each epoch: measure the averaged weights on what was held back, and keep them.

    A run with ``patience`` keeps the best and ends when it no longer gains; one without keeps the last.
    """

    def __init__(self, folder: Path, held_back: Mapping[str, Examples], settings: FitSettings) -> None:
        self.folder, self.held_back, self.settings = folder, held_back, settings
        self.best, self.without_gain = math.inf, 0

    def on_train_epoch_end(self, trainer: Any, fitting: Fitting) -> None:
        """Check, in the first process; all learn whether that was the last."""
        if trainer.is_global_zero:
            self._check(trainer, fitting)
        patience = self.settings.patience
        enough = patience is not None and self.without_gain >= patience
        trainer.should_stop = trainer.strategy.broadcast(trainer.should_stop or enough)

    def _check(self, trainer: Any, fitting: Fitting) -> None:
        candidate = self.folder / f"candidate-{CHECKPOINT_FILE}"
        save_network(fitting.kept(), candidate)
        network, badness = load_network(candidate), 0.0
        manifest = draft_manifest(network, self.settings.size_px, self.settings.top_k)
        look = torch_look(network, self.settings.top_k)
        for name, examples in self.held_back.items():
            report = evaluate_look(look, manifest, each(examples))
            badness += report.badness
            for logger in trainer.loggers:
                said = {f"{name}/{metric}": value for metric, value in report.metrics().items()}
                logger.log_metrics(said, step=fitting.global_step)
            shown = list(range(min(SAMPLE_COUNT, len(examples))))
            draw_pictures(look, manifest, examples, shown, self.folder / SAMPLES / name)
            fitting.print(f"step {fitting.global_step}, {name}: {_line(report.metrics())}")
        keep_pictures(trainer, self.folder / SAMPLES)
        self.without_gain = 0 if badness < self.best else self.without_gain + 1
        self.best = min(self.best, badness)
        if self.settings.patience is None or badness == self.best:  # a schedule is made for its end
            candidate.replace(self.folder / CHECKPOINT_FILE)
        candidate.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, float]:
        """What a run that goes on must know."""
        return {"best": self.best, "without_gain": self.without_gain}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Go on."""
        self.best, self.without_gain = state_dict["best"], int(state_dict["without_gain"])


def _line(measured: Mapping[str, float]) -> str:
    """What a person follows while it trains."""
    followed = ("mean_iou", "symmetric_best_dice", *(name for name in measured if name.endswith("_count_mae")))
    return ", ".join(f"{name.replace('_', ' ')} {measured[name]:.3f}" for name in followed)


def fit(
    settings: FitSettings,
    sources: Sequence[Source],
    held_back: Mapping[str, Examples],
    folder: Path,
    start: Network | None = None,
    tracking: str | None = None,
) -> Network:
    """Train on ``sources``, and return the averaged network: the last, or with ``patience`` the best on ``held_back``.

    Checkpoints and the table of metrics go to ``folder``; a run that was interrupted there goes on from its last epoch.

    Raises:
        ConfigError: there is nothing to learn from or to retain, or the folder holds an interrupted run with other
            settings or data.
    """
    if settings.retain and (start is None or not start.spec.answers_as(settings.model)):
        raise ConfigError("retain needs a network with the same classes and things to begin from: name it with --init")
    folder.mkdir(parents=True, exist_ok=True)
    record = RunRecord(
        settings=settings, data={source.name: source.examples.digest for source in sources}, git_commit=commit()
    )
    resumed = folder / RESUME_FILE if (folder / RESUME_FILE).exists() else None
    if resumed:
        begun = RunRecord.read(folder)
        record.check_goes_on(begun, folder)
        record = record.model_copy(update={"tracked_as": begun.tracked_as})
    lightning.seed_everything(settings.seed, verbose=False)
    for talkative in ("lightning.pytorch", "lightning.fabric", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    trainer = _trainer(settings, folder, [Check(folder, held_back, settings)], tracking, record.tracked_as)
    if trainer.is_global_zero:
        record.model_copy(update={"tracked_as": track(trainer, record)}).write(folder)
    network = transferred(start, settings.model) if start else Network(settings.model, settings.network)
    network = rounded(network) if settings.quantized else network
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's stubs
    with warnings.catch_warnings():
        for message in HARMLESS:
            warnings.filterwarnings("ignore", message)
        loader = _loader(settings, sources, lambda: trainer.global_step)
        trainer.fit(Fitting(network, settings), loader, ckpt_path=resumed, weights_only=True)
    if trainer.is_global_zero:
        (folder / RESUME_FILE).unlink(missing_ok=True)
    return load_network(folder / CHECKPOINT_FILE)


def _trainer(
    settings: FitSettings,
    folder: Path,
    callbacks: list[lightning.Callback],
    tracking: str | None,
    tracked_as: str | None,
) -> lightning.Trainer:
    resume = ModelCheckpoint(folder, Path(RESUME_FILE).stem, enable_version_counter=False, save_on_train_epoch_end=True)
    return lightning.Trainer(
        max_steps=settings.steps,
        precision="bf16-mixed",
        accelerator="auto",
        devices=settings.devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        use_distributed_sampler=False,
        deterministic="warn",
        logger=loggers(settings.model.name, folder, tracking, tracked_as),
        log_every_n_steps=max(1, min(50, settings.check_every, settings.steps // 20)),
        callbacks=[*callbacks, resume, Bar()],
        enable_model_summary=False,
        gradient_clip_val=10.0,
    )


def _loader(
    settings: FitSettings, sources: Sequence[Source], steps: Callable[[], int]
) -> DataLoader[tuple[Tensor, Wanted]]:
    step_items = settings.batch * settings.devices
    items = min(settings.check_every, settings.steps) * step_items
    return DataLoader(
        Views(sources, settings),
        settings.batch,
        sampler=InOrder(items, settings.devices, lambda: steps() * step_items),
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
    )
