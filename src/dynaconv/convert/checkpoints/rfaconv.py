"""Checkpoints of RFA, RFCBAM and RFCA ResNets and layers from Liuchen1997/RFAConv."""

from __future__ import annotations

from torch import nn

from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d

__all__ = ["SOURCE"]

# RFAConv calls the field's parts otherwise than the other two.
_PARTS = {
    "generate_feature.0.": "field_",
    "generate_feature.1.": "field_norm.",
    "generate.0.": "field_",
    "generate.1.": "field_norm.",
    "get_weight.1.": "attention.",
    "get_weight.0.": "attention.conv.",
    "se.fc.0.": "attention.fc1.",
    "se.fc.2.": "attention.fc2.",
    "conv1.": "attention.reduce.",
    "bn1.": "attention.norm.",
    "conv_h.": "attention.rows.",
    "conv_w.": "attention.columns.",
    "conv.0.": "",
}


def _rename(state: State, model: nn.Module) -> State:
    """Their names, of a whole network or of one layer, as ours."""
    own = model.state_dict()
    layers = [f"{n}." if n else "" for n, m in model.named_modules() if isinstance(m, ReceptiveFieldConv2d)]
    renamed = {}
    for key, value in state.items():
        layer = next((prefix for prefix in layers if key.startswith(prefix)), None)
        name = key if layer is None else layer + _in_layer(key.removeprefix(layer))
        # Their matrices are convolutions of one tap.
        fits = name in own and own[name].numel() == value.numel()
        renamed[name] = value.reshape(own[name].shape) if fits else value
    return renamed


def _in_layer(key: str) -> str:
    part = next((part for part in _PARTS if key.startswith(part)), "")
    return _PARTS.get(part, "") + key.removeprefix(part)


SOURCE = Source("Liuchen1997/RFAConv", _rename)
