"""Laws that tie every kind of kernel to the ordinary convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from support.problems import GRID, Problem, problems

from dynaconv import ops
from dynaconv.kernels import DenseKernel, MixtureKernel, StaticKernel

X = torch.randn(3, 4, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
BANK = torch.randn(5, 6, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
MIXTURE = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_the_same_mixture_for_all_is_an_ordinary_convolution_with_the_mixed_kernel() -> None:
    mixed = torch.einsum("k,koihw->oihw", MIXTURE[0], BANK)
    y = ops.mixture_conv(X, BANK, MIXTURE[:1].expand(3, -1), padding=1)
    torch.testing.assert_close(y, F.conv2d(X, mixed, padding=1))


def test_a_one_hot_mixture_is_that_expert() -> None:
    y = ops.mixture_conv(X, BANK, torch.eye(5, dtype=torch.float64)[[2, 0, 4]])
    for b, k in enumerate((2, 0, 4)):
        torch.testing.assert_close(y[b : b + 1], F.conv2d(X[b : b + 1], BANK[k]))


def test_mixing_outputs_is_mixing_kernels() -> None:
    outputs = torch.stack([F.conv2d(X, expert) for expert in BANK], dim=1)
    torch.testing.assert_close(ops.mixture_conv(X, BANK, MIXTURE), torch.einsum("bk,bkohw->bohw", MIXTURE, outputs))


def test_channel_scales_may_go_on_the_maps() -> None:
    in_scale, out_scale = torch.rand(3, 4).double(), torch.rand(3, 6).double()
    inside = ops.mixture_conv(X, BANK, MIXTURE, in_scale=in_scale, out_scale=out_scale)
    outside = ops.mixture_conv(X * in_scale[..., None, None], BANK, MIXTURE) * out_scale[..., None, None]
    torch.testing.assert_close(inside, outside)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(problem=problems())
def test_dense_form_is_factored_form(problem: Problem) -> None:
    torch.manual_seed(0)
    x, kernel, spec = problem.input(), problem.mixture(), problem.spec
    written_out = DenseKernel(kernel.dense(), kernel.bias())
    torch.testing.assert_close(ops.conv(x, written_out, spec), ops.conv(x, kernel, spec, "reference"))


def test_tapwise_dense_is_the_kernel_of_every_position() -> None:
    problem = GRID["groups"]
    x, kernel, spec = problem.input(), problem.tapwise(), problem.spec
    everywhere = kernel.dense(groups=2)
    y = ops.conv(x, kernel, spec)
    for i, j in ((0, 0), (1, 1), (1, 0)):
        here = StaticKernel(everywhere[0, ..., i, j], kernel.bias)
        torch.testing.assert_close(ops.conv(x[:1], here, spec)[0, :, i, j], y[0, :, i, j])


@pytest.mark.parametrize("name", ["all scales", "groups", "3d"])
@pytest.mark.parametrize("op", ["mixture", "dense", "tapwise", "cells"])
def test_permuting_the_batch_permutes_the_output(op: str, name: str) -> None:
    problem = GRID[name]
    x, kernel, spec = problem.input(), getattr(problem, op)(), problem.spec
    order = torch.tensor([2, 0, 1])
    shared = {"bank", "cells", "weight", "bias_bank", "bias"} - ({"weight", "bias"} if op == "dense" else set())
    fields = {n: t if t is None or n in shared else t[order] for n, t in vars(kernel).items()}
    permuted = ops.conv(x[order], type(kernel)(**fields), spec)
    torch.testing.assert_close(permuted, ops.conv(x, kernel, spec)[order])


def test_multiply_adds() -> None:
    bank = torch.zeros(4, 6, 3, 3, 3)
    assert StaticKernel(bank[0]).macs(positions=10) == 10 * 162
    assert DenseKernel(bank).macs(positions=10) == 10 * 162
    assert MixtureKernel(bank, torch.zeros(2, 4)).macs(positions=10) == 4 * 162 + 10 * 162
    assert MixtureKernel(bank[:1], torch.zeros(2, 1)).macs(positions=10) == 10 * 162
