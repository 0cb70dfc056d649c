"""Many modules as one model: exporting once takes as long as exporting one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class SideBySide(nn.Module):
    """Every module on the same input: `x` → a tuple of what they give, in the order of their names."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = list(modules)
        self.parts = nn.ModuleList(modules.values())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(part(x) for part in self.parts)
