"""The residual blocks and stages of a network, found by its structure."""

from __future__ import annotations

import re

from torch import nn

from dynaconv.attention.base import AttentionBlock

__all__ = ["is_attention", "residual_stages"]

_CHAINS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_ATTENTION = re.compile(r"SqueezeEx|SE_?Module|SELayer|Attention|Attn|Eca|Cbam|GatherExcite|GlobalContext|NonLocal")


def is_attention(module: nn.Module) -> bool:
    """Whether a module is an attention block: one of this library's, or one that is called so."""
    return isinstance(module, AttentionBlock) or _ATTENTION.search(type(module).__name__) is not None


def residual_stages(model: nn.Module) -> list[list[str]]:
    """Names of a network's blocks, stage by stage.

    A block is an element of a chain of modules that holds several convolutions or linear layers and no chain of blocks
    of its own. A stage begins where a chain does, and with a block that has a stride.

    Example:
        >>> from torchvision.models import mobilenet_v2
        >>> [len(stage) for stage in residual_stages(mobilenet_v2())]
        [1, 2, 3, 7, 4]
    """
    stages: list[list[str]] = []
    chain = None
    for name in _blocks(model, "", in_chain=False):
        block, parent = model.get_submodule(name), name.rpartition(".")[0]
        if parent != chain or _has_stride(block):
            stages.append([])
        stages[-1].append(name)
        chain = parent
    return stages


def _blocks(module: nn.Module, name: str, *, in_chain: bool) -> list[str]:
    chain, prefix = _is_chain(module), f"{name}." if name else ""
    inner = [b for part, child in module.named_children() for b in _blocks(child, prefix + part, in_chain=chain)]
    return inner or ([name] if in_chain and not chain and _is_block(module) else [])


def _is_chain(module: nn.Module) -> bool:
    """A container, or a module that is nothing but several blocks of one kind."""
    children = [*module.children()]
    alike = len(children) > 1 and len({type(child) for child in children}) == 1
    return isinstance(module, _CHAINS) or (alike and all([*child.children()] for child in children))


def _is_block(module: nn.Module) -> bool:
    layers = [m for m in module.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)]
    return len(layers) > 1 and not is_attention(module)


def _has_stride(block: nn.Module) -> bool:
    return any(
        any(step > 1 for step in m.stride) for m in block.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    )
