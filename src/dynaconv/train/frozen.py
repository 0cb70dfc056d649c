"""Normalisations that do not learn keep their statistics too."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from dynaconv.train.batches import Batch
from dynaconv.train.lightning_api import Callback, LightningModule, Trainer

__all__ = ["KeepFrozenNorms", "frozen_norms"]


def frozen_norms(model: nn.Module) -> list[nn.Module]:
    """The normalisations with statistics all of whose parameters are frozen."""
    norms = [module for module in model.modules() if isinstance(module, _NormBase) and module.affine]
    return [norm for norm in norms if not any(parameter.requires_grad for parameter in norm.parameters())]


class KeepFrozenNorms(Callback):
    """Holds frozen normalisations in evaluation while the rest trains.

    Args:
        model: the network.
    """

    def __init__(self, model: nn.Module) -> None:
        self._norms = frozen_norms(model)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Training sets the mode of all modules anew after each test."""
        for norm in self._norms:
            norm.eval()
