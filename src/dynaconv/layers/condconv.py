"""CondConv: experts in shares between 0 and 1, routed by the layer itself or by its block."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from dynaconv.context import global_average
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.layers.base import Init
from dynaconv.layers.block_router import BlockRouter, sigmoid_router
from dynaconv.layers.experts import MixedExperts, expert_bank, expert_bias
from dynaconv.spec import ConvSpec, Ints, Padding, PaddingMode

__all__ = ["CondConv1d", "CondConv2d", "CondConv3d"]

# nn.Conv2d's own start.
_START = partial(nn.init.kaiming_uniform_, a=5**0.5)


class _CondConvNd(MixedExperts):
    """CondConv in any number of dimensions; documented at `CondConv2d`."""

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
        num_kernels: int = 8,
        router: BlockRouter | None = None,
        init: Init = "published",
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
        super().__init__(spec, bias=False, device=device, dtype=dtype)
        check_count("num_kernels", num_kernels)
        if router is not None and router.num_kernels != num_kernels:
            raise ArgumentError("num_kernels", num_kernels, f"{router.num_kernels}, as the router has it")
        # Not registered here: the block that the router belongs to holds its parameters.
        self._block_router = (router,)
        if router is None:
            self.router = sigmoid_router(in_channels, num_kernels, init, device, dtype)
        self.bank = expert_bank(spec, num_kernels, _START, device=device, dtype=dtype)
        self.bias = expert_bias(spec, num_kernels, device, dtype) if bias else None

    def coefficients(self, x: Tensor) -> dict[str, Tensor]:
        """`{"mixture": (B, K)}`, each between 0 and 1."""
        (shared,) = self._block_router
        return {"mixture": self.router(global_average(x)) if shared is None else shared.routed()}


class CondConv1d(_CondConvNd):
    """`CondConv2d` over sequences."""

    dims = 1


class CondConv2d(_CondConvNd):
    """`y = (Σ_k π_k W_k) * x + Σ_k π_k b_k` with `π = σ(R g + r)`, g the average of the map: shares not normalised.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype:
            as in `nn.Conv2d`; every expert has a bias of its own.
        num_kernels: K, experts.
        router: of the block that the layer is in (see `route_blocks`); by default the layer routes for itself.
        init: of the layer's own router, see `sigmoid_router`; every expert starts as `nn.Conv2d` does.

    Raises:
        ArgumentError: an argument is not allowed.

    Source: Yang, Bender, Le, Ngiam, CondConv: Conditionally Parameterized Convolutions for Efficient Inference,
    NeurIPS 2019, 1904.04971.

    Example:
        >>> import torch
        >>> CondConv2d(16, 32, 3, padding=1).coefficients(torch.randn(2, 16, 8, 8))["mixture"].shape
        torch.Size([2, 8])
    """

    dims = 2


class CondConv3d(_CondConvNd):
    """`CondConv2d` over volumes."""

    dims = 3
