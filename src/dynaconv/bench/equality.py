"""The gate before every figure: what is timed must give the values and gradients of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from dynaconv import ops
from dynaconv.errors import DynaconvError
from dynaconv.kernels import (
    CellKernel,
    DenseKernel,
    FourierKernel,
    Kernel,
    LowRankKernel,
    MixtureKernel,
    StaticKernel,
    TapwiseKernel,
)
from dynaconv.spec import ConvSpec

__all__ = ["REFERENCE", "TOLERANCE", "Conv", "NotEqualError", "check_equality", "compare", "upstream_of"]

Conv = Callable[[Tensor, Kernel, ConvSpec], Tensor]

REFERENCE = "reference"
# Of the norm, in float32: fast convolution algorithms lose up to a few 1e-5 against the float64 of the reference.
TOLERANCE = 1e-4
# Tensors with a row per sample; all samples share the others. A bias has rows where it has two dimensions.
_PER_SAMPLE: Mapping[type[Kernel], tuple[str, ...]] = MappingProxyType(
    {
        StaticKernel: (),
        DenseKernel: ("weight",),
        MixtureKernel: ("mixture", "tap_scale", "in_scale", "out_scale"),
        TapwiseKernel: ("taps",),
        CellKernel: ("mixture",),
        LowRankKernel: ("out_scale", "middle"),
        FourierKernel: ("gates", "left", "right", "context"),
    }
)


class NotEqualError(DynaconvError):
    """Something that was to be timed differs from the reference."""

    def __init__(self, form: str, what: str, error: float, allowed: float = TOLERANCE) -> None:
        super().__init__(f"{form} differs from the reference in {what} by {error:.1e} (allowed: {allowed:.0e})")
        self.form = form
        self.what = what
        self.error = error


def check_equality(forms: Mapping[str, Conv], x: Tensor, kernel: Kernel, spec: ConvSpec) -> None:
    """Raise unless all forms agree with the reference.

    The reference runs on the first, the middle and the last sample only, the forms on the whole batch: what they give
    for those samples must be the reference's, and gradients that start from those samples must be zero elsewhere.

    Args:
        forms: name → convolution.
        x: `(B, I, *S)`, B >= 1.
        kernel: the samples' kernels.
        spec: the geometry.

    Raises:
        NotEqualError: naming the form and the tensor.
    """
    batch = x.shape[0]
    rows = torch.tensor(sorted({0, batch // 2, batch - 1}))
    tensors = {"x": x, **_tensors(kernel)}
    own = [name for name, tensor in tensors.items() if _per_sample(kernel, name, tensor)]
    chosen = {name: tensor[rows] if name in own else tensor for name, tensor in tensors.items()}
    expected_y, leaves = _run(partial(ops.conv, algorithm=REFERENCE), chosen, kernel, spec)
    upstream = upstream_of(expected_y.detach())
    expected = _gradients(expected_y, leaves, upstream)
    everywhere = upstream.new_zeros(batch, *upstream.shape[1:]).index_copy(0, rows, upstream)
    for form, conv in forms.items():
        y, leaves = _run(conv, tensors, kernel, spec)
        compare(form, "the output", y[rows], expected_y)
        for name, gradient in _gradients(y, leaves, everywhere).items():
            whole = torch.zeros_like(gradient).index_copy(0, rows, expected[name]) if name in own else expected[name]
            compare(form, f"the gradient of {name}", gradient, whole)


def _tensors(kernel: Kernel) -> dict[str, Tensor]:
    """What a kernel is made of and has gradients."""
    found = {f.name: getattr(kernel, f.name) for f in fields(kernel)}
    return {name: t for name, t in found.items() if isinstance(t, Tensor) and t.is_floating_point()}


def _per_sample(kernel: Kernel, name: str, tensor: Tensor) -> bool:
    if name == "bias":
        return tensor.dim() > 1
    return name == "x" or name in _PER_SAMPLE[type(kernel)]


def _run(conv: Conv, tensors: Mapping[str, Tensor], kernel: Kernel, spec: ConvSpec) -> tuple[Tensor, dict[str, Tensor]]:
    """The output, and the tensors that it is computed from, which want gradients."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
    parts: dict[str, Any] = {name: leaf for name, leaf in leaves.items() if name != "x"}
    return conv(leaves["x"], replace(kernel, **parts), spec), leaves


def _gradients(y: Tensor, leaves: Mapping[str, Tensor], upstream: Tensor) -> dict[str, Tensor]:
    return dict(zip(leaves, torch.autograd.grad(y, [*leaves.values()], upstream), strict=True))


def upstream_of(y: Tensor) -> Tensor:
    """What flows back: like the output, so that a coefficient's gradient, a large sum, does not cancel to rounding."""
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=y.dtype)
    return y + 0.5 * y.square().mean().sqrt() * noise


def compare(form: str, what: str, found: Tensor, expected: Tensor, allowed: float = TOLERANCE) -> None:
    """Raise `NotEqualError` unless two tensors agree in norm, up to a share of it."""
    found, expected = found.detach().double(), expected.detach().double()
    error = float((found - expected).norm()) / max(float(expected.norm()), torch.finfo(torch.float32).tiny)
    # Written so that NaN fails.
    if not error <= allowed:
        raise NotEqualError(form, what, error, allowed)
