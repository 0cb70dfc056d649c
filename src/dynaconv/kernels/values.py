"""The kernel as a value: what a layer makes of an input, and all that a convolution needs to know of it.

Shapes: B samples, K experts, O output and I input channels, g groups, `*k` the kernel's spatial size, T = prod(k) taps,
`*S_out` the output's spatial size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from torch import Tensor

from dynaconv.kernels.cell_kernel import CellKernel
from dynaconv.kernels.fourier_kernel import FourierKernel
from dynaconv.kernels.low_rank import LowRankKernel

__all__ = ["DenseKernel", "Kernel", "MixtureKernel", "StaticKernel", "TapwiseKernel"]


@dataclass(frozen=True, eq=False)
class StaticKernel:
    """One kernel for all samples: an ordinary convolution's.

    Attributes:
        weight: `(O, I/g, *k)`.
        bias: `(O,)` or `None`.
    """

    weight: Tensor
    bias: Tensor | None = None

    def dense(self) -> Tensor:
        """The weight as `(1, O, I/g, *k)`."""
        return self.weight.unsqueeze(0)

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions."""
        return positions * self.weight.numel()


@dataclass(frozen=True, eq=False)
class DenseKernel:
    """A kernel per sample, written out.

    Attributes:
        weight: `(B, O, I/g, *k)`.
        bias: `(B, O)`, `(O,)` or `None`.
    """

    weight: Tensor
    bias: Tensor | None = None

    def dense(self) -> Tensor:
        """The weight, `(B, O, I/g, *k)`."""
        return self.weight

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions; making the weight is not counted."""
        return positions * prod(self.weight.shape[1:])


@dataclass(frozen=True, eq=False)
class MixtureKernel:
    """A kernel per sample, mixed from a bank of experts that all samples share.

    Sample b's kernel is `Σ_k mixture[b,k] · tap_scale[b] ⊙ in_scale[b] ⊙ out_scale[b] ⊙ bank[k]`, its bias
    `Σ_k mixture[b,k] · bias_bank[k]`. A scale is per sample, or per sample and expert.

    Attributes:
        bank: `(K, O, I/g, *k)`.
        mixture: `(B, K)`.
        tap_scale: `(B, *k)`, `(B, K, *k)` or `None`.
        in_scale: `(B, I)`, `(B, K, I)` or `None`; one number per channel of the *input*, whatever the groups.
        out_scale: `(B, O)`, `(B, K, O)` or `None`; does not scale the bias.
        bias_bank: `(K, O)` or `None`.
    """

    bank: Tensor
    mixture: Tensor
    tap_scale: Tensor | None = None
    in_scale: Tensor | None = None
    out_scale: Tensor | None = None
    bias_bank: Tensor | None = None

    SCALES: ClassVar = ("tap_scale", "in_scale", "out_scale")

    @property
    def scales(self) -> tuple[Tensor | None, ...]:
        """Tap, input and output scale, as far as they are there."""
        return (self.tap_scale, self.in_scale, self.out_scale)

    def bias(self) -> Tensor | None:
        """The mixed bias `(B, O)`, or `None`."""
        return None if self.bias_bank is None else self.mixture @ self.bias_bank

    def dense(self) -> Tensor:
        """Every sample's kernel, written out: `(B, O, I/g, *k)`."""
        experts, batch = self.bank.shape[0], self.mixture.shape[0]
        shared, own = self._factors()
        if own:
            terms = (
                prod((factor[:, k] for factor in own), start=self.mixture[:, k].view(batch, 1, 1, 1, 1))
                * self._grouped(self.bank[k])
                for k in range(experts)
            )
            weight = sum(terms, start=self.bank.new_zeros(()))
        else:
            weight = self._grouped(self.mixture @ self.bank.flatten(1))
        return prod(shared, start=weight).reshape(batch, *self.bank.shape[1:])

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions, mixing the experts included."""
        mixing = self.bank.numel() if self.bank.shape[0] > 1 else 0
        return mixing + positions * prod(self.bank.shape[1:])

    def per_expert(self) -> tuple[str, ...]:
        """Names of the scales that differ between experts."""
        ranks = {"tap_scale": self.bank.dim() - 2, "in_scale": 2, "out_scale": 2}
        return tuple(n for n, rank in ranks.items() if (s := getattr(self, n)) is not None and s.dim() == rank + 1)

    @property
    def _groups(self) -> int:
        """g where an input scale tells it, else 1: without one, the groups do not matter to the kernel."""
        return 1 if self.in_scale is None else self.in_scale.shape[-1] // self.bank.shape[2]

    def _grouped(self, weight: Tensor) -> Tensor:
        """Weights `(..., O, I/g, *k)` or flat as `(N, g, O/g, I/g, T)`."""
        out_channels, in_per_group, *size = self.bank.shape[1:]
        shape = (self._groups, out_channels // self._groups, in_per_group, prod(size))
        return weight.reshape(weight.numel() // prod(shape), *shape)

    def _factors(self) -> tuple[list[Tensor], list[Tensor]]:
        """The scales that all experts share, `(B, g|1, O/g|1, I/g|1, T|1)`, and the others, with K after B."""
        out_channels, in_per_group, *size = self.bank.shape[1:]
        trailing = {
            "tap_scale": (1, 1, 1, prod(size)),
            "in_scale": (self._groups, 1, in_per_group, 1),
            "out_scale": (self._groups, out_channels // self._groups, 1, 1),
        }
        shared, own = [], []
        for name, shape in trailing.items():
            scale: Tensor | None = getattr(self, name)
            if scale is None:
                continue
            if name in self.per_expert():
                own.append(scale.reshape(*scale.shape[:2], *shape))
            else:
                shared.append(scale.reshape(scale.shape[0], *shape))
        return shared, own


@dataclass(frozen=True, eq=False)
class TapwiseKernel:
    """A static kernel whose taps are weighted anew at every output position.

    `y[b,o,p] = Σ_{i,t} taps[b, i // (I/G), t, p] · weight[o,i,t] · x[b, i, position of tap t at p]`

    Attributes:
        weight: `(O, I/g, *k)`.
        taps: `(B, G, T, *S_out)`; the I input channels are split into G groups of equal size that share their taps.
        bias: `(O,)` or `None`.
    """

    weight: Tensor
    taps: Tensor
    bias: Tensor | None = None

    def dense(self, groups: int = 1) -> Tensor:
        """The kernel of every output position, written out: `(B, O, I/g, *k, *S_out)`.

        Args:
            groups: the convolution's groups g; they tell which input channels an output channel sees.
        """
        out_channels, in_per_group, *size = self.weight.shape
        batch, tap_groups, taps, *out_size = self.taps.shape
        in_channels = in_per_group * groups
        by_channel = self.taps.repeat_interleave(in_channels // tap_groups, dim=1)
        by_channel = by_channel.reshape(batch, groups, 1, in_per_group, taps, *out_size)
        weight = self.weight.reshape(groups, out_channels // groups, in_per_group, taps, *(1 for _ in out_size))
        return (by_channel * weight).reshape(batch, out_channels, in_per_group, *size, *out_size)

    def macs(self, positions: int) -> int:
        """Multiply-adds for one sample with so many output positions, weighting the taps included."""
        out_channels, in_per_group, *size = self.weight.shape
        return positions * prod(size) * in_per_group * (out_channels + 1)


Kernel = StaticKernel | DenseKernel | MixtureKernel | TapwiseKernel | CellKernel | LowRankKernel | FourierKernel
