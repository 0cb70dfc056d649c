"""Operator problems to measure: layer shapes of real networks with batches and numbers of experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynaconv.bench.shapes import BATCHES, EXPERTS, LayerShape, layer_shapes
from dynaconv.dispatch import Problem
from dynaconv.spec import ConvSpec

__all__ = ["SWEEPS", "OperatorCase", "operator_cases"]

SWEEPS = ("batch", "experts", "channels", "resolution")
_QUICK_STEP = {"mixture_conv": 60, "dense_conv": 16, "tapwise_conv": 8}
_IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class OperatorCase:
    """One problem.

    Attributes:
        name: one line for people, unique.
        problem: what is to be done.
        sweep: what grows, if the problem belongs to a series in which one thing does; else empty.
        point: how large that is.
    """

    name: str
    problem: Problem
    sweep: str = ""
    point: int = 0


def operator_cases(*, quick: bool = False) -> tuple[OperatorCase, ...]:
    """What is measured.

    `mixture_conv` on every layer shape but the stems, which no method replaces: each shape once with every batch and
    once with every K, paired so that over the shapes all pairs occur equally often (the full product would be four
    times as many). K = 1 and 4 come with ODConv's scales, K = 8 and 16 with none, as their methods have it.
    `dense_conv` on the shapes of the library's own generated kernels with every batch; `tapwise_conv` on the 3×3
    shapes of ResNet-18 with batches that its window tensors leave memory for. Then four series, in each of which one
    of batch, K, channels and resolution grows and the others stay.

    Args:
        quick: a few of each operator, no series.
    """
    shapes = [shape for shape in layer_shapes() if shape.spec.in_channels != _IMAGE_CHANNELS]
    by_operator = (list(_mixtures(shapes)), list(_dense(shapes)), list(_tapwise(shapes)))
    if quick:
        picked = (cases[:: _QUICK_STEP[cases[0].problem.operator]] for cases in by_operator)
        return tuple(case for cases in picked for case in cases)
    return (*(case for cases in by_operator for case in cases), *_series())


def _mixtures(shapes: list[LayerShape]) -> Iterator[OperatorCase]:
    for i, shape in enumerate(shapes):
        for j, batch in enumerate(BATCHES):
            yield _case(shape, _mixture(shape.spec, batch, shape.size, EXPERTS[(i + j) % len(EXPERTS)]))


def _dense(shapes: list[LayerShape]) -> Iterator[OperatorCase]:
    for shape in shapes:
        for batch in BATCHES if shape.dynamic else ():
            yield _case(shape, Problem("dense_conv", shape.spec, batch, shape.size))


def _tapwise(shapes: list[LayerShape]) -> Iterator[OperatorCase]:
    for shape in shapes:
        if "resnet18@128" in shape.networks and shape.spec.taps > 1:
            for batch in BATCHES[:-1]:
                yield _case(shape, Problem("tapwise_conv", shape.spec, batch, shape.size))


def _series() -> Iterator[OperatorCase]:
    """Around one middling layer: 128 channels, 3×3, a 16×16 map, batch 32, K = 4, ODConv's scales."""
    base = {"batch": 32, "experts": 4, "channels": 128, "resolution": 16}
    points = {"batch": BATCHES, "experts": EXPERTS, "channels": (64, 128, 256, 512), "resolution": (8, 16, 32, 64)}
    for sweep in SWEEPS:
        for point in points[sweep]:
            values = {**base, sweep: point}
            channels, side = values["channels"], values["resolution"]
            spec = ConvSpec.parse(channels, channels, 3, dims=2, padding=1)
            problem = _mixture(spec, values["batch"], (side, side), values["experts"], scales=True)
            yield OperatorCase(f"growth with {sweep}: {point}", problem, sweep, point)


def _mixture(spec: ConvSpec, batch: int, size: tuple[int, ...], experts: int, *, scales: bool | None = None) -> Problem:
    """A `mixture_conv` problem; ODConv's scales, as far as the shape has them, where K is at most 4 or if asked for."""
    has = (spec.taps > 1, True, not spec.in_channels == spec.out_channels == spec.groups)
    wanted = experts <= 4 if scales is None else scales
    names = tuple(n for n, h in zip(("tap_scale", "in_scale", "out_scale"), has, strict=True) if h and wanted)
    return Problem("mixture_conv", spec, batch, size, experts, scales=names)


def _case(shape: LayerShape, problem: Problem) -> OperatorCase:
    s = problem.spec
    kernel, size = ("×".join(map(str, sides)) for sides in (s.kernel_size, problem.size))
    groups = f" groups {s.groups}" if s.groups > 1 else ""
    experts = f" K {problem.experts}" if problem.operator == "mixture_conv" else ""
    what = f"{s.in_channels}→{s.out_channels} {kernel}/{s.stride[0]}{groups} on {size}"
    return OperatorCase(
        f"{problem.operator} {what} batch {problem.batch}{experts} ({', '.join(shape.networks)})", problem
    )
