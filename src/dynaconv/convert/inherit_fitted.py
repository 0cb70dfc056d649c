"""Bring layers that cannot compute what a static convolution does, or not always, as near to it as they get."""

from __future__ import annotations

from math import prod

import torch
from torch import nn

from dynaconv.convert.fit_slices import fit_slices
from dynaconv.convert.inherit import start_from, take_over
from dynaconv.layers import (
    DepthwiseSeparableConv1d,
    DepthwiseSeparableConv2d,
    DepthwiseSeparableConv3d,
    DotProductConv2d,
    FCGeneratedConv2d,
    Involution2d,
    RFAConv2d,
    RFCAConv2d,
    RFCBAMConv2d,
    SpatiallySeparableConv2d,
)
from dynaconv.layers.receptive_field import ReceptiveFieldConv2d

__all__ = [
    "start_depthwise_separable",
    "start_dot_product",
    "start_fc_generated",
    "start_involution",
    "start_receptive_field",
    "start_spatially_separable",
]


@start_from.register
def start_fc_generated(layer: FCGeneratedConv2d, conv: nn.Conv2d) -> bool:
    """With its gates at one half the network is linear: slices are their projections on their principal directions.

    Exact where embeddings and hidden layer have as many numbers as a slice has taps.
    """
    parts = layer.slices
    for parameter in (*layer.context_gate.parameters(), parts.fc_gate.weight):
        nn.init.zeros_(parameter)
    slices = conv.weight.detach().double().flatten(2).flatten(0, 1)
    left, strengths, directions = torch.linalg.svd(slices, full_matrices=False)
    hidden = len(parts.fc1.weight)
    used = min(parts.fc1.weight.shape)
    rank = min(used, len(strengths))
    # Embeddings of variance one, as they start; those left over are there for the gate.
    scale = len(slices) ** 0.5
    parts.embedding.data.flatten(0, 1)[:, :rank] = (left[:, :rank] * scale).to(conv.weight.dtype)
    # Orthogonal columns at the size of the usual start: the inverse loses no digits.
    gain = (hidden / (3 * used)) ** 0.5
    first = nn.init.orthogonal_(slices.new_empty(hidden, used), gain)
    parts.fc1.weight.data[:, :used] = first.to(conv.weight.dtype)
    parts.fc1.weight.data[:, used:] = 0
    wanted = slices.new_zeros(slices.shape[1], used)
    wanted[:, :rank] = directions[:rank].T * (strengths[:rank] / scale)
    parts.fc_out.weight.data.copy_(2 * wanted @ first.T / gain**2)
    parts.fc_out.bias.data.copy_(-parts.fc_out.weight.data @ parts.fc1.bias.data / 2)
    take_over(layer.bias, conv.bias)
    return rank == len(strengths)


@start_from.register
def start_dot_product(layer: DotProductConv2d, conv: nn.Conv2d) -> bool:
    """The context's factor is one for all inputs; vectors, keys and bank are fitted."""
    nn.init.zeros_(layer.fc.weight)
    nn.init.ones_(layer.fc.bias)
    sharpness = 1 / (len(layer.slices.keys) ** 0.5 * float(layer.temperature.value))
    fit_slices(layer.slices, conv.weight.detach(), sharpness)
    take_over(layer.bias, conv.bias)
    return False


@start_from.register
def start_involution(layer: Involution2d, conv: nn.Conv2d) -> bool:
    """The same taps at every position: the mean of those with which the group's channels read themselves.

    Exact for a depthwise convolution where every channel has a kernel of its own.
    """
    channels, taps = conv.in_channels, prod(conv.kernel_size)
    index = torch.arange(channels, device=conv.weight.device)
    own = conv.weight.detach()[index, index % conv.weight.shape[1]].reshape(channels, taps)
    nn.init.zeros_(layer.taps.span.weight)
    groups, _ = layer.taps.shape
    assert layer.taps.span.bias is not None
    layer.taps.span.bias.data.copy_(own.unflatten(0, (groups, -1)).mean(1).flatten())
    take_over(layer.bias, conv.bias)
    return groups == channels == conv.groups


@start_from.register(RFAConv2d)
@start_from.register(RFCBAMConv2d)
@start_from.register(RFCAConv2d)
def start_receptive_field(layer: ReceptiveFieldConv2d, conv: nn.Conv2d) -> bool:
    """The field is the window itself and the attention the same everywhere.

    The field is rectified, so this is the static convolution for inputs without negative values, such as what a ReLU
    leaves; in training the field's normalisation sees to its own statistics.
    """
    taps = layer.spec.taps
    layer.field_weight.data.copy_(
        torch.eye(taps, device=conv.weight.device).repeat(layer.spec.in_channels, 1).reshape(layer.field_weight.shape)
    )
    norm = layer.field_norm
    if isinstance(norm, nn.BatchNorm1d):
        # Variance one and epsilon.
        norm.weight.data.fill_((1 + norm.eps) ** 0.5)
    layer.weight.data.copy_(conv.weight.detach() / _level(layer))
    take_over(layer.bias, conv.bias)
    return False


def _level(layer: ReceptiveFieldConv2d) -> float:
    """Sets the attention to the same amount for all inputs, and tells it."""
    if isinstance(layer, RFAConv2d):
        nn.init.zeros_(layer.attention.weight)
        return 1 / layer.spec.taps
    last = ("fc2", "conv") if isinstance(layer, RFCBAMConv2d) else ("rows", "columns")
    for name in last:
        for parameter in layer.get_submodule(f"attention.{name}").parameters():
            nn.init.zeros_(parameter)
    # Two sigmoids of zero.
    return 1 / 4


@start_from.register(DepthwiseSeparableConv1d)
@start_from.register(DepthwiseSeparableConv2d)
@start_from.register(DepthwiseSeparableConv3d)
def start_depthwise_separable(layer: DepthwiseSeparableConv2d, conv: nn.Conv2d) -> bool:
    """All that an input channel does to the outputs is the best matrix of rank one; exact where it is of rank one."""
    weight = conv.weight.detach().double()
    by_input = weight.flatten(2).unflatten(0, (conv.groups, -1)).transpose(1, 2).flatten(0, 1)
    outputs, strengths, taps = torch.linalg.svd(by_input, full_matrices=False)
    share = strengths[:, :1].sqrt()
    layer.depthwise.weight.data.copy_((taps[:, 0] * share).reshape(layer.depthwise.weight.shape))
    pointwise = (outputs[:, :, 0] * share).unflatten(0, (conv.groups, -1)).transpose(1, 2)
    layer.pointwise.weight.data.copy_(pointwise.reshape(layer.pointwise.weight.shape))
    take_over(layer.pointwise.bias, conv.bias)
    return bool(min(by_input.shape[1:]) == 1)


@start_from.register
def start_spatially_separable(layer: SpatiallySeparableConv2d, conv: nn.Conv2d) -> bool:
    """Exact where a side of the kernel is one; else as near as so many channels between get."""
    layer.load_state_dict(SpatiallySeparableConv2d.from_conv(conv, layer.vertical.out_channels).state_dict())
    rank = min(conv.weight.shape[0] // conv.groups * conv.kernel_size[1], conv.weight.shape[1] * conv.kernel_size[0])
    return bool(rank <= layer.vertical.out_channels // conv.groups)
