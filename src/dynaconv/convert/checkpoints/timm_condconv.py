"""Checkpoints of timm's CondConv EfficientNets and `CondConv2d` layers."""

from __future__ import annotations

import re

from torch import nn

from dynaconv.convert.checkpoints.layer_names import renamed_in_layers
from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import CondConv2d

__all__ = ["SOURCE"]


def _rename(state: State, model: nn.Module) -> State:
    # Convolutions that pad by the input's size are wrapped here.
    wrapped = {name.removesuffix(".conv") for name, m in model.named_modules() if isinstance(m, CondConv2d)}
    found = {}
    for key, value in state.items():
        place, _, last = key.rpartition(".")
        if place in wrapped and f"{place}.conv.bank" in model.state_dict():
            place = f"{place}.conv"
        place = re.sub(r"(^|\.)routing_fn$", r"\1router.router.linear", place)
        found[f"{place}.{last}" if place else last] = value
    return renamed_in_layers(found, model, CondConv2d, {"weight": "bank"})


SOURCE = Source("timm", _rename)
