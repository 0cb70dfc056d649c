"""What the operators stand beside values and gradients: memory, second derivatives, autocast, compilers, transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from support.agreement import tolerance
from support.problems import GRID, Problem
from torch import Tensor

from dynaconv import native, ops
from dynaconv.kernels import Kernel, MixtureKernel
from dynaconv.ops.mixture_conv import REGISTRY

OPS = ("mixture", "dense", "tapwise", "cells")
ALGORITHMS = [
    name
    for name, algorithm in REGISTRY.algorithms.items()
    if algorithm.backward is not None and (name != "native" or native.status().state == "on")
]


def as_function(problem: Problem, op: str) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """The operator as a function of its tensors alone, and the tensors, the input first."""
    kernel: Kernel = getattr(problem, op)()
    names = [f.name for f in fields(kernel) if getattr(kernel, f.name) is not None]

    def call(x: Tensor, *parts: Tensor) -> Tensor:
        return ops.conv(x, type(kernel)(**dict(zip(names, parts, strict=True))), problem.spec)

    return call, [problem.input(), *(getattr(kernel, name) for name in names)]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", ["all scales", "groups", "1d", "one sample"])
def test_first_and_second_derivatives(op: str, name: str) -> None:
    call, tensors = as_function(GRID[name], op)
    assert torch.autograd.gradcheck(call, tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(call, tensors, fast_mode=True)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_nothing_the_size_of_the_kernels_stays_alive(name: str) -> None:
    problem = Problem(8, 8, (3, 3), (6, 6), batch=32, scales=("tap_scale", "out_scale"), geometry={"padding": 1})
    saved: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.conv(problem.input(torch.float32), problem.mixture(torch.float32), problem.spec, name)
    assert max(saved) < problem.batch * problem.spec.weight_count
    # Input, bank and coefficients, and nothing else.
    assert sum(saved) == 32 * 8 * 36 + 4 * 8 * 8 * 9 + 32 * (4 + 9 + 8)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_only_wanted_gradients(name: str) -> None:
    problem = GRID["all scales"]
    x, kernel = problem.input(torch.float32), problem.mixture(torch.float32)
    everything = [x, kernel.bank, kernel.mixture, *kernel.scales]
    full = torch.autograd.grad(ops.conv(x, kernel, problem.spec, name).sum(), everything)
    for leaf, expected in zip(everything, full, strict=True):
        parts = {f.name: getattr(kernel, f.name).detach() for f in fields(kernel)}
        parts = {n: t.requires_grad_(getattr(kernel, n) is leaf) for n, t in parts.items()}
        alone = x.detach().requires_grad_(leaf is x)
        y = ops.conv(alone, MixtureKernel(**parts), problem.spec, name)
        y.sum().backward()
        (found,) = [t.grad for t in (alone, *parts.values()) if t.grad is not None]
        torch.testing.assert_close(found, expected, **tolerance(torch.float32))


@pytest.mark.parametrize("op", OPS)
def test_func_transforms(op: str) -> None:
    call, (x, *parts) = as_function(GRID["all scales"], op)
    expected = torch.autograd.grad(call(x, *parts).square().sum(), [x, *parts])
    found = torch.func.grad(lambda *t: call(*t).square().sum(), argnums=tuple(range(1 + len(parts))))(x, *parts)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    many = torch.randn(4, *x.shape, dtype=x.dtype)
    rows = torch.stack([call(one, *parts) for one in many])
    torch.testing.assert_close(torch.func.vmap(lambda one: call(one, *parts))(many), rows)
    banks = torch.randn(4, *parts[0].shape, dtype=x.dtype)
    per_bank = torch.stack([call(x, bank, *parts[1:]) for bank in banks])
    torch.testing.assert_close(torch.func.vmap(lambda bank: call(x, bank, *parts[1:]))(banks), per_bank)
    gradients = torch.func.vmap(torch.func.grad(lambda one: call(one, *parts).square().sum()))(many)
    one_by_one = [
        torch.autograd.grad(call(one, *parts).square().sum(), one)[0] for one in many.requires_grad_().unbind()
    ]
    torch.testing.assert_close(gradients, torch.stack(one_by_one))


@pytest.mark.parametrize("op", OPS)
def test_compiled_once_for_every_batch_size(op: str) -> None:
    torch.compiler.reset()
    graphs: list[int] = []

    def counting(module: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append(len(inputs))
        return torch._dynamo.backends.debugging.aot_eager(module, inputs)

    first = Problem(4, 6, (3, 3), (5, 8), batch=13, geometry={"padding": 1})
    spec, kind = first.spec, type(getattr(first, op)())

    def call(x: Tensor, parts: dict[str, Tensor]) -> Tensor:
        return ops.conv(x, kind(**parts), spec)

    compiled = torch.compile(call, fullgraph=True, dynamic=True, backend=counting)
    for batch in (13, 11, 7, 9):
        problem = replace(first, batch=batch)
        kernel, x = getattr(problem, op)(), problem.input()
        parts = {f.name: t for f in fields(kernel) if (t := getattr(kernel, f.name)) is not None}
        expected, found = call(x, parts), compiled(x, parts)
        torch.testing.assert_close(found, expected)
        leaves = [x, *parts.values()]
        wanted = torch.autograd.grad(expected.sum(), leaves)
        for ours, theirs in zip(torch.autograd.grad(found.sum(), leaves), wanted, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert len(graphs) == 1


@pytest.mark.parametrize("op", OPS)
def test_autocast(op: str) -> None:
    problem = GRID["all scales"]
    x, kernel = problem.input(torch.float32), getattr(problem, op)(torch.float32)
    expected = ops.conv(x, kernel, problem.spec)
    with torch.autocast("cpu", torch.bfloat16):
        found = ops.conv(x, kernel, problem.spec)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.6)
    found.float().sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("name", ALGORITHMS)
def test_deterministic_mode(name: str) -> None:
    problem = GRID["all scales"]
    x, kernel = problem.input(torch.float32), problem.mixture(torch.float32)
    run = partial(ops.conv, x, kernel, problem.spec, name)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = run(), run()
        (one,), (two,) = torch.autograd.grad(first.sum(), x), torch.autograd.grad(second.sum(), x)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(first, second)
    assert torch.equal(one, two)
