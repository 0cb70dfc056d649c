"""Attention blocks: `(B, C, H, W)` → `(B, C, H, W)`, re-weighted by what the whole map says."""

from dynaconv.attention.base import AttentionBlock, GateBlock
from dynaconv.attention.efficient_channel import EfficientChannelAttention
from dynaconv.attention.registry import create_attention, list_attentions
from dynaconv.attention.squeeze_excite import SqueezeExcite

__all__ = [
    "AttentionBlock",
    "EfficientChannelAttention",
    "GateBlock",
    "SqueezeExcite",
    "create_attention",
    "list_attentions",
]
