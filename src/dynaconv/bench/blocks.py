"""Blocks and heads to measure: alone on the maps that a ResNet-50 gives them, and inside a ResNet-50."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.attention import create_attention, list_attentions
from dynaconv.bench.networks import NetworkCase
from dynaconv.ops import covariance_pool, matrix_sqrt
from dynaconv.pooling import create_pooling, list_poolings

__all__ = ["BlockCase", "Root", "block_cases", "block_network_cases", "build_block", "map_of"]

_ROOT, _EXACT = "matrix_sqrt", "exact matrix_sqrt"
# Their number of iterations; the exact root has none.
_ROOTS = {_ROOT: 5, _EXACT: None}
# Channels and side of the map after each stage, for 224×224 images; GSoP networks keep the last but one resolution.
_STAGES = ((256, 56), (512, 28), (1024, 14), (2048, 7))
_GSOP_STAGES = (*_STAGES[:3], (2048, 14))
_PLACES: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "cbam": _STAGES,
        "bam": _STAGES[:3],
        "gsop_channel": _GSOP_STAGES,
        "gsop_position": _GSOP_STAGES,
        "isqrt_cov": _GSOP_STAGES[3:],
        # The root of a covariance of so many channels at 14×14 positions.
        _ROOT: ((64, 14), (128, 14), (256, 14)),
        _EXACT: ((64, 14), (128, 14)),
    }
)
# What the authors' code computes, where that is not what their paper says.
_AS_PUBLISHED = ("bam", "gsop_position")


@dataclass(frozen=True)
class BlockCase:
    """One block, head or root of which its authors published code.

    Attributes:
        block: its name in the library.
        channels: of the map; rows of the matrix.
        side: height and width of the map.
        batch: B.
    """

    block: str
    channels: int
    side: int
    batch: int

    @property
    def name(self) -> str:
        """One line for people, unique."""
        if self.block in _ROOTS:
            return f"{self.block} {self.channels}×{self.channels} batch {self.batch}"
        return f"{self.block} alone, {self.channels} channels on {self.side}×{self.side} batch {self.batch}"

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> BlockCase:
        """The case that `dataclasses.asdict`, and JSON, made `values` of."""
        return cls(**values)


class Root(nn.Module):
    """The square root of covariances, `(B, d, d)` → `(B, d, d)`.

    Args:
        iterations: as in `matrix_sqrt`.
    """

    def __init__(self, iterations: int | None) -> None:
        super().__init__()
        self.iterations = iterations

    def forward(self, a: Tensor) -> Tensor:
        """The root."""
        return matrix_sqrt(a, self.iterations)


def block_cases(*, quick: bool = False) -> tuple[BlockCase, ...]:
    """Everything whose authors' formulation is written out in `published_forms`, at every place that it has.

    Args:
        quick: the last place of each only.
    """
    return tuple(
        BlockCase(block, channels, side, 32 if block in _ROOTS else 8)
        for block, places in _PLACES.items()
        for channels, side in (places[-1:] if quick else places)
    )


def block_network_cases(*, quick: bool = False) -> tuple[NetworkCase, ...]:
    """ResNet-50 with every attention block where its paper has it, and with every head but its own.

    Args:
        quick: one block and one head only.
    """
    blocks = ["cbam"] if quick else list_attentions()
    heads = ["isqrt_cov"] if quick else [name for name in list_poolings() if name != "average"]
    parts = [*((name, "block") for name in blocks), *((name, "head") for name in heads)]
    return tuple(NetworkCase(name, method, 0, 8, 128, forms=("static", "ours")) for name, method in parts)


def build_block(case: BlockCase) -> nn.Module:
    """The library's own form of a case, with fresh weights."""
    torch.manual_seed(0)
    if case.block in _ROOTS:
        return Root(_ROOTS[case.block])
    if case.block in list_poolings():
        return create_pooling(case.block, case.channels)
    options: dict[str, Any] = {"as_published": True} if case.block in _AS_PUBLISHED else {}
    if case.block == "gsop_channel" and case.channels == _STAGES[0][0]:
        options["stride"] = 2
    return create_attention(case.block, case.channels, **options)


def map_of(case: BlockCase) -> Tensor:
    """What it gets: noise, `(B, C, H, W)`, or covariances of rectified noise, `(B, d, d)`."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.batch, case.channels, case.side, case.side, generator=generator)
    return covariance_pool(x.relu()) if case.block in _ROOTS else x
