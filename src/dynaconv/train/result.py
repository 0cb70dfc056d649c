"""`RunResult`: what a finished run measured, as kept in its `metrics.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dynaconv.atomic import write_json
from dynaconv.errors import RunFolderError
from dynaconv.train.run_folder import RunFolder

__all__ = ["RunResult"]


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        out: the run folder.
        parameters: numbers that are learned.
        macs: multiply-adds of one image.
        epochs: passes over the training images.
        steps: optimiser steps.
        seconds_per_step: median time of one training step (forward, backward, update), without loading.
        clean_loss: mean cross entropy on the test images as they are, after the last epoch.
        clean_accuracy: share of the test images classified correctly, 0 to 1.
        viewpoint_loss: the same loss on the fixed, seeded set of turned, scaled and sheared test images.
        viewpoint_accuracy: share of those classified correctly.
        best_epoch: the epoch with the highest accuracy on the kind of images that it was trained on.
        history: one row per epoch: epoch, step, lr, train_loss, train_accuracy, seconds_per_step, and the four test
            numbers where the epoch was tested.
    """

    out: Path
    parameters: int
    macs: int
    epochs: int
    steps: int
    seconds_per_step: float
    clean_loss: float
    clean_accuracy: float
    viewpoint_loss: float
    viewpoint_accuracy: float
    best_epoch: int
    history: tuple[dict[str, Any], ...]

    def save(self) -> None:
        """Writes `metrics.json`, whole or not at all."""
        content = asdict(self)
        del content["out"]
        write_json(RunFolder(self.out).metrics, content)

    @classmethod
    def load(cls, out: str | Path) -> RunResult:
        """The result in the run folder `out`.

        Raises:
            RunFolderError: if there is no finished run.
        """
        path = RunFolder(out).metrics
        try:
            content = json.loads(path.read_text())
            return cls(**{**content, "out": Path(out), "history": tuple(content["history"])})
        except OSError as error:
            raise RunFolderError(out, "holds no finished run: metrics.json cannot be read") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunFolderError(out, f"metrics.json is damaged: {error}") from error
