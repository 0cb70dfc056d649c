"""One network case: its layers' equality with the reference, then times and memory of its forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv import ops
from dynaconv.bench.equality import Conv, check_equality, compare
from dynaconv.bench.measure import Effort, Timing, in_turns
from dynaconv.bench.memory import peak_of_step
from dynaconv.bench.networks import NetworkCase, build, images, settle
from dynaconv.bench.plain import grouped_form, plain_conv
from dynaconv.bench.step import inference, training_step
from dynaconv.kernels import Kernel
from dynaconv.layers import DynamicConv
from dynaconv.spec import ConvSpec

__all__ = ["NetworkResult", "check_layers", "measure_network"]


@dataclass(frozen=True)
class NetworkResult:
    """What was measured of one case.

    Attributes:
        name: the case's.
        case: network, method, experts, batch, size, forms and passes.
        parameters: trainable numbers, static and dynamic.
        seconds: pass → form → timing.
        step_bytes: form → peak memory of a training step; empty where training is not measured.
    """

    name: str
    case: NetworkCase
    parameters: dict[str, int]
    seconds: dict[str, dict[str, Timing]]
    step_bytes: dict[str, int]

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> NetworkResult:
        """The result that `dataclasses.asdict`, and JSON, made `values` of."""
        seconds = {p: {f: Timing(**t) for f, t in forms.items()} for p, forms in values["seconds"].items()}
        return cls(**{**values, "case": NetworkCase.from_plain(values["case"]), "seconds": seconds})

    def ratio(self, what: str, form: str, to: str = "static") -> float | None:
        """How many times as much a form takes as another, in a pass or in `"memory"`; `None` if not measured."""
        if what == "memory":
            values = dict[str, float](self.step_bytes)
        else:
            values = {name: timing.median for name, timing in self.seconds.get(what, {}).items()}
        return values[form] / values[to] if form in values and to in values else None


def measure_network(case: NetworkCase, effort: Effort) -> NetworkResult:
    """Check, then measure.

    Raises:
        NotEqualError: a layer differs from the reference; nothing was measured.
        MeasurementError: a process that was to tell its peak memory failed.
    """
    x, classes = images(case)
    static, ours = build(case, "static"), build(case, "ours")
    settle(static, x)
    settle(ours, x)
    check_layers(ours, x, grouped="grouped" in case.forms)
    models = {"static": static, "ours": ours}
    if "grouped" in case.forms:
        models["grouped"] = grouped_form(ours)
    seconds = {}
    if "inference" in case.passes:
        work = {form: inference(model.eval(), x) for form, model in models.items()}
        seconds["inference"] = in_turns(work, effort)
    if "training" in case.passes:
        work = {form: training_step(model.train(), x, classes) for form, model in models.items()}
        seconds["training"] = in_turns(work, effort)
    counts = {form: sum(p.numel() for p in models[form].parameters()) for form in ("static", "ours")}
    del models, static, ours
    peaks = _peaks(case, quick=effort.least == 1) if "training" in case.passes else {}
    return NetworkResult(case.name, case, counts, seconds, peaks)


def _peaks(case: NetworkCase, *, quick: bool) -> dict[str, int]:
    """Bytes of every form's training step: the middle of three, as what an allocator keeps differs between processes.

    A quick look takes one, of a single step: the peak is there already.
    """
    probes, steps = (1, 1) if quick else (3, 2)
    found: dict[str, list[int]] = {form: [] for form in case.forms}
    for _ in range(probes):
        for form, peaks in found.items():
            peaks.append(peak_of_step(case, form, steps))
    return {form: sorted(peaks)[probes // 2] for form, peaks in found.items()}


def check_layers(model: nn.Module, x: Tensor, *, grouped: bool = True) -> None:
    """Check every dynamic convolution of different geometry, on the input that it gets, against the reference.

    Args:
        model: the network with the library's own form of its layers, in evaluation mode afterwards.
        x: the images.
        grouped: check the published formulation as well.

    Raises:
        NotEqualError: naming the layer.
    """
    found: dict[tuple[ConvSpec, torch.Size], tuple[str, tuple[Tensor, Kernel, ConvSpec], Tensor]] = {}
    handles = []
    for name, layer in model.named_modules():
        if isinstance(layer, DynamicConv):

            def note(layer: nn.Module, given: tuple[Tensor, ...], y: Tensor, name: str = name) -> None:
                assert isinstance(layer, DynamicConv)
                # While the layer runs: a router that a block shares knows its image only then.
                if (key := (layer.spec, given[0].shape)) not in found:
                    found[key] = (name, layer.operands(given[0]), y)

            handles.append(layer.register_forward_hook(note))
    with torch.no_grad():
        model.eval()(x)
    for handle in handles:
        handle.remove()
    for name, operands, y in found.values():
        # A layer may have a way of its own to what its kernel value says.
        compare(name, "the output", y, ops.conv(*operands))
        forms: dict[str, Conv] = {name: ops.conv, **({f"{name} in grouped form": plain_conv} if grouped else {})}
        check_equality(forms, *operands)
