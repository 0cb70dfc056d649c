"""Generating kernels a few samples at a time, so that what a generator computes on the way stays small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["BLOCK_NUMBERS", "in_blocks"]

# 2**22 float32 numbers are 16 MiB: large enough for full speed, small beside a batch of kernels.
BLOCK_NUMBERS = 2**22


def in_blocks(generate: Callable[[Tensor], Tensor], coefficients: Tensor, numbers_per_sample: int) -> Tensor:
    """`generate(coefficients)`, holding about `BLOCK_NUMBERS` intermediate numbers at a time.

    What a block computes on the way is dropped after the forward pass and computed again in the backward pass.

    Args:
        generate: from `(b, D)` to `(b, ...)`, each sample independent of the others, without randomness.
        coefficients: `(B, D)`.
        numbers_per_sample: how many intermediate numbers one sample needs.
    """
    samples = max(1, BLOCK_NUMBERS // numbers_per_sample)
    # A compiler plans memory itself, and a loop over blocks would fix the batch size.
    if torch.compiler.is_compiling() or coefficients.shape[0] <= samples:
        return generate(coefficients)
    blocks = [
        checkpoint(generate, block, use_reentrant=False, preserve_rng_state=False)
        for block in coefficients.split(samples)
    ]
    return torch.cat(blocks)
