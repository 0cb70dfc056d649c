"""What is known of a published network: how it is built, and the figures it is checked against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

__all__ = ["Preset"]


@dataclass(frozen=True)
class Preset:
    """A published network by name.

    Attributes:
        name: as `create_model` takes it.
        build: makes the network from `num_classes` and `in_channels`.
        parameters: the exact number, counted in the authors' code, with 1000 classes and three input channels.
        macs: multiply-adds of convolutions and matrix products for one image, measured in the authors' code.
        input_size: the image it was measured on, `(C, H, W)`.
        source: the repository or paper of the figures.
        published_parameters: as printed there, such as `"44.90 M"`; empty where nothing is printed.
        published_macs: as printed there, such as `"1.916 G"`.
        published_accuracy: ImageNet top-1 / top-5 as printed there.
        note: why a printed figure is not met, or another remark.
        with_assembly: whether `macs` includes making kernels, which the authors do by a matrix product.
    """

    name: str
    build: Callable[[int, int], nn.Module]
    parameters: int
    macs: float
    source: str
    input_size: tuple[int, int, int] = (3, 224, 224)
    published_parameters: str = ""
    published_macs: str = ""
    published_accuracy: str = ""
    note: str = ""
    with_assembly: bool = False
