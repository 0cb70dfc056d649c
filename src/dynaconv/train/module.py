"""The learning task: augment, normalise, classify, and test on clean and on turned images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from dynaconv.data import ImageData, ViewpointAugmentation, shift_and_mirror
from dynaconv.errors import NonFiniteLossError
from dynaconv.train.batch_mixing import BatchMixing
from dynaconv.train.batches import Batch, step_seed
from dynaconv.train.config import TrainConfig
from dynaconv.train.lightning_api import LightningModule, MeanMetric, MulticlassAccuracy, OptimizerConfig
from dynaconv.train.optimizers import make_optimizer, rate_factor

__all__ = ["VIEWPOINT_TEST_SEED", "Classification", "Scores"]

VIEWPOINT_TEST_SEED = 20_000  # the same turned test images for every run, whatever its own seed


class Scores(nn.Module):
    """Mean loss and accuracy over test batches, over all processes.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.loss = MeanMetric()
        self.accuracy = MulticlassAccuracy(classes, average="micro", ignore_index=-1)

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Adds a batch: logits (B, classes), labels (B,), where -1 is ignored."""
        each = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none")
        self.loss.update(each[labels >= 0])
        self.accuracy.update(logits, labels)


class Classification(LightningModule):
    """Trains and tests `model` on `data`.

    Args:
        config: loss, optimiser, schedule, augmentation.
        data: the images, for their number, classes, mean and standard deviation.
        model: (B, C, H, W) normalised floats to (B, classes) logits.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: TrainConfig, data: ImageData, model: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.model = model
        self.batches_per_epoch = len(data.train) // config.batch_size  # type: ignore[arg-type]  # as torch's Dataset
        self.augmentation = ViewpointAugmentation()
        test_images = len(data.test)  # type: ignore[arg-type]  # torch leaves __len__ out of the base class
        self.test_views = self.augmentation.sample(test_images, VIEWPOINT_TEST_SEED)
        self.register_buffer("mean", torch.tensor(data.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(data.std).view(1, -1, 1, 1), persistent=False)
        self.mix = BatchMixing(config, len(data.classes))
        self.clean, self.viewpoint = Scores(len(data.classes)), Scores(len(data.classes))

    def batch_number(self, batch_idx: int) -> int:
        """The number of a training batch since the run's start, over all epochs."""
        return self.trainer.current_epoch * self.batches_per_epoch + batch_idx

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds each step by its number, so that dropout after a resume is what it would have been."""
        torch.manual_seed(step_seed(self._seed(batch_idx), self.trainer.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Loss and logits of one batch."""
        pixels, labels, _ = batch
        images = self._floats(pixels)
        if self.config.augment == "viewpoint":
            images = self._turn(images, batch_idx)
        elif self.config.augment == "crop":
            images = shift_and_mirror(images, self._seed(batch_idx), first=self._first(images))
        images, targets = self.mix(self._normalise(images), labels)
        logits = self.model(images)
        loss = F.cross_entropy(logits, targets, label_smoothing=self.config.label_smoothing)
        value = float(loss.detach())
        if not math.isfinite(value):
            number = self.batch_number(batch_idx) + 1
            raise NonFiniteLossError(value, number, self.trainer.current_epoch + 1, batch_idx + 1)
        self.log("loss", value, prog_bar=True)
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Tests one batch as it is and as the fixed viewpoint set turns it."""
        pixels, labels, indices = batch
        images = self._floats(pixels)
        turned = self.augmentation.apply(images, self.test_views[indices.cpu()])
        for kind, scores, shown in (("clean", self.clean, images), ("viewpoint", self.viewpoint, turned)):
            scores.update(self.model(self._normalise(shown)).float(), labels)
            self.log(f"{kind}_loss", scores.loss, on_epoch=True)
            self.log(f"{kind}_accuracy", scores.accuracy, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> OptimizerConfig:
        """Optimiser and per-step schedule."""
        optimizer = make_optimizer(self.config, self.model)
        steps = math.ceil(self.batches_per_epoch / self.config.accumulate)
        schedule = LambdaLR(optimizer, rate_factor(self.config, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _turn(self, images: Tensor, batch_idx: int) -> Tensor:
        """Views are drawn for the whole batch and each process takes its part: the number of processes is no matter."""
        first = self._first(images)
        views = self.augmentation.sample(self.config.batch_size, self._seed(batch_idx))[first : first + len(images)]
        return self.augmentation.apply(images, views)

    def _seed(self, batch_idx: int) -> int:
        """What is random in a batch: the same whatever came before it."""
        return step_seed(self.config.seed, self.batch_number(batch_idx))

    def _first(self, images: Tensor) -> int:
        """The number of this process's first image in the batch of all processes."""
        return self.trainer.global_rank * len(images)

    def _floats(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.mean.dtype).div_(255)

    def _normalise(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std
