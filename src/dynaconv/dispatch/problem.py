"""What an operator is asked to do, as far as the choice of an algorithm depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from dynaconv.spec import ConvSpec

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """One call of an operator, without the numbers.

    Attributes:
        operator: `"mixture_conv"`, `"dense_conv"`, `"tapwise_conv"`, `"cell_conv"` or `"fourier_conv"`.
        spec: the geometry; zeros as padding, as many on both sides.
        batch: B.
        size: `*S`, the input's spatial size.
        experts: K; the number of cells in `cell_conv`; 1 where there is no bank.
        scales: names of the scales that are present.
        dtype: the numbers' type, as torch names it.
        device: the device's type.
        channels_last: whether the input's channels lie side by side in memory.
        cell: `(o, i, *c)`, the shape of a cell in `cell_conv`; empty where there are none.
    """

    operator: str
    spec: ConvSpec
    batch: int
    size: tuple[int, ...]
    experts: int = 1
    scales: tuple[str, ...] = ()
    dtype: str = "float32"
    device: str = "cpu"
    channels_last: bool = False
    cell: tuple[int, ...] = ()

    @property
    def positions(self) -> int:
        """P, the number of output positions of one sample."""
        return prod(self.spec.output_size(self.size))

    @property
    def macs(self) -> int:
        """Multiply-adds of the static convolution on the whole batch."""
        return self.batch * self.positions * self.spec.weight_count

    @property
    def kernel_numbers(self) -> int:
        """B·|W|, the numbers of all samples' kernels."""
        return self.batch * self.spec.weight_count

    def __str__(self) -> str:
        """One line for people."""
        s = self.spec
        shape = "×".join(map(str, (self.batch, s.in_channels, *self.size)))
        kernel = "×".join(map(str, s.kernel_size))
        parts = [f"{self.operator}: x {shape}, {s.in_channels}→{s.out_channels}, kernel {kernel}, stride {s.stride}"]
        parts += [f"groups {s.groups}"] if s.groups > 1 else []
        parts += [f"K={self.experts}"] if self.operator in ("mixture_conv", "cell_conv") else []
        return ", ".join([*parts, *self.scales, self.dtype, self.device])
