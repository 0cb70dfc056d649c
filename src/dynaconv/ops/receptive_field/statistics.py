"""Mean and variance of every feature of a field over samples and positions, without the field."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from dynaconv.ops.receptive_field.compiled import can_run, compiled_field, gradients_of
from dynaconv.ops.receptive_field.window_blocks import WindowBlocks, affine, cut
from dynaconv.ops.recompute import present
from dynaconv.ops.static_conv import pad, static_conv
from dynaconv.ops.windows import windows
from dynaconv.spec import ConvSpec

__all__ = ["NAME", "TENSORS", "backward", "formula", "forward", "output_shape", "weight_shape"]

NAME = "field_statistics"
TENSORS = ("x", "weight")


def weight_shape(tensors: Sequence[Tensor | None]) -> Sequence[int]:
    """See `recompute.Operator`."""
    return present(tensors)[1].shape


def output_shape(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Sequence[int]:
    """Means and variances, `(2, C·T)`."""
    return (2, spec.out_channels)


def forward(tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str) -> Tensor:
    """See `recompute.Operator`. The mean comes first, so that the variance loses no digits to it."""
    x, weight = present(tensors)
    count = _count(x, spec)
    mean = _mean(x, weight, spec)
    if can_run(x, spec):
        squares = compiled_field(x, weight, -mean, spec).squares()
        return torch.stack([mean, squares.flatten() / count])
    blocks = WindowBlocks(x, spec)
    centred = affine(weight, -mean, blocks.channels)
    buffer, total = blocks.buffer(centred.shape[1]), torch.zeros_like(centred[..., 0])
    for _, columns in blocks:
        values = cut(buffer, *centred.shape[:2], columns.shape[2])
        total += torch.linalg.vector_norm(torch.bmm(centred, columns, out=values), dim=2).square()
    return torch.stack([mean, total.flatten() / count])


def backward(
    gradient: Tensor, tensors: Sequence[Tensor | None], spec: ConvSpec, algorithm: str, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """See `recompute.Operator`."""
    x, weight = present(tensors)
    mean, (to_mean, to_variance) = _mean(x, weight, spec), gradient / _count(x, spec)
    # A feature's gradient is an affine function of the feature, so of its window.
    strength = 2 * to_variance
    scaled, shift = weight * strength[:, None, None, None], to_mean - strength * mean
    if can_run(x, spec):
        fields = compiled_field(x, scaled, shift, spec)
        fields.affine_back(affine(weight, shift, x.shape[1]))
        to_x, found, _ = gradients_of(fields, x, weight, spec)
        return [to_x if wanted[0] else None, found if wanted[1] else None]
    blocks = WindowBlocks(x, spec)
    to_feature = affine(scaled, shift, blocks.channels)
    kernels = weight.flatten(1).unflatten(0, to_feature.shape[:2])
    to_pixels, to_weight = blocks.no_pixels(), torch.zeros_like(kernels)
    buffer = blocks.buffer(to_feature.shape[1])
    for samples, columns in blocks:
        found = torch.bmm(to_feature, columns, out=cut(buffer, *to_feature.shape[:2], columns.shape[2]))
        to_weight.baddbmm_(found, columns[:, :-1].transpose(1, 2))
        to_columns = cut(columns.view(-1), columns.shape[0], columns.shape[1] - 1, columns.shape[2])
        blocks.add(to_pixels, samples, torch.bmm(kernels.transpose(1, 2), found, out=to_columns))
    return [blocks.unpadded(to_pixels) if wanted[0] else None, to_weight.reshape(weight.shape) if wanted[1] else None]


def formula(tensors: Sequence[Tensor | None], spec: ConvSpec) -> Tensor:
    """See `recompute.Operator`."""
    x, weight = present(tensors)
    field = static_conv(x, weight, None, spec).transpose(0, 1).flatten(1)
    variance, mean = torch.var_mean(field, dim=1, correction=0)
    return torch.stack([mean, variance])


def _mean(x: Tensor, weight: Tensor, spec: ConvSpec) -> Tensor:
    """The features' means, `(C·T,)`: the kernels of the mean window."""
    under = windows(pad(x.sum(0, keepdim=True), spec), spec.unpadded())[0]
    window = under.flatten(1 + spec.dims).sum(-1).flatten(1) / _count(x, spec)
    kernels = weight.flatten(1).unflatten(0, (x.shape[1], -1))
    # A product of matrices is what autocast would shorten.
    mean: Tensor = (kernels * window.unsqueeze(1)).sum(2).flatten()
    return mean


def _count(x: Tensor, spec: ConvSpec) -> int:
    return x.shape[0] * prod(spec.output_size(x.shape[2:]))
