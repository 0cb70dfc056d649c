"""The progress bar: loss and both test accuracies in words short enough for a narrow terminal."""

from __future__ import annotations

from dynaconv.train.lightning_api import LightningModule, RichProgressBar, Trainer

__all__ = ["Progress"]

_SHORT = {"loss": "loss", "clean_accuracy": "clean", "viewpoint_accuracy": "viewpoint"}


class Progress(RichProgressBar):
    """One line per epoch, which stays on the screen."""

    def __init__(self) -> None:
        super().__init__(leave=True)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What stands behind the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        return {short: metrics[name] for name, short in _SHORT.items() if name in metrics}
