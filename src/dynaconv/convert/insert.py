"""Put attention blocks into a model."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from dynaconv.attention import create_attention
from dynaconv.convert.candidates import is_shortcut
from dynaconv.convert.patterns import listed, modules_that_fit
from dynaconv.convert.residual_blocks import is_attention, residual_stages
from dynaconv.errors import ArgumentError
from dynaconv.layers import DynamicConv

__all__ = ["Insertion", "Where", "insert"]

M = TypeVar("M", bound=nn.Module)
Where = str | Iterable[str] | None

# The authors put these where a stage ends, the others into every block.
_AT_STAGES = ("bam", "gsop_channel", "gsop_position", "gsop_average", "gsop_max", "gsop_concat")
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Insertion:
    """Attention blocks that were put into a model.

    Attributes:
        attention: which.
        options: theirs.
        names: of the modules behind which they stand.
    """

    attention: str
    options: Mapping[str, Any]
    names: tuple[str, ...]


def insert(model: M, attention: str, where: Where, options: Mapping[str, Any]) -> M:
    """A copy of a model with attention blocks; see `convert`.

    A module with an attention block behind it is an `nn.Sequential` of both, `module` and `attention`.

    Args:
        model: any; it is not changed.
        attention: one of `list_attentions()`.
        where: `"blocks"`, `"stages"`, patterns, or `None` for where the block's paper has it.
        options: the block's.

    Raises:
        ArgumentError: no such block or option, or no place for it.
    """
    changed = copy.deepcopy(model)
    names = _places(changed, where or ("stages" if attention in _AT_STAGES else "blocks"))
    for name in names:
        module = changed.get_submodule(name)
        block = create_attention(attention, _out_channels(module, name), **options)
        like = next(module.parameters())
        block.to(like.device, like.dtype).train(module.training)
        changed.set_submodule(name, nn.Sequential(OrderedDict(module=module, attention=block)))
    done = Insertion(attention, dict(options), tuple(names))
    changed.conversions = (*getattr(model, "conversions", ()), done)  # type: ignore[assignment]  # no tensor
    return changed


def _places(model: nn.Module, where: str | Iterable[str]) -> list[str]:
    if where not in ("blocks", "stages"):
        hits = {name for pattern in listed(where) for name in modules_that_fit(model, pattern)}
        fitting = [name for name, _ in model.named_modules() if name and name in hits]
        # Behind a module, not behind all that is inside it.
        names = [name for name in fitting if not any(name.startswith(f"{other}.") for other in fitting)]
        if not names:
            raise ArgumentError("where", where, '"blocks", "stages", or patterns that fit modules\' names')
        return names
    stages = residual_stages(model)
    if not stages:
        raise ArgumentError("where", where, "patterns of modules' names: the model has no residual blocks")
    blocks = [name for stage in stages for name in (stage if where == "blocks" else stage[-1:])]
    return [_end_of(model.get_submodule(name), name) for name in blocks]


def _end_of(block: nn.Module, name: str) -> str:
    """The last normalisation if the block's own path ends in one; else the block itself."""
    last, module = _last_layer(block)
    return f"{name}.{last}" if isinstance(module, _NORMS) else name


def _last_layer(module: nn.Module) -> tuple[str, nn.Module]:
    """The last layer with parameters, those of shortcuts and of attention blocks left out."""
    return next(reversed([*_layers(module, "")]), ("", module))


def _layers(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    children = [] if isinstance(module, DynamicConv) else [*module.named_children()]
    if not children and any(True for _ in module.parameters()):
        yield name, module
    for part, child in children:
        path = f"{name}.{part}" if name else part
        if not is_attention(child) and not is_shortcut(path):
            yield from _layers(child, path)


def _out_channels(module: nn.Module, name: str) -> int:
    """Channels of the map that comes out of a module."""
    _, last = _last_layer(module)
    for attribute in ("num_features", "num_channels", "out_channels", "out_features"):
        channels = getattr(last, attribute, None)
        if isinstance(channels, int):
            return channels
    spec = getattr(last, "spec", None)
    if spec is not None:
        return int(spec.out_channels)
    raise ArgumentError("where", name, "a module that ends in a convolution, a linear layer or a normalisation")
