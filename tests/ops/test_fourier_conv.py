"""Kernels from a spectrum are made a few samples at a time: every algorithm and gradient against the plain form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from support.agreement import tolerance
from support.fourier_kernels import CASES, draw
from torch import Tensor

from dynaconv import native, ops
from dynaconv.errors import ShapeError
from dynaconv.ops.fourier_conv import REGISTRY, sample_blocks

ALGORITHMS = ["auto", *(name for name in REGISTRY.algorithms if name != "reference")]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_are_those_of_the_plain_form(
    name: str, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = algorithm == "native"
    if compiled and native.status().state != "on":
        pytest.skip("the compiled kernels are off")
    dtype = torch.float32 if compiled else torch.float64
    x, kernel, spec, leaves = draw(name, dtype)
    monkeypatch.setattr(sample_blocks, "BLOCK_NUMBERS", 2 * spec.weight_count)
    y, expected = (ops.conv(x, kernel, spec, a) for a in (algorithm, "reference"))
    torch.testing.assert_close(y, expected, **tolerance(dtype))
    upstream = torch.randn_like(y)
    found, exact = (torch.autograd.grad(v, leaves, upstream, retain_graph=True) for v in (y, expected))
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other, **tolerance(dtype))


def test_without_factors() -> None:
    x, kernel, spec, leaves = draw("plain", factors=False)
    y, expected = (ops.conv(x, kernel, spec, a) for a in ("auto", "reference"))
    torch.testing.assert_close(y, expected)
    found, exact = (torch.autograd.grad(v.square().sum(), leaves, retain_graph=True) for v in (y, expected))
    torch.testing.assert_close(found, exact)


def test_second_derivatives() -> None:
    x, kernel, spec, _ = draw("plain")
    weights = torch.randn_like(x)

    def second(algorithm: str) -> tuple[Tensor, ...]:
        (first,) = torch.autograd.grad(
            ops.conv(x, kernel, spec, algorithm).square().sum(), x, create_graph=True, retain_graph=True
        )
        return torch.autograd.grad((first * weights).sum(), [x, kernel.gates, kernel.spectrum], retain_graph=True)

    torch.testing.assert_close(second("auto"), second("reference"))


def test_nothing_the_size_of_the_kernels_stays_alive() -> None:
    saved: list[int] = []
    x, kernel, spec, _ = draw("plain", torch.float32)
    many = 50

    def repeated(tensor: Tensor) -> Tensor:
        return tensor[:1].expand(many, *tensor.shape[1:]).contiguous().detach().requires_grad_()

    parts = {part: repeated(getattr(kernel, part)) for part in ("gates", "left", "right", "context")}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t.untyped_storage().nbytes()) or t, lambda t: t
    ):
        ops.conv(repeated(x), replace(kernel, **parts), spec)
    assert max(saved) < 4 * many * spec.weight_count


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("gates", lambda t: t[:, :, 1:], r"gates=\(3, 1, 4\): expected \(3, 1, 5\)"),
        ("left", lambda t: t[:1], r"left=\(1, 1, 54, 1\): expected \(3, 1, 54, 1\)"),
        ("spectrum", lambda t: t[..., :1], r"spectrum=\(1, 7, 18, 1\): expected \(1, 7, 18, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(part: str, change: Callable[[Tensor], Tensor], message: str) -> None:
    x, kernel, spec, _ = draw("plain")
    with pytest.raises(ShapeError, match=message):
        ops.conv(x, replace(kernel, **{part: change(getattr(kernel, part))}), spec)


def test_the_choice_is_explained_and_the_cost_counts_the_transforms() -> None:
    x, kernel, spec, _ = draw("plain")
    assert "fourier_conv: x 3×4×7×6" in ops.explain_conv(x, kernel, spec)
    # 216 numbers: products of ranks 1 and 3 and one more for each, a transform, a gate for both parts of 126 waves.
    assert kernel.macs(0) == 216 * (2 + 4) + round(1.25 * 216 * 7.754887502163468) + 252
    assert kernel.macs(42) - kernel.macs(0) == 42 * 216
