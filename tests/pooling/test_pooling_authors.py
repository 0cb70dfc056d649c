"""iSQRT-COV gives what jiangtaoxie/fast-MPN-COV gives, loaded as their weights are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.made_up_weights import numbers, recorded

from dynaconv import create_pooling, load_published

FIXTURES = Path(__file__).parents[1] / "fixtures" / "fast_mpn_cov"


@pytest.mark.parametrize("size", [(5, 7), (2, 3)], ids=["more positions than channels", "fewer"])
@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_isqrt_cov_is_the_authors(iterations: int, size: tuple[int, int]) -> None:
    kept, state = recorded(FIXTURES / f"iterations_{iterations}.safetensors")
    pool = create_pooling("isqrt_cov", 12, reduced_channels=8, iterations=iterations).double().eval()
    load_published(pool, state, "jiangtaoxie/fast-MPN-COV")
    name = f"{size[0]}x{size[1]}"
    x = (2 * numbers(name, (3, 12, *size))).requires_grad_()
    y = pool(x)
    (gradient,) = torch.autograd.grad(y, x, numbers(f"{name}.upstream", tuple(y.shape)))
    torch.testing.assert_close(y, kept[f"{name}.y"], rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(gradient, kept[f"{name}.x_gradient"], rtol=1e-10, atol=1e-11)
