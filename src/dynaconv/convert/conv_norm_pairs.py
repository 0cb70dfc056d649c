"""Which convolution's output goes to which normalisation, and nowhere else."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from dynaconv.layers import BatchRenorm2d

__all__ = ["conv_norm_pairs", "is_norm"]

_WHOLE = ("torch.nn.modules.", "dynaconv.layers.", "dynaconv.attention.", "dynaconv.pooling.")


def conv_norm_pairs(model: nn.Module) -> dict[str, str]:
    """The name of every normalisation that alone reads what one module gives, with that module's name.

    The model's data flow is followed by `torch.fx`; where that cannot follow a module, its parts are looked at one by
    one. Modules with more than one name or call are left out.

    Args:
        model: any.
    """
    names = Counter(module for _, module in model.named_modules(remove_duplicate=False))
    found = _pairs_in(model, "")
    modules = dict(model.named_modules())
    return {n: c for n, c in found.items() if n in modules and names[modules[n]] == 1 and names[modules[c]] == 1}


def is_norm(module: nn.Module) -> bool:
    """Whether it is a batch normalisation that keeps running statistics."""
    return isinstance(module, BatchRenorm2d) or (isinstance(module, _BatchNorm) and module.running_mean is not None)


class _Tracer(fx.Tracer):
    """Takes layers, attention blocks, pooling heads and whatever normalises or convolves as they are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = type(m).__module__.startswith(_WHOLE) and not isinstance(m, nn.Sequential)
        return whole or isinstance(m, _ConvNd | _BatchNorm)


def _pairs_in(module: nn.Module, prefix: str) -> dict[str, str]:
    try:
        graph = _Tracer().trace(module)
    except Exception:
        # Whatever the model's own code raises when it meets something that is no tensor.
        pairs: dict[str, str] = {}
        for name, child in module.named_children():
            pairs |= _pairs_in(child, f"{prefix}{name}.")
        return pairs
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    found = {}
    for node in graph.nodes:
        source: Any = node.args[0] if node.args else None
        if node.op != "call_module" or not isinstance(source, fx.Node) or source.op != "call_module":
            continue
        alone = len(source.users) == calls[node.target] == calls[source.target] == 1
        if alone and is_norm(module.get_submodule(str(node.target))):
            found[f"{prefix}{node.target}"] = f"{prefix}{source.target}"
    return found
