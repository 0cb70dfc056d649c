"""Checkpoints of networks and layers with FDConv from Linwei-Chen/FDConv."""

from __future__ import annotations

import re

import torch
from torch import nn

from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import FDConv2d

__all__ = ["SOURCE"]

_PARTS = {
    "dft_weight": "kernels.spectrum",
    "KSM_Global.fc": "modulation.squeeze",
    "KSM_Global.bn": "modulation.norm",
    "KSM_Global.relu.scale": "modulation.star_scale",
    "KSM_Global.relu.bias": "modulation.star_bias",
    "KSM_Global.channel_fc": "modulation.heads.inputs",
    "KSM_Global.filter_fc": "modulation.heads.outputs",
    "KSM_Global.spatial_fc": "modulation.heads.taps",
    "KSM_Global.kernel_fc": "modulation.heads.kernels",
    "KSM_Local.conv.weight": "kernels.local",
    "KSM_Local.norm": "local.norm",
}
_BAND = re.compile(r"FBM\.freq_weight_conv_list\.(\d+)\.(weight|bias)")


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network with FDConv inside, or a layer; ordinary weights become spectra."""
    layers = {f"{name}." if name else "": m for name, m in model.named_modules() if isinstance(m, FDConv2d)}
    renamed: State = {}
    for prefix, layer in layers.items():
        inner = {key.removeprefix(prefix): state.pop(key) for key in [*state] if key.startswith(prefix)}
        renamed |= {f"{prefix}{name}": value for name, value in _layer(inner, layer).items()}
    return {**state, **renamed}


def _layer(state: State, layer: FDConv2d) -> State:
    """One layer's tensors under our names and in our shapes."""
    own = layer.state_dict()
    renamed: State = {}
    bands = sorted({int(found[1]) for key in state if (found := _BAND.match(key))})
    for what in ("weight", "bias") if bands else ():
        # One convolution a band there; here one for all, the bands of a group of channels together.
        parts = [state.pop(f"FBM.freq_weight_conv_list.{band}.{what}") for band in bands]
        renamed[f"band_gates.conv.{what}"] = torch.stack(parts, dim=1).flatten(0, 1)
    if "weight" in state:
        renamed["kernels.spectrum"] = layer.kernels.spectrum_of(state.pop("weight"))
    for key, value in state.items():
        theirs = next((part for part in _PARTS if key == part or key.startswith(f"{part}.")), None)
        name = key if theirs is None else _PARTS[theirs] + key.removeprefix(theirs)
        fits = name in own and own[name].numel() == value.numel()
        renamed[name] = value.reshape(own[name].shape) if fits else value
    return renamed


SOURCE = Source("Linwei-Chen/FDConv", _rename)
