"""What a model gives, and how far two outputs are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Difference", "difference", "output_tensors"]


@dataclass(frozen=True)
class Difference:
    """How far outputs are apart.

    Attributes:
        largest: the largest absolute difference of two numbers.
        relative: the same, divided by the largest expected number.
    """

    largest: float
    relative: float

    def __str__(self) -> str:
        """Both."""
        return f"{self.largest:.2e} ({self.relative:.2e} of the largest output)"


def output_tensors(output: Any) -> Iterator[Tensor]:
    """The floating-point tensors in a model's output, in order."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from output_tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from output_tensors(value)


def difference(given: Sequence[Tensor], expected: Sequence[Tensor]) -> Difference:
    """How far tensors are from those expected, all together; infinite for other shapes and for what is not finite."""
    if [t.shape for t in given] != [t.shape for t in expected]:
        return Difference(float("inf"), float("inf"))
    pairs = [(g.double(), e.double()) for g, e in zip(given, expected, strict=True) if e.numel()]
    largest = max((float((g - e).abs().max()) for g, e in pairs), default=0.0)
    scale = max((float(e.abs().max()) for _, e in pairs), default=0.0)
    if not all(g.isfinite().all() for g, _ in pairs):
        return Difference(float("inf"), float("inf"))
    return Difference(largest, largest / max(scale, torch.finfo(torch.float64).tiny))
