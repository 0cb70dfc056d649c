"""Attention temperatures are annealed while a network is trained."""

from __future__ import annotations

from math import ceil

from torch import nn

from dynaconv.coefficients import TemperatureSchedule, temperatures
from dynaconv.train.batches import Batch, Position
from dynaconv.train.config import TrainConfig
from dynaconv.train.lightning_api import Callback, LightningModule, Trainer

__all__ = ["AnnealTemperature", "anneals"]

_SHARE = 0.1  # of the run, where no epochs are given: 10 of 100 in dynamic convolution and ODConv


def anneals(config: TrainConfig, model: nn.Module) -> bool:
    """Whether a run changes temperatures: the network has some that begin elsewhere than they end."""
    return config.temperature_epochs != 0 and any(t.start != t.end for t in temperatures(model))


class AnnealTemperature(Callback):
    """Sets every temperature at the beginning of a step, by the run's position alone: a resumed run needs no state.

    Args:
        config: for how long.
        model: has temperatures.
        batches_per_epoch: training batches.
        position: where the run stands.
    """

    def __init__(self, config: TrainConfig, model: nn.Module, batches_per_epoch: int, position: Position) -> None:
        epochs = config.epochs * _SHARE if config.temperature_epochs is None else config.temperature_epochs
        self._schedule = TemperatureSchedule(model, ceil(epochs * batches_per_epoch))
        self._position = position

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """The temperature of the step."""
        self._schedule.load_state_dict({"position": self._position.batches})
