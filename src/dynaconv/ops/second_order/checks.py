"""Checks of what second-order operators are given."""

from __future__ import annotations

from torch import Tensor

from dynaconv.errors import ArgumentError, ShapeError

__all__ = ["check_floating", "check_square"]


def check_floating(argument: str, x: Tensor) -> None:
    """Raise unless `x` holds real floating-point numbers.

    Raises:
        ArgumentError: it holds integers or complex numbers.
    """
    if not x.is_floating_point():
        raise ArgumentError(argument, str(x.dtype), "a tensor of a floating-point type")


def check_square(a: Tensor) -> None:
    """Raise unless `a` is `(..., d, d)` with d at least 1, of floating-point numbers.

    Raises:
        ShapeError: another shape.
        ArgumentError: another type.
    """
    if a.dim() < 2 or a.shape[-1] != a.shape[-2] or a.shape[-1] == 0:
        raise ShapeError("a", a.shape, "(..., d, d) with d at least 1")
    check_floating("a", a)
