"""What happens beside the training step: where the run stands, its history, the table, stopping on request."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from dynaconv.atomic import write_bytes
from dynaconv.train.batches import Batch, Position
from dynaconv.train.lightning_api import Callback, LightningModule, MeanMetric, MulticlassAccuracy, StepOutput, Trainer

__all__ = ["History", "TrackPosition"]

_COLUMNS = (
    "epoch",
    "step",
    "lr",
    "train_loss",
    "train_accuracy",
    "clean_loss",
    "clean_accuracy",
    "viewpoint_loss",
    "viewpoint_accuracy",
    "seconds_per_step",
)


class TrackPosition(Callback):
    """Counts the batches trained on and keeps the count in checkpoints.

    Args:
        position: is kept up to date; the order of the images follows it.
    """

    def __init__(self, position: Position) -> None:
        self.position = position

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        """One more."""
        self.position.batches += 1

    def state_dict(self) -> dict[str, int]:
        """For a checkpoint."""
        return {"batches": self.position.batches}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """From a checkpoint."""
        self.position.batches = state_dict["batches"]


class History(Callback):
    """One row of numbers per epoch, kept in checkpoints and written to `metrics.csv`.

    Args:
        classes: number of classes.
        table: the CSV file.
    """

    def __init__(self, classes: int, table: Path) -> None:
        self.rows: list[dict[str, float]] = []
        self.table = table
        self._loss = MeanMetric()
        self._accuracy = MulticlassAccuracy(classes, average="micro")
        self._seconds: list[float] = []
        self._began = 0.0
        for metric in (self._loss, self._accuracy):
            metric.persistent(True)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Starts the clock."""
        self._began = _now(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: StepOutput, batch: Batch, batch_idx: int
    ) -> None:
        """Adds the step's time, loss and hits."""
        self._seconds.append(_now(pl_module.device) - self._began)
        assert isinstance(outputs, Mapping)  # what the task's training step returns
        labels, logits = batch[1], outputs["logits"]
        # Lightning has divided the loss by the number of batches whose gradients are added up.
        loss = outputs["loss"].detach() * trainer.accumulate_grad_batches
        self._loss.to(labels.device).update(loss, weight=len(labels))
        self._accuracy.to(labels.device).update(logits, labels)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes the epoch's row; the tests ran just before."""
        row: dict[str, float] = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "train_loss": float(self._loss.compute()),
            "train_accuracy": float(self._accuracy.compute()),
            "seconds_per_step": median(self._seconds),
        }
        if row["epoch"] % (trainer.check_val_every_n_epoch or 1) == 0:
            for name in ("clean_loss", "clean_accuracy", "viewpoint_loss", "viewpoint_accuracy"):
                row[name] = float(trainer.callback_metrics[name])
        self.rows.append(row)
        self._loss.reset()
        self._accuracy.reset()
        self._seconds.clear()
        if trainer.is_global_zero:
            self._write()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint; the sums of a begun epoch are those of all processes."""
        with self._loss.sync_context(), self._accuracy.sync_context():
            return {
                "rows": list(self.rows),
                "seconds": list(self._seconds),
                "loss": {k: v.clone() for k, v in self._loss.state_dict().items()},
                "accuracy": {k: v.clone() for k, v in self._accuracy.state_dict().items()},
            }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint; the sums go to one process only, else they would count several times."""
        self.rows = list(state_dict["rows"])
        self._seconds = list(state_dict["seconds"])
        if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
            self._loss.load_state_dict(state_dict["loss"])
            self._accuracy.load_state_dict(state_dict["accuracy"])

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_bytes(self.table, text.getvalue().encode())


def _now(device: torch.device) -> float:
    """The time at which all work given to `device` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()
