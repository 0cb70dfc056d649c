"""The checker of an algorithm against the reference: values and the gradients of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial

import torch
from torch import Tensor

from dynaconv.kernels import Kernel
from dynaconv.spec import ConvSpec

Algorithm = Callable[[Tensor, Kernel, ConvSpec], Tensor]


def assert_agrees(algorithm: Algorithm, reference: Algorithm, x: Tensor, kernel: Kernel, spec: ConvSpec) -> None:
    """Fail unless `algorithm` and `reference` give the same output and the same gradient of every tensor."""
    expected, found = reference(x, kernel, spec), algorithm(x, kernel, spec)
    torch.testing.assert_close(found, expected, **tolerance(x.dtype))
    leaves = {"x": x, **{f.name: t for f in fields(kernel) if (t := getattr(kernel, f.name)) is not None}}
    upstream = torch.randn_like(expected)
    given = _gradients(found, [*leaves.values()], upstream)
    # The reference of an empty batch is computed from nothing: all gradients are zero.
    wanted = _gradients(expected, [*leaves.values()], upstream) if len(x) else map(torch.zeros_like, leaves.values())
    for name, ours, theirs in zip(leaves, given, wanted, strict=True):
        said = partial("gradient of {}: {}".format, name)
        torch.testing.assert_close(ours, theirs, msg=said, **tolerance(x.dtype))


def _gradients(y: Tensor, leaves: list[Tensor], upstream: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, leaves, upstream, allow_unused=True, materialize_grads=True)


def tolerance(dtype: torch.dtype) -> dict[str, float]:
    """How far two right answers may lie apart, sums of some hundred products of normal numbers in mind."""
    return {"rtol": 1e-4, "atol": 5e-4} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
