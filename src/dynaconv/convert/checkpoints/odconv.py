"""Checkpoints of ODConv networks and layers from OSVAI/ODConv."""

from __future__ import annotations

from torch import nn

from dynaconv.convert.checkpoints.layer_names import renamed_in_layers
from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import ODConv2d

__all__ = ["SOURCE"]

_NAMES = {
    "weight": "bank",
    "attention.fc": "attention.hidden",
    "attention.bn": "attention.norm",
    "attention.channel_fc": "attention.heads.in_scale",
    "attention.filter_fc": "attention.heads.out_scale",
    "attention.spatial_fc": "attention.heads.tap_scale",
    "attention.kernel_fc": "attention.heads.mixture",
}


def _rename(state: State, model: nn.Module) -> State:
    return renamed_in_layers(state, model, ODConv2d, _NAMES)


SOURCE = Source("OSVAI/ODConv", _rename)
