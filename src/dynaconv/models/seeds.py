"""The three kernel-attention networks that the library started from, layer by layer as their authors wrote them.

Source: mhorton19/CNN-Kernel-Attention (scripts for CIFAR-10 at 32×32, no paper).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dynaconv.layers import BatchRenorm2d
from dynaconv.models.description import ConvRow, MaxPoolRow, NetworkDescription

__all__ = ["SEEDS"]

_KERNEL_WEIGHTED = NetworkDescription(
    conv="kernel_weighted",
    rows=(
        ConvRow(128),
        ConvRow(128),
        ConvRow(128, kernel=2, stride=2, padding=0),
        ConvRow(128),
        ConvRow(128, kernel=2, stride=2, padding=0, bias=True),
        *(ConvRow(128, dynamic=True),) * 3,
    ),
)

_UNIT = (ConvRow(128, groups=16, bias=True, dynamic=True), ConvRow(128, kernel=1, padding=0, bias=True))

_FC_GENERATED = NetworkDescription(
    conv="fc_generated",
    rows=(ConvRow(128, bias=True), *_UNIT, MaxPoolRow(), *_UNIT, MaxPoolRow(), *_UNIT * 3),
)

_DOT_PRODUCT = NetworkDescription(
    conv="dot_product",
    conv_options={"bank_size": 50, "embedding_dim": 100},
    norm=BatchRenorm2d,
    rows=(
        ConvRow(20),
        ConvRow(50, dynamic=True),
        ConvRow(70, kernel=2, stride=2, padding=0, dynamic=True),
        ConvRow(90, dynamic=True),
        ConvRow(100, kernel=2, stride=2, padding=0, dynamic=True),
        *(ConvRow(100, dynamic=True),) * 3,
    ),
)

SEEDS: Mapping[str, NetworkDescription] = MappingProxyType(
    {
        "kernel_weighted_cnn": _KERNEL_WEIGHTED,
        "fc_generated_cnn": _FC_GENERATED,
        "dot_product_cnn": _DOT_PRODUCT,
    }
)
