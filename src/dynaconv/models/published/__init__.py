"""Published networks by name, with the figures they are checked against: one file a method."""

from collections.abc import Mapping
from types import MappingProxyType

from dynaconv.models.published import (
    cbam,
    channel_attention,
    condconv,
    dcd,
    dyconv,
    fdconv,
    gsop,
    kernel_warehouse,
    lgcf,
    odconv,
    rednet,
    rfa,
    static,
)
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "Preset"]

_METHODS = (
    static,
    condconv,
    dyconv,
    odconv,
    cbam,
    channel_attention,
    dcd,
    fdconv,
    lgcf,
    gsop,
    kernel_warehouse,
    rednet,
    rfa,
)

PRESETS: Mapping[str, Preset] = MappingProxyType({p.name: p for method in _METHODS for p in method.PRESETS})
