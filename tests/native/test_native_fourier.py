"""The fused kernels that make convolution kernels from spectra, against the definition, over instruction sets."""

from __future__ import annotations

import pytest
import torch
from support.fourier_kernels import CASES, draw
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv import ops
from dynaconv.native import fourier

TOLERANCE = 5e-5  # of the largest value: float32 rounding over some thousand products
# What the compiled kernels leave to PyTorch's transforms.
UNSUITED = {"odd columns": "a 12×5 matrix", "one channel": "a 3×3 matrix", "groups": "only one group"}
SUITED = [name for name in CASES if name not in UNSUITED]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("name", SUITED)
def test_kernels_and_gradients_equal_the_definition(name: str, instruction_set: str) -> None:
    x, kernel, spec, leaves = draw(name, torch.float32)
    y = ops.conv(x, kernel, spec, "reference")
    upstream = torch.randn_like(y)
    expected = (y.detach(), *torch.autograd.grad(y, leaves, upstream, retain_graph=True))
    with forced(instruction_set):
        y = ops.conv(x, kernel, spec, "native")
        found = (y.detach(), *torch.autograd.grad(y, leaves, upstream, retain_graph=True))
    for one, exact in zip(found, expected, strict=True):
        assert float((one - exact).abs().max() / exact.abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", ["many samples", "primes"])
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    x, kernel, spec, leaves = draw(name, torch.float32)

    def run() -> list[Tensor]:
        y = ops.conv(x, kernel, spec, "native")
        return [y, *torch.autograd.grad(y.square().sum(), leaves, retain_graph=True)]

    assert_the_same_with_any_threads(run)


@pytest.mark.parametrize("name", CASES)
def test_compiled_kernels_say_why_they_cannot_run(name: str) -> None:
    _, kernel, spec, _ = draw(name, torch.float32)
    reasons = fourier.why_not(kernel, spec)
    assert UNSUITED.get(name, "") in "; ".join(reasons)
    assert bool(reasons) == (name in UNSUITED)
    assert fourier.why_not(draw(name)[1], spec)


@pytest.mark.parametrize("batch", [1, 7])
def test_wide_layers_are_shared_out_among_threads_and_chunks_of_samples(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many weights that only some samples' spectra are in memory, and that outputs are cut into bands.
    options = {"num_kernels": 16}, {"padding": 1, "stride": 2}
    monkeypatch.setitem(CASES, "wide", (140, 150, 3, (3, 4), batch, *options))
    x, kernel, spec, leaves = draw("wide", torch.float32)
    y = ops.conv(x, kernel, spec, "reference")
    upstream = torch.randn_like(y)
    expected = (y.detach(), *torch.autograd.grad(y, leaves, upstream, retain_graph=True))

    def run() -> list[Tensor]:
        y = ops.conv(x, kernel, spec, "native")
        return [y.detach(), *torch.autograd.grad(y, leaves, upstream, retain_graph=True)]

    for one, exact in zip(run(), expected, strict=True):
        assert float((one - exact).abs().max() / exact.abs().max()) < TOLERANCE
    assert_the_same_with_any_threads(run)
