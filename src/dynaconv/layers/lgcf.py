"""LGCF: attention inside the kernel, from local and global context together."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from dynaconv.coefficients import TapGate
from dynaconv.context import LocalContext, global_average
from dynaconv.counts import check_count, hidden_channels
from dynaconv.errors import ArgumentError
from dynaconv.kernels import TapwiseKernel
from dynaconv.layers.base import DynamicConv
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["LGCFConv1d", "LGCFConv2d", "LGCFConv3d"]


class _LGCFConvNd(DynamicConv):
    """LGCF in any number of dimensions; documented at `LGCFConv2d`."""

    dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reduction: int = 16,
        min_hidden: int = 8,
        tap_groups: int = 1,
        temperature: float = 1.0,
    ) -> None:
        spec = ConvSpec.parse(
            in_channels,
            out_channels,
            kernel_size,
            dims=self.dims,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        super().__init__(spec, bias=bias, device=device, dtype=dtype)
        if in_channels % check_count("tap_groups", tap_groups):
            raise ArgumentError("tap_groups", tap_groups, f"a divisor of in_channels={in_channels}")
        hidden = hidden_channels(in_channels, reduction, min_hidden)
        hidden += hidden % 2
        self.weight = nn.Parameter(torch.empty(spec.weight_shape, device=device, dtype=dtype))
        # nn.Conv2d's own start.
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.local = LocalContext(spec, hidden, device, dtype)
        self.gate = TapGate(in_channels, hidden, spec.taps, tap_groups, temperature, device, dtype)
        self._start_at_one()

    def _start_at_one(self) -> None:
        """Hidden units in pairs that cancel: every score is zero for every input, yet no factor of a gradient is."""
        half = self.gate.head.in_channels // 2
        with torch.no_grad():
            for parameter in (*self.local.parameters(), *self.gate.fuse.parameters()):
                parameter[half:] = parameter[:half]
            self.gate.head.weight[:, half:] = -self.gate.head.weight[:, :half]
            assert self.gate.head.bias is not None
            self.gate.head.bias.zero_()

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"taps": (B, G, T, *S_out)}`, between 0 and 2."""
        return {"taps": self.gate(self.local(x), global_average(x))}

    def assemble(self, coefficients: dict[str, Tensor]) -> TapwiseKernel:
        """The weight under its taps."""
        return TapwiseKernel(self.weight, coefficients["taps"], self.bias)


class LGCFConv1d(_LGCFConvNd):
    """`LGCFConv2d` over sequences."""

    dims = 1


class LGCFConv2d(_LGCFConvNd):
    """`y_{o,p} = Σ_{i,t} a_{t,p} W_{o,i,t} x_{i, tap t at p}`, the taps a made of the window at p and of the whole map.

    A static kernel whose taps are weighted anew at every position: a = 2 σ(·) of a small network (`TapGate`) that reads
    the window in few dimensions (`LocalContext`) and the average of the map. Starts exactly at the static convolution,
    every tap weighing one, with gradients in every parameter at the first step.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`.
        reduction: r; the contexts are fused in D = max(I / r, `min_hidden`) dimensions, made even.
        min_hidden: the least D.
        tap_groups: G; so many groups of input channels have taps of their own. Divides `in_channels`.
        temperature: τ > 0; high keeps every tap near one.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: a design in the spirit of the abstract of Tian et al., Learning Lightweight Dynamic Kernels With Attention
    Inside via Local-Global Context Fusion, IEEE TNNLS 2022, 10.1109/TNNLS.2022.3217301, whose text is not public; no
    reproduction. `docs/lgcf.md` says which choices are ours.

    Example:
        >>> import torch
        >>> layer, x = LGCFConv2d(16, 32, 3, padding=1, stride=2), torch.randn(2, 16, 8, 6)
        >>> layer(x).shape, layer.coefficients(x)["taps"].shape
        (torch.Size([2, 32, 4, 3]), torch.Size([2, 1, 9, 4, 3]))
    """

    dims = 2


class LGCFConv3d(_LGCFConvNd):
    """`LGCFConv2d` over volumes."""

    dims = 3
