"""Random transforms of one picture at a time, each a pure function of picture and seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dynaconv.data.extras import torchvision_transforms
from dynaconv.errors import ArgumentError

__all__ = ["RandomPictures"]

# About the mean of photographs, which normalisation makes zero.
_GREY = 114


@dataclass(frozen=True)
class RandomPictures:
    """A random part of a picture, mirrored or not, with random changes of colour and form.

    Args:
        size: (H, W) of the result.
        resized_crop: whether to take a random part of the picture, 8 % to all of its area at an aspect of 3:4 to 4:3,
            resize it to `size` and mirror it with probability one half; else the picture must have that size.
        rand_augment: magnitude, 0 to 30, of RandAugment's two operations; `None` for none.
        erasing: probability that a random rectangle is erased.

    Raises:
        ArgumentError: a value is out of range.

    Source: Szegedy et al., Going Deeper with Convolutions, 1409.4842 (crops); Cubuk et al., RandAugment, 1909.13719;
    Zhong et al., Random Erasing Data Augmentation, 1708.04896. All by torchvision.
    """

    size: tuple[int, int]
    resized_crop: bool = True
    rand_augment: int | None = None
    erasing: float = 0.0

    def __post_init__(self) -> None:
        if self.rand_augment is not None and not 0 <= self.rand_augment <= 30:
            raise ArgumentError("rand_augment", self.rand_augment, "an integer from 0 to 30, or None")
        if not 0 <= self.erasing <= 1:
            raise ArgumentError("erasing", self.erasing, "a number from 0 to 1")

    @cached_property
    def _steps(self) -> list[Any]:
        v2 = torchvision_transforms()
        steps: list[Any] = []
        if self.resized_crop:
            steps += [v2.RandomResizedCrop(list(self.size), antialias=True), v2.RandomHorizontalFlip()]
        if self.rand_augment is not None:
            steps.append(v2.RandAugment(num_ops=2, magnitude=self.rand_augment))
        if self.erasing:
            steps.append(v2.RandomErasing(self.erasing, value=_GREY))
        return steps

    def __call__(self, picture: Tensor, seed: int) -> Tensor:
        """`picture: (C, height, width)` uint8 → `(C, H, W)` uint8.

        Raises:
            MissingExtraError: torchvision is not installed.
        """
        # torchvision draws from the global generator, which belongs to whoever trains.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for step in self._steps:
                picture = step(picture)
        return picture
