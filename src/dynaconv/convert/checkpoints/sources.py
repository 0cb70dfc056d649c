"""The sources by name: one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dynaconv.convert.checkpoints import (
    attention_module,
    dcd,
    dynamic_convolution,
    fast_mpn_cov,
    fdconv,
    gsop,
    involution,
    kernel_attention,
    kernel_warehouse,
    odconv,
    rfaconv,
    timm_condconv,
)
from dynaconv.convert.checkpoints.source import Source

__all__ = ["SOURCES"]

_ALL: tuple[Source, ...] = (
    attention_module.SOURCE,
    dcd.SOURCE,
    dynamic_convolution.SOURCE,
    fast_mpn_cov.SOURCE,
    fdconv.SOURCE,
    gsop.SOURCE,
    involution.SOURCE,
    kernel_attention.SOURCE,
    kernel_warehouse.SOURCE,
    odconv.SOURCE,
    rfaconv.SOURCE,
    timm_condconv.SOURCE,
)

SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _ALL})
