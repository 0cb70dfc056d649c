"""Kernels from a spectrum are made a few samples at a time: every algorithm and gradient against the plain form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.agreement import tolerance
from torch import Tensor

from dynaconv import native, ops
from dynaconv.errors import ShapeError
from dynaconv.kernels import FourierKernel, FourierKernels
from dynaconv.native import fourier
from dynaconv.ops.fourier_conv import REGISTRY, sample_blocks
from dynaconv.spec import ConvSpec

# Input and output channels, kernel, map, samples, options of the spectrum, the geometry.
CASES: dict[str, tuple[int, int, Any, tuple[int, int], int, dict[str, Any], dict[str, Any]]] = {
    "plain": (4, 6, 3, (7, 6), 3, {"num_kernels": 5}, {"padding": 1}),
    "odd columns": (5, 4, (3, 1), (6, 7), 2, {"num_kernels": 3}, {"stride": (2, 1)}),
    "one sample": (4, 6, 3, (5, 4), 1, {"num_kernels": 4}, {"padding": 1, "dilation": 2}),
    "one tap": (6, 4, 1, (5, 4), 3, {"num_kernels": 64}, {}),
    "groups": (4, 6, 3, (7, 6), 3, {"num_kernels": 5, "groups": 2}, {"padding": 1}),
    "spectra": (4, 6, 3, (7, 6), 3, {"num_kernels": 2, "spectra": 2, "kept_frequencies": 0.5}, {"padding": "same"}),
    "wrapped": (4, 6, 3, (7, 6), 3, {"num_kernels": 5}, {"padding": 2, "padding_mode": "circular"}),
    "one channel": (1, 1, 3, (4, 4), 2, {"num_kernels": 2}, {}),
    "many samples": (6, 5, 3, (4, 4), 11, {"num_kernels": 7}, {"padding": 1}),
    "primes": (22, 13, (5, 1), (6, 3), 5, {"num_kernels": 9, "spectra": 2}, {"padding": (2, 0)}),
    "rows of 14": (14, 20, (1, 3), (3, 5), 2, {"num_kernels": 4}, {}),
}
# What the compiled kernels leave to PyTorch's transforms.
UNSUITED = {"odd columns": "a 12×5 matrix", "one channel": "a 3×3 matrix", "groups": "only one group"}
ALGORITHMS = ["auto", *(name for name in REGISTRY.algorithms if name != "reference")]
Draw = tuple[Tensor, FourierKernel, ConvSpec, list[Tensor]]


def draw(name: str, dtype: torch.dtype = torch.float64, *, factors: bool = True) -> Draw:
    """An input, a kernel value, the geometry, and everything that has a gradient."""
    inputs, outputs, kernel, size, batch, options, geometry = CASES[name]
    groups = options.get("groups", 1)
    spec = ConvSpec.parse(inputs, outputs, kernel, dims=2, groups=groups, **geometry)
    module = FourierKernels(spec.weight_shape, **options, local_dim=3 if factors else 0, dtype=dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    shapes = {
        "gates": (batch, module.num_kernels * module.spectra),
        "taps": (batch, spec.taps),
        "inputs": (batch, inputs),
        "outputs": (batch, outputs),
        "local": (batch, inputs, 3),
    }
    leaves = {
        n: torch.rand(s, dtype=dtype).requires_grad_() if factors or n == "gates" else None for n, s in shapes.items()
    }
    x = torch.randn(batch, inputs, *size, dtype=dtype, requires_grad=True)
    everything = [x, *(leaf for leaf in leaves.values() if leaf is not None), *module.parameters()]
    return x, module(**leaves), spec, everything


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


@pytest.mark.skipif(native.status().state != "on", reason="the compiled kernels are off")
@pytest.mark.parametrize("name", CASES)
def test_compiled_kernels_say_why_they_cannot_run(name: str) -> None:
    _, kernel, _, _ = draw(name, torch.float32)
    reasons = fourier.why_not(kernel)
    assert UNSUITED.get(name, "") in "; ".join(reasons)
    assert bool(reasons) == (name in UNSUITED)
    assert fourier.why_not(draw(name)[1])


@pytest.mark.skipif(native.status().state != "on", reason="the compiled kernels are off")
def test_every_block_size_gives_the_same_kernels_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel, spec, leaves = draw("many samples", torch.float32)
    upstream = torch.randn_like(ops.conv(x, kernel, spec))

    def found(samples: int) -> list[Tensor]:
        monkeypatch.setattr(sample_blocks, "BLOCK_NUMBERS", samples * spec.weight_count)
        y = ops.conv(x, kernel, spec, "native")
        return [y, *torch.autograd.grad(y, leaves, upstream, retain_graph=True)]

    torch.testing.assert_close(found(11), found(1))


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
