"""Checkpoints from kaijieshi7/Dynamic-convolution-Pytorch, for layers and networks made with `as_published=True`."""

from __future__ import annotations

from torch import nn

from dynaconv.convert.checkpoints.layer_names import renamed_in_layers
from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import DyConv1d, DyConv2d, DyConv3d

__all__ = ["SOURCE"]

_NAMES = {"weight": "bank", "attention.fc1": "router.hidden", "attention.fc2": "router.scores"}


def _rename(state: State, model: nn.Module) -> State:
    for kind in (DyConv1d, DyConv2d, DyConv3d):
        state = renamed_in_layers(state, model, kind, _NAMES)
    return state


SOURCE = Source("kaijieshi7/Dynamic-convolution-Pytorch", _rename)
