"""Attention blocks by name."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from torch import nn

from dynaconv.attention.bam import BAM
from dynaconv.attention.cbam import CBAM, CBAMChannel, CBAMSpatial
from dynaconv.attention.efficient_channel import EfficientChannelAttention
from dynaconv.attention.global_context import GlobalContext
from dynaconv.attention.gsop_channel import GSoPChannel
from dynaconv.attention.gsop_fusion import GSoPAverage, GSoPConcat, GSoPMax
from dynaconv.attention.gsop_position import GSoPPosition
from dynaconv.attention.non_local import NonLocal
from dynaconv.attention.selective_kernel import SelectiveKernel
from dynaconv.attention.squeeze_excite import SqueezeExcite
from dynaconv.errors import ArgumentError
from dynaconv.options import check_options

__all__ = ["ATTENTIONS", "create_attention", "list_attentions"]

ATTENTIONS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "se": SqueezeExcite,
        "eca": EfficientChannelAttention,
        "cbam": CBAM,
        "cbam_channel": CBAMChannel,
        "cbam_spatial": CBAMSpatial,
        "bam": BAM,
        "non_local": NonLocal,
        "global_context": GlobalContext,
        "selective_kernel": SelectiveKernel,
        "gsop_channel": GSoPChannel,
        "gsop_position": GSoPPosition,
        "gsop_average": GSoPAverage,
        "gsop_max": GSoPMax,
        "gsop_concat": GSoPConcat,
    }
)


def list_attentions() -> list[str]:
    """The names that `create_attention` takes."""
    return list(ATTENTIONS)


def create_attention(name: str, channels: int, **options: Any) -> nn.Module:
    """An attention block by its method's name: `(B, channels, H, W)` → the same shape.

    Args:
        name: one of `list_attentions()`.
        channels: of the map.
        **options: the method's own; see its class.

    Raises:
        ArgumentError: no such method, or an argument or option that the method does not take.

    Example:
        >>> create_attention("se", 64, reduction=8).fc1.out_features
        8
    """
    if name not in ATTENTIONS:
        raise ArgumentError("name", name, f"one of {', '.join(ATTENTIONS)}")
    cls = ATTENTIONS[name]
    allowed = [option for option in signature(cls).parameters if option != "channels"]
    check_options(name, options, allowed)
    return cls(channels, **options)
