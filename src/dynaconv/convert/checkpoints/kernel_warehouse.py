"""Checkpoints of KernelWarehouse networks and layers from OSVAI/KernelWarehouse."""

from __future__ import annotations

import re

from torch import Tensor, nn

from dynaconv.convert.checkpoints.source import Source, State
from dynaconv.layers import KernelWarehouseConv1d, KernelWarehouseConv2d, KernelWarehouseConv3d

__all__ = ["SOURCE"]

_CONVS = KernelWarehouseConv1d | KernelWarehouseConv2d | KernelWarehouseConv3d
_CELLS = "warehouse_manager.weights."
# Theirs and ours, where ours is in the model: torchvision has MobileNetV2's and ConvNeXt's last layers in a sequence,
# and our linear layers have a convolution inside.
_CHANGES = (
    (r"attention\.norm1\.", "attention.norm."),
    (r"^classifier\.(weight|bias)$", r"classifier.1.\1"),
    (r"^norm\.", "classifier.0."),
    (r"^head\.", "classifier.2."),
    (r"(^|\.)(attention\..*|bias)$", r"\1conv.\2"),
)
_CONVNEXT_BLOCK = {"dwconv": "block.0", "norm": "block.2", "pwconv1": "block.3", "pwconv2": "block.5"}


def _rename(state: State, model: nn.Module) -> State:
    """Their names as ours, for a network of `create_model`, one made by `share_warehouse`, or a single layer.

    Theirs lack the assignment of cells to blocks, which follows from the layers' order; it stays as the model has it.
    """
    own, owners = model.state_dict(), _owners(model)
    renamed = {name: value for name, value in own.items() if name.endswith("attention.assignment")}
    for key, value in state.items():
        number = key.removeprefix(_CELLS)
        known = number != key and number.isdecimal() and int(number) < len(owners)
        ours = owners[int(number)] if known else _ours(key, own)
        renamed[ours] = _without_ones(value, own.get(ours))
    return renamed


def _owners(model: nn.Module) -> list[str]:
    """Names of the warehouses' cells, in the order in which theirs are counted."""
    names = [name for name, m in model.named_modules() if isinstance(m, _CONVS) and not m.borrows]
    # By first use in the model's order, but that ConvNeXt's blocks come after its stem and projections.
    in_order = sorted(names, key=lambda name: ".block." in name)
    return [f"{name}.warehouse.cells".removeprefix(".") for name in in_order]


def _ours(key: str, own: State) -> str:
    """Our name of a tensor outside the warehouses."""
    key = _in_convnext(key)
    for theirs, ours in _CHANGES:
        changed = re.sub(theirs, ours, key)
        # A norm's name is only part of the way to a linear layer's.
        if key not in own and (changed in own or "norm1" in key):
            key = changed
    return key


def _in_convnext(key: str) -> str:
    """Where torchvision has it: a stage's blocks and the projection before them alternate in its list of features."""
    if found := re.fullmatch(r"downsample_layers\.(\d)\.(.*)", key):
        return f"features.{2 * int(found[1])}.{found[2]}"
    if found := re.fullmatch(r"stages\.(\d)\.(\d+)\.(\w+)(.*)", key):
        stage, block, part, rest = found.groups()
        place = "layer_scale" if part == "gamma" else _CONVNEXT_BLOCK.get(part, part)
        return f"features.{2 * int(stage) + 1}.{block}.{place}{rest}"
    return key


def _without_ones(value: Tensor, like: Tensor | None) -> Tensor:
    """`value` in the shape of `like` if they differ in dimensions of one number alone, as linear cells do."""
    if like is None or [n for n in value.shape if n != 1] != [n for n in like.shape if n != 1]:
        return value
    return value.reshape(like.shape)


SOURCE = Source("OSVAI/KernelWarehouse", _rename)
