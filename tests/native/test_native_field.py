"""The compiled passes over receptive fields against formulas in float64: values and every gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import pytest
import torch
from support.instruction_sets import assert_the_same_with_any_threads, forced, runnable
from torch import Tensor

from dynaconv.native import field as native_field
from dynaconv.ops.receptive_field import (
    PoolKind,
    amounts,
    compiled,
    field_pool,
    field_statistics,
    pool,
    weighted_field_conv,
)
from dynaconv.ops.static_conv import static_conv
from dynaconv.spec import ConvSpec

TOLERANCE = 2e-5  # of the largest value: float32 rounding over some thousand products


@dataclass(frozen=True)
class Case:
    """One problem."""

    name: str
    batch: int
    inputs: int
    outputs: int
    size: tuple[int, int]
    kernel: Any = 3
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> ConvSpec:
        return ConvSpec.parse(self.inputs, self.outputs, self.kernel, dims=2, **self.options)

    @property
    def of_field(self) -> ConvSpec:
        return replace(self.spec, out_channels=self.inputs * self.spec.taps, groups=self.inputs)


CASES = [
    Case("square", 5, 20, 12, (8, 8), options={"padding": 1}),
    Case("one sample of one channel", 1, 1, 3, (9, 7), options={"padding": 1}),
    Case("strided", 3, 17, 6, (13, 10), options={"stride": 2, "padding": 1}),
    Case("other strides, groups", 2, 6, 8, (9, 14), (2, 3), {"stride": (1, 3), "groups": 2}),
    Case("dilated", 2, 5, 4, (9, 11), options={"padding": (1, 2), "dilation": (1, 2)}),
    Case("five by five", 2, 4, 6, (12, 33), 5, {"padding": 2}),
    Case("one tap", 3, 40, 5, (6, 5), 1),
    Case("large map", 1, 3, 4, (41, 40), options={"padding": 1}),
    Case("small maps", 150, 2, 3, (3, 3), options={"padding": 1}),
    Case("one position", 4, 3, 2, (3, 3)),
    Case("one column", 2, 3, 2, (20, 3)),
]
FACTORS = ("softmax", "gates", "coordinates")
Run = Callable[..., Tensor]


def of_features(case: Case) -> tuple[Run, list[Tensor]]:
    """The field itself, from x, its weight and its shift."""

    def formula(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
        made: Tensor = static_conv(x, weight, shift, case.of_field).unflatten(1, (case.inputs, *case.spec.kernel_size))
        return made

    shapes = ((case.batch, case.inputs, *case.size), case.of_field.weight_shape, (case.of_field.out_channels,))
    return formula, [torch.randn(shape) for shape in shapes]


def statistics(case: Case) -> tuple[Run, Run, list[Tensor]]:
    features, (x, weight, _) = of_features(case)

    def formula(x: Tensor, weight: Tensor) -> Tensor:
        every = features(x, weight, None).flatten(1, 3)
        return torch.stack(torch.var_mean(every, (0, 2, 3), correction=0)[::-1])

    return lambda x, weight: torch.stack(field_statistics(x, weight, case.of_field)), formula, [x, weight]


def pooled(case: Case, kind: PoolKind) -> tuple[Run, Run, list[Tensor]]:
    features, tensors = of_features(case)
    return lambda *t: field_pool(*t, case.of_field, kind), lambda *t: pool(features(*t).relu(), kind), tensors


def weighted(case: Case, kind: str) -> tuple[Run, Run, list[Tensor]]:
    features, tensors = of_features(case)
    spec, (height, width), size = case.spec, case.spec.kernel_size, case.spec.output_size(case.size)
    shapes = {
        "softmax": ((1, case.inputs, height, width, 1, 1), (case.batch, case.inputs, 1, 1, *size)),
        "gates": ((case.batch, case.inputs, 1, 1, 1, 1), (case.batch, 1, height, width, *size)),
        "coordinates": (
            (case.batch, case.inputs, height, 1, size[0], 1),
            (case.batch, case.inputs, 1, width, 1, size[1]),
        ),
    }[kind]
    softmax = kind == "softmax"

    def found(x: Tensor, w: Tensor, shift: Tensor, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
        return weighted_field_conv(x, w, shift, (left, right), weight, None, spec, softmax=softmax)

    def formula(x: Tensor, w: Tensor, shift: Tensor, left: Tensor, right: Tensor, weight: Tensor) -> Tensor:
        laid_out = features(x, w, shift).relu().flatten(2, 3) * amounts(left, right, softmax=softmax)
        on_field = ConvSpec.parse(case.of_field.out_channels, spec.out_channels, 1, dims=2, groups=spec.groups)
        return static_conv(laid_out.flatten(1, 2), weight.reshape(on_field.weight_shape), None, on_field)

    return found, formula, [*tensors, *(torch.randn(shape) for shape in shapes), torch.randn(spec.weight_shape)]


def problem(case: Case, name: str) -> tuple[Run, Run, list[Tensor]]:
    """An operator, what it should give, and its tensors."""
    if name == "statistics":
        return statistics(case)
    if name == "channels" or name == "lines":
        return pooled(case, name)
    return weighted(case, name)


OPERATORS = ("statistics", "channels", "lines", *FACTORS)


def value_and_gradients(run: Run, tensors: list[Tensor], upstream: Tensor | None = None) -> list[Tensor]:
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    y = run(*leaves)
    if upstream is None:
        upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    return [y.detach(), *torch.autograd.grad(y, leaves, upstream.to(y.dtype))]


@pytest.mark.parametrize("instruction_set", runnable())
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_equal_the_formula(case: Case, name: str, instruction_set: str) -> None:
    torch.manual_seed(0)
    found, formula, tensors = problem(case, name)
    assert compiled.can_run(tensors[0], case.of_field)
    expected = value_and_gradients(formula, [tensor.double() for tensor in tensors])
    with forced(instruction_set):
        results = value_and_gradients(found, tensors)
    for ours, exact in zip(results, expected, strict=True):
        assert ours.shape == exact.shape
        assert float((ours - exact).abs().max()) <= TOLERANCE * float(exact.abs().max()) + 1e-6


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.name)
def test_results_do_not_depend_on_the_number_of_threads(case: Case, name: str) -> None:
    _, _, (x, weight, *rest) = problem(case, name)
    every, columns = slice(0, case.batch), case.batch * prod(case.spec.output_size(case.size))

    def run() -> list[Tensor]:
        fields = compiled.compiled_field(x, weight, torch.zeros(len(weight)), case.of_field)
        if name == "statistics":
            found = [fields.squares()]
            fields.affine_back(torch.ones(case.inputs, case.spec.taps, case.spec.taps + 1))
        elif name == "channels":
            greatest, ties = fields.greatest(ties=True).unsqueeze(2).unbind(1)
            found = [fields.greatest(ties=False), greatest, ties]
            fields.greatest_back(ties, ties, greatest)
        elif name == "lines":
            found = [*fields.lines()]
            fields.lines_back(*found)
        else:
            factors, totals = (rest[1], rest[2]), (torch.zeros_like(rest[1]), torch.zeros_like(rest[2]))
            out = torch.empty(case.inputs, case.spec.taps, columns)
            fields.weigh(every, factors, out, softmax=name == "softmax")
            fields.weigh_back(every, factors, totals, out, softmax=name == "softmax")
            found = [out, *totals]
        return [*found, fields.to_x, fields.to_kernels]

    assert_the_same_with_any_threads(run)


@pytest.mark.parametrize("name", OPERATORS)
def test_without_the_compiled_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _, tensors = problem(CASES[0], name)
    ours = value_and_gradients(found, tensors)
    monkeypatch.setattr(native_field, "why_not", lambda *_: ("off",))
    for one, other in zip(ours, value_and_gradients(found, tensors), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("name", ["channels", *FACTORS])
def test_what_is_no_number_stays(name: str) -> None:
    found, _, tensors = problem(CASES[0], name)
    tensors[0][1, 2, 3, 3] = torch.nan
    y = found(*tensors)
    assert y[1, :, ..., 3, 3].isnan().all()
    assert not y[0].isnan().any()


def test_reasons_against_a_problem() -> None:
    spec = CASES[0].of_field
    assert native_field.why_not(spec) == ()
    assert native_field.why_not(spec, "float64") == ("float64 on cpu: only float32 on the CPU",)
    fewer = replace(spec, out_channels=2 * spec.in_channels)
    assert native_field.why_not(fewer) == ("2 dimensions, 40 features: only two, as many as taps per channel",)
