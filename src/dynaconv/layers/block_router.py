"""One router for all CondConv layers of a block."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.coefficients import SigmoidRouter
from dynaconv.context import global_average
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.layers.base import Init, check_init

__all__ = ["BlockRouter", "remove_routers", "route_blocks", "sigmoid_router"]

# σ does not reach one: a single expert starts at nine tenths.
_LARGEST_SHARE = 0.9


def sigmoid_router(
    context_dim: int,
    num_kernels: int,
    init: Init,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> SigmoidRouter:
    """A router for K experts.

    Args:
        context_dim: D.
        num_kernels: K.
        init: `"published"` starts at shares of one half, which mix K experts to √K/2 of one expert's standard
            deviation: the same at K = 4; `"scaled"` at shares of 1/√K, which make it the same for every K.
        device: where the parameters live.
        dtype: their type.
    """
    share = min(1 / sqrt(num_kernels), _LARGEST_SHARE) if check_init(init) == "scaled" else 0.5
    return SigmoidRouter(context_dim, num_kernels, share, device, dtype)


class BlockRouter(nn.Module):
    """Routes once, from its block's input, for every CondConv layer that was made with it.

    Args:
        in_channels: I, of the block's input.
        num_kernels: K.
        init: see `sigmoid_router`.
        device: where the parameters live.
        dtype: their type.

    Source: the code of CondConv's authors and timm, which have one routing function a block; the paper has one a layer.
    """

    def __init__(
        self,
        in_channels: int,
        num_kernels: int,
        init: Init = "published",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_kernels = check_count("num_kernels", num_kernels)
        self.router = sigmoid_router(check_count("in_channels", in_channels), num_kernels, init, device, dtype)
        self._mixture: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Route for the block's input `x: (B, I, *S)`; returns `(B, K)`, which the block's layers get as well."""
        mixture: Tensor = self.router(global_average(x))
        self._mixture = mixture
        return mixture

    def routed(self) -> Tensor:
        """The mixture of the last input, `(B, K)`.

        Raises:
            ArgumentError: nothing was routed: the layer runs outside its block.
        """
        if self._mixture is None:
            raise ArgumentError("router", type(self).__name__, "one that has routed: run the layer inside its block")
        return self._mixture

    def forget(self) -> None:
        """Drop the mixture, and with it the graph behind it."""
        self._mixture = None


def route_blocks(model: nn.Module, routers: Mapping[str, BlockRouter]) -> nn.Module:
    """Give blocks of a model their routers; each routes when its block starts, and forgets when the model has run.

    Args:
        model: is changed, and returned.
        routers: by the blocks' names; a block's router becomes its part `router`.
    """
    for name, router in routers.items():
        block = model.get_submodule(name)
        block.register_module("router", router)
        block.register_forward_pre_hook(_route)
    model.register_forward_hook(_forget, always_call=True)
    return model


def remove_routers(model: nn.Module) -> nn.Module:
    """Take the routers out of a model again, once no layer asks for what they route; it is changed, and returned."""
    for module in [*model.modules()]:
        hooks: Any
        for hooks, ours in ((module._forward_pre_hooks, _route), (module._forward_hooks, _forget)):
            for key in [key for key, hook in hooks.items() if hook is ours]:
                del hooks[key]
                module._forward_hooks_always_called.pop(key, None)
        if isinstance(module._modules.get("router"), BlockRouter):
            del module.router
    return model


def _route(block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Before a block runs: a function of the block, so that a copy of the network uses the copy's router."""
    block.get_submodule("router")(inputs[0])


def _forget(model: nn.Module, *_: Any) -> None:
    for module in model.modules():
        if isinstance(module, BlockRouter):
            module.forget()
