"""Checkpoints of CBAM and BAM networks and blocks from Jongchan/attention-module."""

from __future__ import annotations

import re

from torch import nn

from dynaconv.attention import CBAMSpatial
from dynaconv.convert.checkpoints.source import Source, State, changed

__all__ = ["SOURCE"]

_CHANGES = (
    # CBAM
    (r"\bChannelGate\.", "channel."),
    (r"\bSpatialGate\.spatial\.", "spatial."),
    (r"\bmlp\.1\.", "fc1."),
    (r"\bmlp\.3\.", "fc2."),
    (r"\bspatial\.bn\.", "spatial.norm."),
    # BAM: a fully connected branch, and one of convolutions whose layers stand as (convolution, norm, ReLU).
    (r"\bchannel_att\.gate_c\.gate_c_fc_0\.", "channel.0."),
    (r"\bchannel_att\.gate_c\.gate_c_bn_1\.", "channel.1."),
    (r"\bchannel_att\.gate_c\.gate_c_fc_final\.", "channel.3."),
    (r"\bspatial_att\.gate_s\.gate_s_conv_reduce0\.", "spatial.0."),
    (r"\bspatial_att\.gate_s\.gate_s_bn_reduce0\.", "spatial.1."),
    (r"\bspatial_att\.gate_s\.gate_s_conv_di_0\.", "spatial.3."),
    (r"\bspatial_att\.gate_s\.gate_s_bn_di_0\.", "spatial.4."),
    (r"\bspatial_att\.gate_s\.gate_s_conv_di_1\.", "spatial.6."),
    (r"\bspatial_att\.gate_s\.gate_s_bn_di_1\.", "spatial.7."),
    (r"\bspatial_att\.gate_s\.gate_s_conv_final\.", "spatial.9."),
)


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network of `create_model` or a block."""
    renamed = {}
    for key, value in state.items():
        key = changed(key, _CHANGES)
        if isinstance(model, CBAMSpatial):
            key = key.removeprefix("spatial.")
        renamed[_in_network(key, model)] = value
    return renamed


def _in_network(key: str, model: nn.Module) -> str:
    """Where a network has the tensor: CBAM follows a block's last normalisation, BAM ends a stage."""
    stages = dict(model.named_children())
    if found := re.fullmatch(r"bam(\d)\.(.*)", key):
        stage = stages.get(f"layer{found[1]}")
        return f"layer{found[1]}.{len(stage) - 1}.{found[2]}" if isinstance(stage, nn.Sequential) else key
    if found := re.fullmatch(r"(layer\d\.\d+)\.(cbam|bn[23])\.(.*)", key):
        block, what, rest = found.groups()
        last = "bn3" if hasattr(model.get_submodule(block), "bn3") else "bn2"
        if what == "cbam":
            return f"{block}.{last}.attention.{rest}"
        if what == last and isinstance(model.get_submodule(f"{block}.{last}"), nn.Sequential):
            return f"{block}.{last}.norm.{rest}"
    return key


SOURCE = Source("Jongchan/attention-module", _rename)
