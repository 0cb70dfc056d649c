"""`mixture_conv` by the compiled kernels: every sample's kernel is assembled in cache and used at once."""

from __future__ import annotations

from torch import Tensor

from dynaconv import native
from dynaconv.dispatch import Problem
from dynaconv.kernels import MixtureKernel
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.spec import ConvSpec

__all__ = ["backward", "forward", "why_not"]


def forward(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """Convolve; the output is channels-last.

    Args:
        x: `(B, I, *S)`, already padded where the padding is not zeros.
        kernel: without bias; scales per sample.
        spec: the geometry.
    """
    return native.forward(
        x, kernel.bank, _coefficients(kernel), spec, in_scale=kernel.in_scale, out_scale=kernel.out_scale
    )


def backward(gradient: Tensor, x: Tensor, kernel: MixtureKernel, spec: ConvSpec, wanted: Wanted) -> MixtureGradients:
    """All gradients; the kernels are assembled again, tile by tile."""
    bank, coefficients, inside, outside = kernel.bank, _coefficients(kernel), kernel.in_scale, kernel.out_scale
    to_x, to_in = None, None
    if wanted.input:
        to_x, to_in = native.input_gradient(gradient, x, bank, coefficients, spec, in_scale=inside, out_scale=outside)
    if not wanted.kernel:
        return MixtureGradients(to_x, None, None, None, to_in, None)
    to_bank, to_coefficients, to_out = native.bank_gradient(
        gradient, x, bank, coefficients, spec, in_scale=inside, out_scale=outside
    )
    if kernel.tap_scale is None:
        return MixtureGradients(to_x, to_bank, to_coefficients.sum(2), None, to_in, to_out)
    taps = kernel.tap_scale.flatten(1)
    to_mixture = (to_coefficients * taps.unsqueeze(1)).sum(2)
    to_taps = (to_coefficients * kernel.mixture.unsqueeze(2)).sum(1).view_as(kernel.tap_scale)
    return MixtureGradients(to_x, to_bank, to_mixture, to_taps, to_in, to_out)


def why_not(problem: Problem) -> list[str]:
    """Reasons against it."""
    return [*native.why_not(problem.spec, problem.dtype, problem.device)]


def _coefficients(kernel: MixtureKernel) -> Tensor:
    """Every expert's share in every tap: `(B, K, T)`."""
    mixture = kernel.mixture.unsqueeze(2)
    if kernel.tap_scale is None:
        return mixture.expand(-1, -1, kernel.bank[0, 0, 0].numel())
    return mixture * kernel.tap_scale.flatten(1).unsqueeze(1)
