"""Checkpoints of DCD networks and layers from liyunsheng13/dcd."""

from __future__ import annotations

import re

from torch import nn

from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import DCDLinear

__all__ = ["SOURCE"]

# The same parts have other names in their ResNets, their MobileNetV2 and their classifier.
_PARTS = {
    "conv.weight": "weight",
    "cls.weight": "weight",
    "cls.bias": "bias",
    "q.weight": "q",
    "conv_q.weight": "q",
    "cls_q.weight": "q",
    "p.weight": "p",
    "conv_p.weight": "p",
    "cls_p.weight": "p",
    "fc.0.weight": "branch.squeeze.weight",
    "fc.1.fc.0.weight": "branch.gate.weight",
    "fc_phi.weight": "branch.fusion.weight",
    "fc_scale.weight": "branch.scale.weight",
}
_NORMS = {"bn1": "norm_q", "bn2": "norm_phi"}
# Positions in an inverted residual block: expansion, depthwise, projection, each with its normalisation.
_BLOCK = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
_FIRST_BLOCK = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network of torchvision's names with DCD inside, or a layer."""
    own = model.state_dict()
    if isinstance(model, DCDLinear):
        state = {f"conv.{key}": value for key, value in state.items()}
    layers = {key.removesuffix("branch.squeeze.weight") for key in own if key.endswith("branch.squeeze.weight")}
    renamed = {}
    for key, value in state.items():
        name = _in_layer(_place(key, model), layers)
        fits = name in own and own[name].numel() == value.numel()
        # Their thin matrices are convolutions of one tap, ours matrices; a classifier's weight is the other way round.
        renamed[name] = value.reshape(own[name].shape) if fits else value
    return renamed


def _place(key: str, model: nn.Module) -> str:
    """Where torchvision's networks have a tensor."""
    mobile = hasattr(model, "features")
    if found := re.fullmatch(r"classifier\.\d\.(.+)", key):
        return f"{'classifier.1' if mobile else 'fc'}.conv.{found[1]}"
    if not mobile:
        return key
    if found := re.fullmatch(r"conv\.([01]\..+)", key):
        return f"features.18.{found[1]}"
    if found := re.fullmatch(r"features\.(\d+)\.conv\.(\d)\.(.+)", key):
        positions = _FIRST_BLOCK if found[1] == "1" else _BLOCK
        return f"features.{found[1]}.conv.{positions.get(found[2], found[2])}.{found[3]}"
    return key


def _in_layer(name: str, layers: set[str]) -> str:
    """Our name of a tensor inside the layer that it belongs to."""
    layer = next((prefix for prefix in layers if name.startswith(prefix)), None)
    if layer is None:
        return name
    inner = name.removeprefix(layer)
    part, _, rest = inner.partition(".")
    if part in _NORMS:
        return f"{layer}{_NORMS[part]}.{rest}"
    return layer + _PARTS.get(inner, inner)


SOURCE = Source("liyunsheng13/dcd", _rename)
