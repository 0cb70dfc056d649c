"""One block, head or root: equality with the authors' formulation, then times and memory of both."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.bench.blocks import BlockCase, build_block, map_of
from dynaconv.bench.equality import compare, upstream_of
from dynaconv.bench.measure import Effort, Timing, in_turns
from dynaconv.bench.published_forms import PublishedForm

__all__ = ["BLOCK_FORMS", "BLOCK_PASSES", "BlockResult", "check_block", "kept_bytes", "measure_block"]

BLOCK_FORMS: tuple[str, ...] = ("published", "ours")
# Rounding moves some values of a large map across the zero of a ReLU, and their gradients appear or vanish.
_ALLOWED = 5e-4
BLOCK_PASSES: tuple[str, ...] = ("inference", "training")


@dataclass(frozen=True)
class BlockResult:
    """What was measured of one case.

    Attributes:
        name: the case's.
        case: block, channels, side, batch.
        seconds: pass → form → timing; training is a forward and a backward pass.
        kept_bytes: form → what it keeps between them besides its parameters.
    """

    name: str
    case: BlockCase
    seconds: dict[str, dict[str, Timing]]
    kept_bytes: dict[str, int]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> BlockResult:
        """The result that `dataclasses.asdict`, and JSON, made `values` of."""
        seconds = {p: {f: Timing(**t) for f, t in forms.items()} for p, forms in values["seconds"].items()}
        return cls(**{**values, "case": BlockCase.from_plain(values["case"]), "seconds": seconds})

    def ratio(self, what: str) -> float | None:
        """How many times as much ours takes as the authors' formulation, in a pass or in `"memory"`."""
        if what == "memory":
            values = dict[str, float](self.kept_bytes)
        else:
            values = {form: timing.median for form, timing in self.seconds.get(what, {}).items()}
        return values["ours"] / values["published"] if values.keys() >= {*BLOCK_FORMS} else None


def measure_block(case: BlockCase, effort: Effort) -> BlockResult:
    """Check, then measure.

    Raises:
        NotEqualError: a form differs from the authors' formulation in float64; nothing was measured.
    """
    ours, x = build_block(case), map_of(case)
    forms = {"published": PublishedForm(ours), "ours": ours}
    check_block(forms, x)
    seconds = {
        "inference": in_turns({name: _forward(form.eval(), x) for name, form in forms.items()}, effort),
        "training": in_turns({name: _both(form.train(), x) for name, form in forms.items()}, effort),
    }
    return BlockResult(case.name, case, seconds, {name: kept_bytes(form, x) for name, form in forms.items()})


def check_block(forms: Mapping[str, nn.Module], x: Tensor) -> None:
    """Raise unless all forms agree with the one that is published, run in float64.

    In evaluation the output and every gradient are compared; in training, where a bias before a normalisation has a
    gradient of nothing but rounding, the output and the gradient of the map.

    Args:
        forms: name → module; all have the same parameters in the same order.
        x: what they get.

    Raises:
        NotEqualError: naming the form and the tensor.
    """
    for training in (False, True):
        reference = copy.deepcopy(forms["published"]).double().train(training)
        y, leaves = _run(reference, x.double())
        upstream = upstream_of(y.detach())
        if y.dim() == 3:
            # The published backward pass of the root is right for symmetric gradients alone.
            upstream = upstream + upstream.mT
        checked = [*leaves][:1] if training else [*leaves]
        expected = torch.autograd.grad(y, [leaves[name] for name in checked], upstream)
        for form, module in forms.items():
            # A copy: training moves running statistics.
            found, own = _run(copy.deepcopy(module).train(training), x)
            compare(form, "the output", found, y, _ALLOWED)
            gradients = torch.autograd.grad(found, [*own.values()][: len(checked)], upstream.to(x.dtype))
            for name, gradient, right in zip(checked, gradients, expected, strict=True):
                compare(form, f"the gradient of {name}", gradient, right, _ALLOWED)


def _run(module: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The output, and the tensors that it is computed from, the map first."""
    x = x.detach().requires_grad_()
    return module(x), {"x": x, **dict(module.named_parameters())}


def kept_bytes(module: nn.Module, x: Tensor) -> int:
    """Bytes that wait for the backward pass, each storage once; parameters do not count."""
    noted: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        # Held, so that no other tensor gets its address.
        noted.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        # The output holds the graph, and what it saved, until all is counted.
        y = module(x.detach().requires_grad_())
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    found = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in noted}
    del y
    return sum(size for address, size in found.items() if address not in own)


def _forward(module: nn.Module, x: Tensor) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            module(x)

    return run


def _both(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """A forward and a backward pass, of the map and of all parameters."""
    x = x.detach().requires_grad_()
    leaves = [x, *module.parameters()]
    upstream = torch.ones_like(module(x))

    def run() -> None:
        torch.autograd.grad(module(x), leaves, upstream)

    return run
