"""What does not fit is refused with the argument, its value and what is allowed."""

from __future__ import annotations

import pytest
import torch

from dynaconv import ops
from dynaconv.errors import ArgumentError, ShapeError
from dynaconv.kernels import StaticKernel
from dynaconv.spec import ConvSpec

X, BANK, MIXTURE = torch.zeros(2, 4, 6, 6), torch.zeros(3, 5, 4, 3, 3), torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 3, 6, 6)}, r"bank=\(3, 5, 4, 3, 3\): expected \(3, 5, 3, 3, 3\)"),
        ({"x": torch.zeros(4, 6)}, r"x=\(4, 6\): expected \(B, I, \*S\) with one, two or three spatial dimensions"),
        (
            {"bank": torch.zeros(5, 4, 3, 3)},
            r"bank=\(5, 4, 3, 3\): expected \(K or B, O, I/groups, \*k\) with 2",
        ),
        ({"mixture": torch.zeros(2, 4)}, r"mixture=\(2, 4\): expected \(2, 3\)"),
        ({"mixture": torch.zeros(1, 3)}, r"mixture=\(1, 3\): expected \(2, 3\)"),
        ({"tap_scale": torch.zeros(2, 9)}, r"tap_scale=\(2, 9\): expected \(2, 3, 3\) or \(2, 3, 3, 3\)"),
        ({"in_scale": torch.zeros(2, 5)}, r"in_scale=\(2, 5\): expected \(2, 4\) or \(2, 3, 4\)"),
        ({"out_scale": torch.zeros(2, 4)}, r"out_scale=\(2, 4\): expected \(2, 5\) or \(2, 3, 5\)"),
        ({"bias_bank": torch.zeros(5)}, r"bias_bank=\(5,\): expected \(3, 5\)"),
        ({"stride": -1}, r"stride=-1: expected an integer >= 1, or 2 of them"),
        ({"stride": (1, 2, 3)}, r"stride=\(1, 2, 3\): expected an integer >= 1, or 2 of them"),
        ({"stride": 1.5}, r"stride=1.5: expected an integer >= 1"),
        ({"dilation": 0}, r"dilation=0: expected an integer >= 1"),
        ({"padding": -1}, r"padding=-1: expected an integer >= 0"),
        ({"padding": "full"}, r"padding='full': expected \"same\", \"valid\", an integer >= 0"),
        ({"padding": "same", "stride": 2}, r"padding='same': expected a number, since stride=\(2, 2\)"),
        ({"groups": 3}, r"groups=3: expected a divisor of in_channels=4"),
        ({"groups": 0}, r"groups=0: expected an integer >= 1"),
        ({"padding_mode": "mirror"}, r"padding_mode='mirror': expected one of zeros, reflect, replicate, circular"),
        ({"padding_mode": "reflect", "padding": 6}, r"padding_mode='reflect': expected padding that fits .* \(6, 6\)"),
        ({"dilation": 4}, r"input size=\(6, 6\): expected at least \(9, 9\)"),
        ({"algorithm": "magic"}, r"algorithm='magic': expected one of auto, .*reference"),
    ],
)
def test_mixture_conv(change: dict[str, object], message: str) -> None:
    arguments = {"x": X, "bank": BANK, "mixture": MIXTURE, **change}
    with pytest.raises(ArgumentError, match=message):
        ops.mixture_conv(**arguments)


def test_tapwise_conv() -> None:
    weight = torch.zeros(5, 4, 3, 3)
    with pytest.raises(ShapeError, match=r"expected \(B, G, T, \*S_out\) with a G that divides the 4 input channels"):
        ops.tapwise_conv(X, weight, torch.zeros(2, 3, 9, 4, 4))
    with pytest.raises(ShapeError, match=r"taps=\(2, 2, 9, 6, 6\): expected \(2, 2, 9, 4, 4\)"):
        ops.tapwise_conv(X, weight, torch.zeros(2, 2, 9, 6, 6))


def test_dense_conv() -> None:
    with pytest.raises(ShapeError, match=r"bias=\(4,\): expected \(2, 5\) or \(5,\)"):
        ops.dense_conv(X, torch.zeros(2, 5, 4, 3, 3), torch.zeros(4))


def test_static_kernel() -> None:
    spec, kernel = ConvSpec.parse(4, 5, 3, dims=2), StaticKernel(torch.zeros(5, 4, 3, 3))
    with pytest.raises(ShapeError, match=r"x=\(2, 3, 6, 6\): expected \(B, 4, H, W\)"):
        ops.conv(torch.zeros(2, 3, 6, 6), kernel, spec)
    with pytest.raises(ArgumentError, match="since a static kernel has no other"):
        ops.conv(X, kernel, spec, algorithm="grouped")


def test_dims() -> None:
    with pytest.raises(ArgumentError, match="dims=4: expected 1, 2 or 3"):
        ConvSpec.parse(1, 1, 3, dims=4)
