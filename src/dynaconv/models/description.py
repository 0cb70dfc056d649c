"""Plain descriptions of sequential networks, and the one builder that makes a dynamic network or its static twin."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from torch import Tensor, nn

from dynaconv.layers import create_conv

__all__ = ["ConvRow", "MaxPoolRow", "NetworkDescription", "SequentialCNN"]


@dataclass(frozen=True)
class ConvRow:
    """One convolution, followed by normalisation and ReLU.

    Attributes:
        channels: output channels at width 1.
        kernel: kernel size.
        stride: step.
        padding: pixels on each side.
        groups: groups at width 1; at other widths the largest divisor of it that fits the channels.
        bias: whether the convolution has one.
        dynamic: whether the network's method makes this row's kernel; otherwise it is static.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    bias: bool = False
    dynamic: bool = False


@dataclass(frozen=True)
class MaxPoolRow:
    """Maximum pooling, window and stride `size`."""

    size: int = 2


@dataclass(frozen=True)
class NetworkDescription:
    """A network as a table: rows, then the global average and a linear classifier.

    Attributes:
        conv: the method of the dynamic rows.
        rows: the layers in order.
        norm: makes the normalisation for a number of channels.
        conv_options: options of the method.
        num_classes: the classifier's outputs, unless another number is asked for.
    """

    conv: str
    rows: tuple[ConvRow | MaxPoolRow, ...]
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d
    conv_options: Mapping[str, Any] = field(default_factory=dict)
    num_classes: int = 10


class SequentialCNN(nn.Module):
    """The network of a description: `(B, in_channels, H, W)` → `(B, num_classes)`.

    Args:
        description: the table to build.
        conv: the method of the dynamic rows; `"static"` makes the static twin.
        conv_options: its options.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
        width: factor on every row's channels.
    """

    def __init__(
        self,
        description: NetworkDescription,
        *,
        conv: str,
        conv_options: Mapping[str, Any],
        num_classes: int,
        in_channels: int,
        width: float,
    ) -> None:
        super().__init__()
        rows: OrderedDict[str, nn.Module] = OrderedDict()
        channels = in_channels
        for number, row in enumerate(description.rows, start=1):
            if isinstance(row, MaxPoolRow):
                rows[f"pool{number}"] = nn.MaxPool2d(row.size)
                continue
            made = max(1, round(row.channels * width))
            # Options belong to the dynamic method: a static row takes none.
            method, options = (conv, conv_options) if row.dynamic else ("static", dict[str, Any]())
            geometry = (channels, made, row.kernel, row.stride, row.padding, 1, gcd(row.groups, channels, made))
            rows[f"conv{number}"] = create_conv(method, *geometry, bias=row.bias, **options)
            rows[f"norm{number}"] = description.norm(made)
            rows[f"relu{number}"] = nn.ReLU(inplace=True)
            channels = made
        self.features = nn.Sequential(rows)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, in_channels, H, W)` → class scores `(B, num_classes)`."""
        features: Tensor = self.features(x)
        scores: Tensor = self.classifier(features.mean((2, 3)))
        return scores
