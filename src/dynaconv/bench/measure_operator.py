"""One operator problem: equality of every algorithm with the reference, then times of both passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dynaconv import ops
from dynaconv.bench.equality import REFERENCE, Conv, check_equality
from dynaconv.bench.measure import Effort, Timing, in_turns
from dynaconv.bench.operators import OperatorCase
from dynaconv.bench.plain import plain_conv
from dynaconv.bench.problem_tensors import REGISTRIES, static_twin, tensors_of, with_leaves
from dynaconv.dispatch import Problem
from dynaconv.kernels import Kernel
from dynaconv.spec import ConvSpec

__all__ = ["CLOSE", "OperatorResult", "PassResult", "measure_operator", "runnable"]

CLOSE = 1.15
_BYTES_PER_NUMBER = 4
_MOST_BYTES = 3 * 2**30
# One convolution over K times the channels is the form for export; where K is large it would take most of the time.
_EXPORT_FORM, _MOST_EXPERTS = "expert_input", 4


@dataclass(frozen=True)
class PassResult:
    """One pass over one problem.

    Attributes:
        chosen: the algorithm that is the default.
        static: the static twin.
        grouped: the published formulation in plain autograd; `None` where it needs too much memory.
        default: what a user gets, choosing included.
        algorithms: every algorithm by name.
    """

    chosen: str
    static: Timing
    grouped: Timing | None
    default: Timing
    algorithms: dict[str, Timing]

    @property
    def best(self) -> str:
        """The fastest algorithm."""
        return min(self.algorithms, key=lambda name: self.algorithms[name].median)

    @property
    def loss(self) -> float:
        """How many times the fastest algorithm's time the default's algorithm takes."""
        return self.algorithms[self.chosen].median / self.algorithms[self.best].median


@dataclass(frozen=True)
class OperatorResult:
    """What was measured of one case.

    Attributes:
        name: the case's.
        problem: in words.
        sweep: the case's.
        point: the case's.
        passes: forward and backward.
        left_out: algorithm → why it was not measured.
    """

    name: str
    problem: str
    sweep: str
    point: int
    passes: dict[str, PassResult]
    left_out: dict[str, str]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> OperatorResult:
        """The result that `dataclasses.asdict`, and JSON, made `values` of."""
        passes = {}
        for name, found in values["passes"].items():
            algorithms = {key: Timing(**timing) for key, timing in found["algorithms"].items()}
            static, default = Timing(**found["static"]), Timing(**found["default"])
            grouped = Timing(**found["grouped"]) if found["grouped"] else None
            passes[name] = PassResult(found["chosen"], static, grouped, default, algorithms)
        return cls(**{**values, "passes": passes})


def runnable(problem: Problem) -> tuple[list[str], dict[str, str]]:
    """The algorithms to measure on a problem, and why the others are not; the reference is the measure itself."""
    names, left_out = [], {}
    for name, algorithm in REGISTRIES[problem.operator].algorithms.items():
        bytes_needed = max(algorithm.cost(problem, b).memory for b in (False, True)) * _BYTES_PER_NUMBER
        if reasons := algorithm.why_not(problem):
            left_out[name] = "; ".join(reasons)
        elif bytes_needed > _MOST_BYTES:
            left_out[name] = _too_large(bytes_needed)
        elif name == _EXPORT_FORM and problem.experts > _MOST_EXPERTS:
            left_out[name] = f"does {problem.experts} times the static convolution's multiply-adds"
        elif name != REFERENCE:
            names.append(name)
    return names, left_out


def _grouped_bytes(problem: Problem) -> float:
    """What the published formulation writes out: the kernels of all samples, times the experts where it has scales."""
    copies = problem.experts if problem.scales else 1
    return copies * problem.kernel_numbers * _BYTES_PER_NUMBER


def _too_large(bytes_needed: float) -> str:
    return f"needs {bytes_needed / 2**30:.1f} GiB beyond input and output"


def measure_operator(case: OperatorCase, effort: Effort) -> OperatorResult:
    """Check, then measure.

    Layers hand their maps on in the layout that they write, so every form gets the input in the layout that it reads.
    The static twin runs in both layouts, and the faster counts.

    Raises:
        NotEqualError: an algorithm differs from the reference; nothing was measured.
    """
    x, kernel = tensors_of(case.problem)
    spec = case.problem.spec
    names, left_out = runnable(case.problem)
    algorithms: dict[str, Conv] = {name: partial(ops.conv, algorithm=name) for name in names}
    compared: dict[str, Conv] = {"default": ops.conv}
    if _grouped_bytes(case.problem) <= _MOST_BYTES:
        compared["grouped"] = plain_conv
    else:
        left_out["grouped form"] = _too_large(_grouped_bytes(case.problem))
    check_equality({**{f"algorithm {n}": a for n, a in algorithms.items()}, **compared}, x, kernel, spec)
    passes = {}
    for name, prepare in (("forward", _forward), ("backward", _backward)):
        chosen = _chosen(case.problem, backward=name == "backward")
        given = _inputs(x, case.problem, chosen)
        # An algorithm may be called as one of the other forms is: theirs have a colon.
        forms = {**algorithms, **{f":{form}": conv for form, conv in compared.items()}}
        work = {form: prepare(conv, given.get(form, x), kernel, spec) for form, conv in forms.items()}
        work |= {f":static {layout}": prepare(_static, x, kernel, spec) for layout, x in _layouts(x).items()}
        taken = in_turns(work, effort)
        passes[name] = PassResult(
            chosen=chosen,
            static=min((taken[f":static {layout}"] for layout in _layouts(x)), key=lambda timing: timing.median),
            grouped=taken.get(":grouped"),
            default=taken[":default"],
            algorithms={form: taken[form] for form in algorithms},
        )
    return OperatorResult(case.name, str(case.problem), case.sweep, case.point, passes, left_out)


def _static(x: Tensor, kernel: Kernel, spec: ConvSpec) -> Tensor:
    return ops.conv(x, static_twin(kernel), spec)


def _layouts(x: Tensor) -> dict[str, Tensor]:
    """The input with the pixels of a channel side by side, and with the channels of a pixel."""
    return {"channels first": x, "channels last": x.movedim(1, -1).contiguous().movedim(-1, 1)}


def _inputs(x: Tensor, problem: Problem, chosen: str) -> dict[str, Tensor]:
    """Form → the input as it reads it, where that is not as it is."""
    algorithms = REGISTRIES[problem.operator].algorithms
    last = _layouts(x)["channels last"]
    forms = {**algorithms, ":default": algorithms[chosen]}
    return {name: last for name, algorithm in forms.items() if algorithm.channels_last}


def _chosen(problem: Problem, *, backward: bool) -> str:
    registry = REGISTRIES[problem.operator]
    return registry.differentiable("auto", problem) or registry.preferred(problem, backward).name


def _forward(conv: Conv, x: Tensor, kernel: Kernel, spec: ConvSpec) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            conv(x, kernel, spec)

    return run


def _backward(conv: Conv, x: Tensor, kernel: Kernel, spec: ConvSpec) -> Callable[[], object]:
    """The backward pass alone, of all tensors that the form has."""
    x = x.detach().requires_grad_()
    kernel, leaves = with_leaves(kernel)
    y = conv(x, kernel, spec)
    upstream = torch.ones_like(y)

    def run() -> None:
        # The static twin has no coefficients.
        torch.autograd.grad(y, [x, *leaves], upstream, retain_graph=True, allow_unused=True)

    return run
