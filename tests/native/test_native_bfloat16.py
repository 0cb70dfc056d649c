"""bfloat16 maps and banks: sums are float32's, so only what is stored as bfloat16 is rounded."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from support.problems import GRID
from torch import Tensor

from dynaconv import native, ops
from dynaconv.spec import ConvSpec

SPECS = {
    "square": ConvSpec.parse(24, 40, 3, dims=2, padding=1),
    "depthwise": ConvSpec.parse(20, 20, 3, dims=2, padding=1, groups=20),
    "depth multiplier": ConvSpec.parse(3, 6, 3, dims=2, groups=3),
    "pointwise, strided": ConvSpec.parse(17, 33, 1, dims=2, stride=2),
    "one dimension": ConvSpec.parse(5, 6, 3, dims=1, padding=1),
}
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float32: 2e-5}


def close(found: Tensor, expected: Tensor) -> bool:
    """Equal up to the rounding of the type that is found, as a part of the largest value."""
    difference = (found.double() - expected).abs().max() / expected.abs().max()
    return found.shape == expected.shape and bool(difference < ROUNDING[found.dtype])


def rounded(*shape: int) -> Tensor:
    return torch.randn(*shape).bfloat16()


@pytest.mark.parametrize("name", SPECS)
def test_only_what_is_stored_is_rounded(name: str) -> None:
    spec = SPECS[name]
    x, bank = rounded(3, spec.in_channels, *(9,) * spec.dims), rounded(4, *spec.weight_shape)
    mixture, inside, outside = rounded(3, 4), rounded(3, spec.in_channels), rounded(3, spec.out_channels)
    leaves = [t.double().requires_grad_() for t in (x, bank, mixture, inside, outside)]
    geometry = {"stride": spec.stride, "padding": [b for b, _ in spec.pads], "groups": spec.groups}
    expected = ops.mixture_conv(*leaves[:3], in_scale=leaves[3], out_scale=leaves[4], **geometry, algorithm="reference")
    upstream = rounded(*expected.shape)
    wanted = torch.autograd.grad(expected, leaves, upstream.double())
    given = (x, bank, mixture.unsqueeze(2).expand(-1, -1, spec.taps), spec)
    scales = {"in_scale": inside, "out_scale": outside}
    y = native.forward(*given, **scales)
    to_x, to_inside = native.input_gradient(upstream, *given, **scales)
    to_bank, to_coefficients, to_outside = native.bank_gradient(upstream, *given, **scales)
    assert y.dtype == to_x.dtype == torch.bfloat16
    assert close(y, expected)
    for found, exact in zip((to_x, to_bank, to_coefficients.sum(2), to_inside, to_outside), wanted, strict=True):
        assert close(found, exact)


@pytest.mark.parametrize("name", ["all scales", "per expert", "groups", "3d", "no sample"])
def test_operator(name: str) -> None:
    problem = GRID[name]
    x, kernel = problem.input(torch.bfloat16), problem.mixture(torch.bfloat16)
    run = partial(ops.conv, x, kernel, problem.spec)
    found, expected = run("native"), run("reference")
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.3)
    leaves = [x, kernel.bank, kernel.mixture]
    if len(x):
        for ours, theirs in zip(*(torch.autograd.grad(y.sum(), leaves) for y in (found, expected)), strict=True):
            assert ours.dtype == torch.bfloat16
            torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.02 * float(theirs.abs().max()))


def test_a_changed_bank_is_packed_anew() -> None:
    spec, x = SPECS["square"], torch.ones(1, 24, 5, 5, dtype=torch.bfloat16)
    bank, coefficients = rounded(1, *spec.weight_shape), torch.ones(1, 1, 9)
    first = native.forward(x, bank, coefficients, spec)
    bank.neg_()
    assert torch.equal(native.forward(x, bank, coefficients, spec), -first)


def test_what_is_no_number_stays_none() -> None:
    spec = ConvSpec.parse(1, 1, 1, dims=2)
    x = torch.tensor([1.0, float("nan"), float("inf"), 3.3e38]).bfloat16().view(1, 1, 2, 2)
    y = native.forward(x, torch.ones(1, 1, 1, 1, 1), torch.ones(1, 1, 1), spec)
    torch.testing.assert_close(y, x, rtol=0, atol=0, equal_nan=True)
