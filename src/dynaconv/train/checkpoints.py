"""When checkpoints are written, and how Lightning reads and writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dynaconv.atomic import write_bytes
from dynaconv.errors import NonFiniteLossError
from dynaconv.train.batches import Batch, Position
from dynaconv.train.callbacks import History
from dynaconv.train.checkpoint_file import read_checkpoint, rotate_in
from dynaconv.train.config import TrainConfig
from dynaconv.train.interrupt import StopRequest, TrainingInterrupted
from dynaconv.train.lightning_api import Callback, LightningModule, StepOutput, TorchCheckpointIO, Trainer
from dynaconv.train.run_folder import RunFolder

__all__ = ["CheckedFiles", "Checkpoints", "best_epoch"]


class CheckedFiles(TorchCheckpointIO):
    """Lightning's checkpoints as checksummed files that never replace the only good one.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Writes `checkpoint` to `path`; the last one becomes the previous one."""
        rotate_in(Path(path), self.folder.previous, checkpoint)

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Reads `path` without executing anything in it."""
        return read_checkpoint(Path(path))


class Checkpoints(Callback):
    """Saves every so many batches, at each epoch's end, and when asked to stop.

    Args:
        config: how often; which accuracy decides the best.
        folder: the run folder.
        identity: what the run is made of, kept in each checkpoint.
        position: where the run stands.
        history: the rows, kept up to date before this callback runs.
        stop: whether to stop.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        identity: dict[str, object],
        position: Position,
        history: History,
        stop: StopRequest,
    ) -> None:
        self.config = config
        self.folder = folder
        self.identity = identity
        self.position = position
        self.history = history
        self.stop = stop

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Marks the checkpoint as this run's."""
        checkpoint["dynaconv"] = {"identity": self.identity, "batches": self.position.batches}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        """Saves where gradients are not half added up; an epoch's last batch is left to the epoch's end."""
        if trainer.is_last_batch or (batch_idx + 1) % self.config.accumulate:
            return
        stop = trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)
        if stop or self.position.batches % self.config.checkpoint_every < self.config.accumulate:
            self._save(trainer, pl_module)
        if stop:
            raise TrainingInterrupted(self.folder.path)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the epoch, and keeps a copy if it is the best so far."""
        self._save(trainer, pl_module)
        rows = self.history.rows
        if trainer.is_global_zero and best_epoch(self.config, rows) == rows[-1]["epoch"]:
            write_bytes(self.folder.best, self.folder.last.read_bytes())
        finished = trainer.current_epoch + 1 == self.config.epochs
        if not finished and trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False):
            raise TrainingInterrupted(self.folder.path)

    def _save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not all(torch.isfinite(p).all() for p in pl_module.parameters()):
            epoch, batch = divmod(self.position.batches - 1, int(trainer.num_training_batches))
            raise NonFiniteLossError(float("nan"), self.position.batches, epoch + 1, batch + 1)
        trainer.save_checkpoint(self.folder.last)


def best_epoch(config: TrainConfig, rows: list[dict[str, float]]) -> int:
    """The first epoch with the highest test accuracy on the kind of images that the run trains on; 0 before any."""
    kind = "viewpoint_accuracy" if config.augment == "viewpoint" else "clean_accuracy"
    best = max((row for row in rows if kind in row), key=lambda row: row[kind], default={"epoch": 0})
    return int(best["epoch"])
