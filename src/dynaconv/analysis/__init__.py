"""Looking into trained networks: what their kernels do with an image."""

from __future__ import annotations

from dynaconv.analysis.turning import LayerTurn, Turning, turn

__all__ = ["LayerTurn", "Turning", "turn"]
