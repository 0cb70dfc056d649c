"""What all dynamic convolutions share: geometry, bias, and the one forward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import sqrt
from typing import Literal, Self, get_args

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.errors import ArgumentError
from dynaconv.kernels import Kernel, kernelwise
from dynaconv.ops.checks import check_input
from dynaconv.spec import ConvSpec

__all__ = ["DynamicConv", "Init", "check_context_channels", "check_init"]

_IMAGE_DIMS = 2

Init = Literal["scaled", "published"]


class DynamicConv(nn.Module, ABC):
    """A convolution whose kernel is a value computed from the input.

    A method says how the context becomes coefficients and how coefficients become a kernel; the rest is here.

    Args:
        spec: the geometry.
        bias: whether to add a learnt number to every output channel.
        device: where the bias lives.
        dtype: its type.

    Attributes:
        spec: the geometry, as given.
        bias: `(O,)` or `None`.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        spec: ConvSpec,
        *,
        bias: bool,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.bias = nn.Parameter(torch.empty(spec.out_channels, device=device, dtype=dtype)) if bias else None
        if self.bias is not None:
            bound = 1 / sqrt(spec.weight_count / spec.out_channels)
            nn.init.uniform_(self.bias, -bound, bound)

    @abstractmethod
    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """What the input asks for, by name; the first dimension of every tensor is the batch.

        Args:
            x: `(B, I, *S)`.
        """

    @abstractmethod
    def assemble(self, coefficients: dict[str, Tensor]) -> Kernel:
        """The kernel that coefficients, as `coefficients` returns them, stand for."""

    def kernel(self, x: Tensor) -> Kernel:
        """The kernel that each sample of `x: (B, I, *S)` gets.

        Raises:
            ArgumentError: `x` does not fit; ShapeError for its rank and channels.
        """
        check_input(x, self.spec)
        return self.assemble(self.coefficients(x))

    def operands(self, x: Tensor) -> tuple[Tensor, Kernel, ConvSpec]:
        """What is convolved, with which kernel, in which geometry: the input itself, unless a method says otherwise.

        Raises:
            ArgumentError: `x` does not fit; ShapeError for its rank and channels.
        """
        return x, self.kernel(x), self.spec

    def forward(self, x: Tensor) -> Tensor:
        """`x: (B, I, *S)` → `(B, O, *S_out)`.

        Raises:
            ArgumentError: `x` does not fit; ShapeError for its rank and channels.
        """
        return self.convolve(x)

    def convolve(self, x: Tensor) -> Tensor:
        """The forward pass: the operands, convolved, unless a method has a way that writes less out."""
        return ops.conv(*self.operands(x))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Let `model.to(memory_format=torch.channels_last)` pass: see `kernelwise`."""
        super()._apply(kernelwise(fn) if self.spec.dims == _IMAGE_DIMS else fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def extra_repr(self) -> str:
        """The geometry, as `nn.Conv2d` prints it."""
        s = self.spec
        shown = [str(s.in_channels), str(s.out_channels), f"kernel_size={s.kernel_size}", f"stride={s.stride}"]
        if any(map(any, s.pads)):
            symmetric = all(before == after for before, after in s.pads)
            shown.append(f"padding={tuple(p for p, _ in s.pads) if symmetric else s.pads}")
        if any(d != 1 for d in s.dilation):
            shown.append(f"dilation={s.dilation}")
        if s.groups != 1:
            shown.append(f"groups={s.groups}")
        if self.bias is None:
            shown.append("bias=False")
        if s.padding_mode != "zeros":
            shown.append(f"padding_mode={s.padding_mode}")
        return ", ".join(shown)


def check_init(init: Init) -> Init:
    """`init` if it names a start: `"scaled"`, at a static convolution's scale, or the authors' `"published"`.

    Raises:
        ArgumentError: it does not.
    """
    if init not in get_args(Init):
        raise ArgumentError("init", init, f"one of {', '.join(get_args(Init))}")
    return init


def check_context_channels(value: int | None, default: int, in_channels: int) -> int:
    """How many input channels the context is taken from: `value`, or `default` where there are so many.

    Raises:
        ArgumentError: `value` is not between 1 and `in_channels`.
    """
    if value is None:
        return min(default, in_channels)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= in_channels:
        raise ArgumentError("context_channels", value, f"an integer from 1 to in_channels={in_channels}, or None")
    return value
