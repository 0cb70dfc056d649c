"""The parts of Lightning, torchmetrics and safetensors that training uses, and a quiet Lightning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from dynaconv.errors import MissingExtraError

try:
    from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
    from lightning.pytorch.callbacks import EMAWeightAveraging, RichProgressBar
    from lightning.pytorch.loggers import TensorBoardLogger
    from lightning.pytorch.utilities.exceptions import SIGTERMException
    from lightning.pytorch.utilities.types import STEP_OUTPUT as StepOutput
    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig as OptimizerConfig
    from torchmetrics import MeanMetric
    from torchmetrics.classification import MulticlassAccuracy
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "lightning", "train") from error

__all__ = [
    "Callback",
    "EMAWeightAveraging",
    "LightningDataModule",
    "LightningModule",
    "MeanMetric",
    "MisconfigurationException",
    "MulticlassAccuracy",
    "OptimizerConfig",
    "RichProgressBar",
    "SIGTERMException",
    "StepOutput",
    "TensorBoardLogger",
    "TorchCheckpointIO",
    "Trainer",
    "quiet",
]

# Each is answered by the design, not swept away: what the message fears does not apply.
_ANSWERED = (
    ".*does not have many workers.*",  # in-memory sets are one indexing operation per batch
    ".*your dataloader is not resumable.*",  # its batches start at the position in the checkpoint
    ".*treespec, LeafSpec.*",  # Lightning's own use of a torch name
    ".*GPU available but not used.*",  # the user chose the accelerator
    ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
    ".*Experiment logs directory .* exists.*",  # a resumed run
)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences Lightning's tips and the warnings that the design answers; real warnings stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    loggers += [logging.getLogger(f"{entry.name}.utilities.rank_zero") for entry in list(loggers)]
    levels = [entry.level for entry in loggers]
    with warnings.catch_warnings():
        for message in _ANSWERED:
            warnings.filterwarnings("ignore", message=message)
        for entry in loggers:
            entry.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for entry, level in zip(loggers, levels, strict=True):
                entry.setLevel(level)
