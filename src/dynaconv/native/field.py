"""The compiled passes over a receptive field that is never written out. Autograd is the caller's.

Shapes: x `(B, C, H, W)`, padded already; kernels `(C, T, T + 1)`, whose last column is added; a factor
`(B, C, kh, kw, H_out, W_out)`, where any dimension may be one. Everything is float32 on the CPU.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from dynaconv.native.calls import call, problem_of, reasons_against
from dynaconv.native.library import Problem
from dynaconv.spec import ConvSpec

__all__ = ["Field", "why_not"]

# Of channels; each is an item for a thread, and has sums of its own.
_MOST_GROUPS = 16


class _Rule(IntEnum):
    """As in native/field_pass.h."""

    PRODUCT = 0
    SOFTMAX = 1
    LINES = 2
    GREATEST = 3
    STATISTICS = 4


class _Factor(ctypes.Structure):
    """As in native/field_pass.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("strides", ctypes.c_int64 * 6),
        ("group_step", ctypes.c_int64),
    )


def why_not(spec: ConvSpec, dtype: str = "float32", device: str = "cpu") -> tuple[str, ...]:
    """The reasons why the compiled passes cannot run on a problem; empty where they can.

    Args:
        spec: the geometry of the field.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
    """
    found = reasons_against(spec, dtype, device, "float32")
    if spec.dims != 2 or spec.out_channels != spec.in_channels * spec.taps or spec.groups != spec.in_channels:
        return (*found, f"{spec.dims} dimensions, {spec.out_channels} features: only two, as many as taps per channel")
    return found


class Field:
    """Features `f_{c,t} = max(0, kernel_{c,t} · window + shift)`, made where they are needed.

    Args:
        padded: x.
        kernels: those of the features.
        spec: the geometry of the field, without padding.
    """

    def __init__(self, padded: Tensor, kernels: Tensor, spec: ConvSpec) -> None:
        self._x, self._kernels, self._spec = padded.detach().contiguous(), kernels.detach().contiguous(), spec
        self._size = (*spec.kernel_size, *spec.output_size(padded.shape[2:]))
        self._groups = min(spec.in_channels, _MOST_GROUPS)

    @cached_property
    def to_x(self) -> Tensor:
        """The gradient of the padded x, added to by every method that leads back."""
        return torch.zeros_like(self._x)

    @cached_property
    def to_kernels(self) -> Tensor:
        """The gradient of the kernels, likewise."""
        return torch.zeros_like(self._kernels)

    def weigh(self, samples: slice, factors: tuple[Tensor, Tensor], out: Tensor, *, softmax: bool) -> None:
        """Write some samples' features times the product of the factors, or its softmax over the taps.

        Args:
            samples: which ones.
            factors: of all samples.
            out: `(C, T, n)`, samples before positions.
            softmax: whether the softmax is taken.
        """
        given = [_factor(factor, samples) for factor in factors]
        self._forward(_Rule.SOFTMAX if softmax else _Rule.PRODUCT, samples, given, out)

    def weigh_back(
        self,
        samples: slice,
        factors: tuple[Tensor, Tensor],
        totals: tuple[Tensor | None, Tensor | None],
        flow: Tensor,
        *,
        softmax: bool,
    ) -> None:
        """Lead back the gradient of what `weigh` wrote.

        Args:
            samples: which ones.
            factors: of all samples.
            totals: gradients of the factors to add to, contiguous; `None` where they are not wanted.
            flow: that gradient, `(C, T, n)`.
            softmax: as in `weigh`.
        """
        parts = [None if total is None else self._parts(total, samples) for total in totals]
        given = [_factor(factor, samples, part) for factor, part in zip(factors, parts, strict=True)]
        self._backward(_Rule.SOFTMAX if softmax else _Rule.PRODUCT, samples, self._kernels, given, flow)
        for total, part in zip(totals, parts, strict=True):
            if total is not None and part is not None and total.shape[1] == 1:
                _of(total, samples).add_(part.sum(0))

    def lines(self) -> tuple[Tensor, Tensor]:
        """The features' sums over the taps and positions of a row and of a column: what a factor without the others is.

        Returns:
            `(B, C, kh, 1, H_out, 1)` and `(B, C, 1, kw, 1, W_out)`.
        """
        batch, channels, (height, width, *size) = *self._x.shape[:2], self._size
        rows = self._x.new_zeros(batch, channels, height, 1, size[0], 1)
        columns = self._x.new_zeros(batch, channels, 1, width, 1, size[1])
        every = slice(0, batch)
        given = [_factor(sums, every, sums.unsqueeze(0)) for sums in (rows, columns)]
        self._forward(_Rule.LINES, every, given, None)
        return rows, columns

    def lines_back(self, rows: Tensor, columns: Tensor) -> None:
        """Lead back the gradients of what `lines` gives."""
        every = slice(0, len(self._x))
        parts = [part.contiguous() for part in (rows, columns)]
        given = [_factor(part, every) for part in parts]
        self._backward(_Rule.LINES, every, self._kernels, given)

    def greatest(self, *, ties: bool) -> Tensor:
        """Of every tap and position the greatest of all channels, and their mean or how many equal the greatest.

        Args:
            ties: count those instead.

        Returns:
            `(B, 2, kh, kw, H_out, W_out)`.
        """
        found = self._x.new_empty(len(self._x), 2, *self._size)
        call("field_greatest", problem_of(self._x, self._spec), int(ties), self._x, self._kernels, found)
        return found

    def greatest_back(self, share: Tensor, rest: Tensor, greatest: Tensor) -> None:
        """Lead back gradients that depend on which features are the greatest.

        Args:
            share: the gradient of a feature that equals `greatest`, beside `rest`; a factor.
            rest: the gradient of every feature; a factor.
            greatest: a factor.
        """
        every = slice(0, len(self._x))
        parts = [part.contiguous() for part in (share, rest, greatest)]
        given = [_factor(part, every) for part in parts]
        self._backward(_Rule.GREATEST, every, self._kernels, given)

    def squares(self) -> Tensor:
        """Sums over samples and positions of the squares of `kernel · window + shift`, `(C, T)`."""
        sums = torch.zeros(self._kernels.shape[:2])
        self._forward(_Rule.STATISTICS, slice(0, len(self._x)), [], sums)
        return sums

    def affine_back(self, back: Tensor) -> None:
        """Lead back gradients that are themselves `kernel · window + shift`, through the kernels `back`."""
        self._backward(_Rule.STATISTICS, slice(0, len(self._x)), back.detach().contiguous(), [])

    def _forward(self, rule: _Rule, samples: slice, factors: list[_Factor], result: Tensor | None) -> None:
        given = (self._x[samples], self._kernels, _array(factors))
        call("field_forward", self._problem(samples), int(rule), *given, result)

    def _backward(
        self, rule: _Rule, samples: slice, back: Tensor, factors: list[_Factor], flow: Tensor | None = None
    ) -> None:
        given = (self._x[samples], self._kernels, back, _array(factors))
        call("field_backward", self._problem(samples), int(rule), *given, flow, self.to_x[samples], self.to_kernels)

    def _problem(self, samples: slice) -> Problem:
        """The sizes for some samples; groups are of channels that have sums of their own."""
        problem = problem_of(self._x[samples], self._spec)
        problem.groups = self._groups
        return problem

    def _parts(self, total: Tensor, samples: slice) -> Tensor:
        """Room for every group's sums: zeros where groups share them, the result itself where they do not."""
        block = _of(total, samples)
        return block.new_zeros(self._groups, *block.shape) if total.shape[1] == 1 else block.unsqueeze(0)


def _of(factor: Tensor, samples: slice) -> Tensor:
    return factor if factor.shape[0] == 1 else factor[samples]


def _factor(factor: Tensor, samples: slice, parts: Tensor | None = None) -> _Factor:
    """A contiguous factor as the passes take it, with its gradient for each group; both outlive the call."""
    part = _of(factor, samples)
    strides = (0 if n == 1 else step for n, step in zip(part.shape, part.stride(), strict=True))
    step = 0 if parts is None or len(parts) == 1 else prod(parts.shape[1:])
    return _Factor(part.data_ptr(), None if parts is None else parts.data_ptr(), (ctypes.c_int64 * 6)(*strides), step)


def _array(factors: list[_Factor]) -> ctypes.Array[_Factor] | None:
    return (_Factor * 3)(*factors) if factors else None
