"""Operators as the benchmark sees them: their algorithms, tensors for a problem, and the static twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType

import torch
from torch import Tensor

from dynaconv.dispatch import Problem, Registry
from dynaconv.errors import ArgumentError
from dynaconv.kernels import DenseKernel, Kernel, MixtureKernel, StaticKernel, TapwiseKernel
from dynaconv.ops.dense_conv.algorithms import REGISTRY as DENSE
from dynaconv.ops.mixture_conv.algorithms import REGISTRY as MIXTURE
from dynaconv.ops.tapwise_conv.algorithms import REGISTRY as TAPWISE

__all__ = ["REGISTRIES", "static_twin", "tensors_of", "with_leaves"]

REGISTRIES: Mapping[str, Registry] = MappingProxyType(
    {"mixture_conv": MIXTURE, "dense_conv": DENSE, "tapwise_conv": TAPWISE}
)


def tensors_of(problem: Problem) -> tuple[Tensor, Kernel]:
    """An input and a kernel with random numbers; shares of experts sum to one, scales lie between 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    dtype = getattr(torch, problem.dtype)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    x = noise(problem.batch, problem.spec.in_channels, *problem.size)
    return x, _KERNELS[problem.operator](problem, noise)


def _mixture_kernel(problem: Problem, noise: Callable[..., Tensor]) -> MixtureKernel:
    spec, batch = problem.spec, problem.batch
    shapes = {"tap_scale": spec.kernel_size, "in_scale": (spec.in_channels,), "out_scale": (spec.out_channels,)}
    scales = {name: noise(batch, *shapes[name]).sigmoid() for name in problem.scales}
    bank, mixture = noise(problem.experts, *spec.weight_shape), noise(batch, problem.experts).softmax(1)
    return MixtureKernel(bank, mixture, **scales)


def _dense_kernel(problem: Problem, noise: Callable[..., Tensor]) -> DenseKernel:
    return DenseKernel(noise(problem.batch, *problem.spec.weight_shape))


def _tapwise_kernel(problem: Problem, noise: Callable[..., Tensor]) -> TapwiseKernel:
    spec = problem.spec
    taps = noise(problem.batch, 1, spec.taps, *spec.output_size(problem.size)).sigmoid()
    return TapwiseKernel(noise(*spec.weight_shape), taps)


_KERNELS: Mapping[str, Callable[..., Kernel]] = MappingProxyType(
    {"mixture_conv": _mixture_kernel, "dense_conv": _dense_kernel, "tapwise_conv": _tapwise_kernel}
)


def static_twin(kernel: Kernel) -> StaticKernel:
    """One kernel of the same shape for all samples, without a bias."""
    match kernel:
        case MixtureKernel():
            return StaticKernel(kernel.bank[0])
        case DenseKernel():
            return StaticKernel(kernel.weight[0].clone())
        case TapwiseKernel():
            return StaticKernel(kernel.weight)
        case _:
            raise ArgumentError("kernel", type(kernel).__name__, "a kernel of an operator that is measured")


def with_leaves(kernel: Kernel) -> tuple[Kernel, list[Tensor]]:
    """The kernel with tensors that want gradients, and those tensors."""
    given = {f.name: t for f in fields(kernel) if (t := getattr(kernel, f.name)) is not None}
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in given.items()}
    return replace(kernel, **leaves), [*leaves.values()]
