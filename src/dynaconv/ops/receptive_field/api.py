"""Convolutions on a receptive field that is never written out, and what attentions have to know of the field."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from dynaconv.ops.maps import with_bias
from dynaconv.ops.precision import autocast
from dynaconv.ops.receptive_field import statistics
from dynaconv.ops.receptive_field.pools import FieldPool, PoolKind
from dynaconv.ops.receptive_field.weighted import WeightedField
from dynaconv.ops.recompute import recomputed
from dynaconv.ops.static_conv import padded
from dynaconv.spec import ConvSpec

__all__ = ["field_pool", "field_statistics", "weighted_field_conv"]

_statistics = recomputed(statistics, statistics.output_shape)
_POOLS = MappingProxyType(
    {pool.kind: recomputed(pool, pool.output_shape) for pool in (FieldPool("channels"), FieldPool("lines"))}
)
_CONVS = MappingProxyType({softmax: recomputed(WeightedField(softmax)) for softmax in (False, True)})


def field_statistics(x: Tensor, weight: Tensor, spec: ConvSpec) -> tuple[Tensor, Tensor]:
    """Mean and variance over samples and positions of `w_{c,t} * x_c`, each `(C·T,)`, in at least float32.

    Args:
        x: `(B, C, H, W)`; at least one sample.
        weight: w, `(C·T, 1, kh, kw)`.
        spec: the geometry of that convolution.
    """
    (x, weight), spec = _prepared(x, weight, spec=spec)
    mean, variance = _statistics(x, weight, spec, "auto").unbind()
    return mean, variance


def field_pool(x: Tensor, weight: Tensor, shift: Tensor, spec: ConvSpec, kind: PoolKind) -> Tensor:
    """What an attention reads of `f_{c,t} = ReLU(w_{c,t} * x_c + b_{c,t})`, in at least float32.

    Args:
        x: `(B, C, H, W)`.
        weight: w, `(C·T, 1, kh, kw)`.
        shift: b, `(C·T,)`.
        spec: the geometry of that convolution.
        kind: `"channels"`: the greatest and the mean of all channels, `(B, 2, kh, kw, H_out, W_out)`; `"lines"`: the
            means of rows and columns of the re-arranged field, `(B, C, kh·H_out + kw·W_out)`, taps before positions.
    """
    (x, weight, shift), spec = _prepared(x, weight, shift, spec=spec)
    pooled: Tensor = _POOLS[kind](x, weight, shift, spec, "auto")
    return pooled


def weighted_field_conv(
    x: Tensor,
    field_weight: Tensor,
    field_shift: Tensor,
    factors: tuple[Tensor, Tensor],
    weight: Tensor,
    bias: Tensor | None,
    spec: ConvSpec,
    *,
    softmax: bool,
) -> Tensor:
    """`y_{o,p} = Σ_{c,t} W_{o,c,t} a_{c,t,p} f_{c,t,p} + b_o` on `f_{c,t} = ReLU(w_{c,t} * x_c + shift_{c,t})`.

    Args:
        x: `(B, C, H, W)`.
        field_weight: w, `(C·T, 1, kh, kw)`.
        field_shift: `(C·T,)`.
        factors: their product is the attention a: two tensors `(B, C, kh, kw, H_out, W_out)`, where any dimension may
            be one.
        weight: W, `(O, C/groups, kh, kw)`.
        bias: `(O,)` or `None`.
        spec: the geometry of a convolution of x with W.
        softmax: the attention is the softmax of that product over the taps.

    Returns:
        `(B, O, H_out, W_out)`.
    """
    dtype = autocast(x, x).dtype
    tensors, spec = _prepared(x, field_weight, field_shift, *factors, weight, spec=spec)
    y: Tensor = _CONVS[softmax](*tensors, spec, "auto")
    return with_bias(y.to(dtype), bias)


def _prepared(x: Tensor, *others: Tensor, spec: ConvSpec) -> tuple[list[Tensor], ConvSpec]:
    """All tensors in one type, at least float32; the input padded where a convolution cannot, its rows side by side."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    x, spec = padded(x, spec)
    return [x.to(dtype).contiguous(), *(other.to(dtype) for other in others)], spec
