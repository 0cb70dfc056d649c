"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(lines: Sequence[Sequence[str]], words: int) -> str:
    """Lines of cells, each column as wide as its widest cell.

    Args:
        lines: all with the same number of cells, the header first.
        words: so many columns are set to the left; the others, numbers, to the right.

    Example:
        >>> print(columns([("layer", "parameters"), ("conv1", "9,408")], words=1))
        layer  parameters
        conv1       9,408
    """
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{'<' if i < words else '>'}{widths[i]}}" for i, cell in enumerate(line)).rstrip()
        for line in lines
    )
