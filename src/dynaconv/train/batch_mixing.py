"""Mixup and CutMix: training batches whose images, and labels, are mixed in pairs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor

from dynaconv.errors import MissingExtraError
from dynaconv.train.config import TrainConfig

__all__ = ["BatchMixing"]


class BatchMixing:
    """Mixes a batch as a configuration says; where it names both ways, each batch gets one of them by chance.

    Args:
        config: `mixup` and `cutmix`.
        classes: number of classes.

    Source: Zhang et al., mixup, 1710.09412; Yun et al., CutMix, 1905.04899. Both by torchvision.
    """

    def __init__(self, config: TrainConfig, classes: int) -> None:
        self._ways: Any = None
        if config.mixup or config.cutmix:
            v2 = _transforms()
            ways = [v2.MixUp(alpha=config.mixup, num_classes=classes)] if config.mixup else []
            ways += [v2.CutMix(alpha=config.cutmix, num_classes=classes)] if config.cutmix else []
            self._ways = v2.RandomChoice(ways)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """`images: (B, C, H, W)`, `labels: (B,)` → mixed images and shares `(B, classes)`; unchanged without mixing."""
        if self._ways is None or len(images) < 2:
            return images, labels
        mixed: tuple[Tensor, Tensor] = self._ways(images, labels)
        return mixed


def _transforms() -> Any:
    """`torchvision.transforms.v2`, asked for at first use."""
    try:
        return import_module("torchvision.transforms.v2")
    except ModuleNotFoundError as error:
        raise MissingExtraError("torchvision", "train") from error
