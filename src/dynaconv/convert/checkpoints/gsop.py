"""Checkpoints of GSoP networks and blocks from ZilinGao/Global-Second-order-Pooling-Convolutional-Networks."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from dynaconv.attention import GSoPFusion
from dynaconv.convert.checkpoints.fast_mpn_cov import head_name
from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.pooling import IsqrtCovPool

__all__ = ["SOURCE"]

# The same parts stand in the channel-wise block and, with an ending, in the position-wise one.
_PARTS = {
    "conv_for_DR": "reduce.0",
    "bn_for_DR": "reduce.1",
    "row_bn": "scores.norm",
    "row_conv_group": "scores.rows",
    "fc_adapt_channels": "scores.linear",
}
_FUSION = {
    "dilate_conv_for_concat1": "from_channel",
    "dilate_conv_for_concat2": "from_position",
    "bn_for_concat": "norm",
}


def _rename(state: State, model: nn.Module) -> State:
    """Their names, shapes and order as ours, for a network of `create_model` or a block."""
    renamed = {_name(key, model): value for key, value in state.items()}
    head = getattr(model, "avgpool", None)
    if isinstance(head, IsqrtCovPool) and renamed["fc.weight"].shape[1] == head.out_features:
        renamed["fc.weight"] = _row_order(renamed["fc.weight"])
    # Their row-wise and linear maps are convolutions of images one pixel wide.
    shapes = {"scores.rows.weight": 3, "scores.linear.weight": 2}
    return {
        key: value.flatten(dims - 1) if (dims := next((n for k, n in shapes.items() if key.endswith(k)), 0)) else value
        for key, value in renamed.items()
    }


def _name(key: str, model: nn.Module) -> str:
    """Our name of a tensor: an attention block follows the last normalisation of the residual block it belongs to."""
    found = re.fullmatch(r"(?:(layer\d\.\d+)\.)?(\w+)\.(\w+)", key)
    if not found:
        return head_name(key)
    where, part, what = found.groups()
    if where is None:
        ours = _part(part, model)
        return f"{ours}.{what}" if ours else head_name(key)
    norm = dict(model.named_modules()).get(f"{where}.bn3")
    if not isinstance(norm, nn.Sequential):
        return key
    if part == "bn3":
        return f"{where}.bn3.norm.{what}"
    ours = _part(part, norm.get_submodule("attention"))
    return f"{where}.bn3.attention.{ours}.{what}" if ours else key


def _part(part: str, block: nn.Module) -> str:
    """Our name of a part of an attention block; empty if it is none."""
    name = re.sub(r"(_for)?_spatial$", "", part)
    if part in _FUSION or name not in _PARTS:
        return _FUSION.get(part, "")
    of = "channel." if name == part else "position."
    return (of if isinstance(block, GSoPFusion) else "") + _PARTS[name]


def _row_order(weight: Tensor) -> Tensor:
    """Columns for an upper triangle row after row, from columns for one that is read column after column."""
    size = int((2 * weight.shape[1]) ** 0.5)
    rows, columns = torch.triu_indices(size, size)
    return weight[:, columns * (columns + 1) // 2 + rows]


SOURCE = Source("ZilinGao/GSoP", _rename)
