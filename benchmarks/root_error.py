"""Error of the approximate matrix square root against iterations and dimension: python benchmarks/root_error.py.

Times and memory of the root, of blocks and of heads are measured by `dynaconv bench --blocks`.
"""

from __future__ import annotations

import torch

from dynaconv.ops import covariance_pool, matrix_sqrt

__all__ = ["main"]

COUNTS = (1, 3, 5, 7, 10, 15, 20)
SIZES = (16, 32, 64, 128, 256, 512)


def main() -> None:
    """Relative Frobenius errors for covariances of ReLU features at 14×14 positions, in float64."""
    print(f"{'d':>6}" + "".join(f"{f'n={n}':>9}" for n in COUNTS))
    for size in SIZES:
        generator = torch.Generator().manual_seed(0)
        a = covariance_pool(torch.randn(2, size, 14, 14, generator=generator).relu().double())
        exact = matrix_sqrt(a, None)
        found = [((matrix_sqrt(a, n) - exact).norm() / exact.norm()).item() for n in COUNTS]
        print(f"{size:>6}" + "".join(f"{error:>9.1e}" for error in found))


if __name__ == "__main__":
    main()
