"""Runs a model once and follows, operator by operator, which pixels every value depends on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from dynaconv.analysis.receptive_field_reach import Reach, pixels, windows
from dynaconv.analysis.receptive_field_rules import RULES, Call, elementwise, merged, whole
from dynaconv.layers import DynamicConv

__all__ = ["Visit", "trace", "watched"]


@dataclass(frozen=True)
class Visit:
    """One call of one module.

    Attributes:
        name: the module's path in the model.
        kind: its class.
        before: the reach of its input, `None` where that is no tensor that depends on the image.
        after: the reach of its output, likewise.
    """

    name: str
    kind: str
    before: Reach | None
    after: Reach | None


class _Follow(TorchDispatchMode):
    """Keeps the reach of every tensor that depends on the image."""

    def __init__(self, context: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        self.context = context
        self.reaches = WeakTensorKeyDictionary()
        self.bounded: list[str] = []
        self.inside_layer = 0

    def reach_of(self, value: Any) -> Reach | None:
        """The reach of a tensor; `None` for whatever else and where nothing of the image is in it."""
        found: Reach | None = self.reaches.get(value) if isinstance(value, Tensor) else None
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = [result] if isinstance(result, Tensor) else list(result) if isinstance(result, tuple | list) else []
        outputs = [out for out in outputs if isinstance(out, Tensor)]
        if outputs and not self.inside_layer:
            call = Call(func, args, kwargs or {}, outputs, self.reach_of, self.context)
            reaches = call.all()
            if reaches:
                self._keep(outputs, self._passed_on(call, reaches))
        return result

    def _passed_on(self, call: Call, reaches: list[Reach]) -> Reach | list[Reach]:
        """What the operator's rule says; everything, which is an upper bound, where there is none."""
        name = call.func._schema.name
        if torch.Tag.pointwise in call.func.tags or torch.Tag.pointwise in _functional_tags(name):
            return elementwise(call)
        if name == "aten::as_strided_" and call.out.numel() == max(call.out.shape, default=1):
            # After global pooling PyTorch restores a memory format so; a single row of numbers stays in its order.
            return reaches[0]
        rule = RULES.get(name.removesuffix("_"), RULES.get(name))
        if rule is None or call.picks():
            self.bounded.append(name)
            return whole(reaches, call.out.shape)
        return rule(call)

    def _keep(self, outputs: list[Tensor], found: Reach | list[Reach]) -> None:
        each = found if isinstance(found, list) else [found] * len(outputs)
        for out, reach in zip(outputs, each, strict=True):
            if out.shape == reach.bounds.shape[1:]:
                self.reaches[out] = reach


def _functional_tags(name: str) -> list[torch.Tag]:
    """Tags of the operator that an operator in place, `aten::relu_`, stands for."""
    packet = getattr(torch.ops.aten, name.removeprefix("aten::").removesuffix("_"), None)
    return [] if packet is None or not name.endswith("_") else getattr(packet, packet.overloads()[0]).tags


def watched(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that get a row, if what they give differs from what they are given.

    A dynamic convolution is one layer. `nn.Sequential` and the model itself end as their last parts do.
    """
    found: dict[str, nn.Module] = {}
    inside: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer + ".") for outer in inside):
            continue
        if isinstance(module, DynamicConv):
            inside.append(name)
        if (name or not [*module.children()]) and not isinstance(module, nn.Sequential | nn.ModuleList):
            found[name] = module
    return found


def trace(model: nn.Module, image: Tensor, context: bool) -> tuple[list[Visit], list[str]]:
    """All calls of the modules in `watched`, in the order in which they end, and operators without a rule.

    Args:
        model: in evaluation mode.
        image: `(1, C, *S)`.
        context: whether what is taken from the whole map and broadcast over it counts.
    """
    follow, visits = _Follow(context), list[Visit]()
    follow.reaches[image] = pixels(image)
    with ExitStack() as hooks:
        for name, module in watched(model).items():
            hooks.enter_context(_hooked(name, module, follow, visits))
        with torch.no_grad(), follow:
            model(image)
    return visits, sorted(set(follow.bounded))


@contextmanager
def _hooked(name: str, module: nn.Module, follow: _Follow, visits: list[Visit]) -> Iterator[None]:
    """Records the module's calls while inside."""
    given: list[Reach | None] = []
    dynamic = isinstance(module, DynamicConv)

    def before(_module: nn.Module, args: tuple[Any, ...]) -> None:
        given.append(follow.reach_of(args[0]) if args else None)
        follow.inside_layer += dynamic

    def after(_module: nn.Module, _args: Any, output: Any) -> None:
        follow.inside_layer -= dynamic
        start = given.pop()
        if isinstance(module, DynamicConv) and start is not None:
            follow.reaches[output] = _dynamic(module, start, output, follow.context)
        visits.append(Visit(name, type(module).__name__, start, follow.reach_of(output)))

    handles = [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _dynamic(layer: DynamicConv, reach: Reach, output: Tensor, context: bool) -> Reach:
    """A dynamic convolution looks where a static one does, and its kernel at the whole map."""
    spec = layer.spec
    by_group = reach.with_bounds(reach.bounds.unflatten(2, (spec.groups, -1)).amax(3))
    found = windows(by_group, spec.kernel_size, spec.stride, spec.pads, spec.dilation, output.shape[2:])
    found = found.with_bounds(found.bounds.repeat_interleave(spec.out_channels // spec.groups, 2))
    return merged([found, whole([reach], output.shape)], output.shape) if context else found
