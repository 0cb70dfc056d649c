"""Attention blocks: `(B, C, H, W)` → `(B, C, H, W)`, re-weighted by what the whole map says."""

from dynaconv.attention.bam import BAM
from dynaconv.attention.base import AttentionBlock, GateBlock
from dynaconv.attention.cbam import CBAM, CBAMChannel, CBAMSpatial
from dynaconv.attention.efficient_channel import EfficientChannelAttention
from dynaconv.attention.global_context import GlobalContext
from dynaconv.attention.gsop_channel import GSoPChannel
from dynaconv.attention.gsop_fusion import GSoPAverage, GSoPConcat, GSoPFusion, GSoPMax
from dynaconv.attention.gsop_position import GSoPPosition
from dynaconv.attention.non_local import NonLocal
from dynaconv.attention.registry import create_attention, list_attentions
from dynaconv.attention.selective_kernel import SelectiveKernel
from dynaconv.attention.squeeze_excite import SqueezeExcite

__all__ = [
    "BAM",
    "CBAM",
    "AttentionBlock",
    "CBAMChannel",
    "CBAMSpatial",
    "EfficientChannelAttention",
    "GSoPAverage",
    "GSoPChannel",
    "GSoPConcat",
    "GSoPFusion",
    "GSoPMax",
    "GSoPPosition",
    "GateBlock",
    "GlobalContext",
    "NonLocal",
    "SelectiveKernel",
    "SqueezeExcite",
    "create_attention",
    "list_attentions",
]
