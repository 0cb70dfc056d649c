"""The page of published networks: figures of the papers beside what is built here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from dynaconv.atomic import write_bytes
from dynaconv.layers import Profile, profile
from dynaconv.models.published import PRESETS, Preset

__all__ = ["counted", "page", "row", "write_page"]

_HEAD = """\
# Published networks

What papers and repositories print, beside what the library builds. `make docs-published` writes this page; the tests
compare it with the networks.

- **Parameters** are exact, with 1000 classes: those of the authors' code where there is code.
- **Multiply-adds** are those of convolutions and matrix products for one image. Making kernels stands apart: printed
  figures may include it, and work that is not counted here.
- **Top-1 / top-5** are the authors' on ImageNet, in percent. They were not measured here.

"""
_COLUMNS = (
    "network",
    "parameters",
    "printed",
    "multiply-adds",
    "making kernels",
    "printed",
    "top-1 / top-5",
    "source",
)


def counted(preset: Preset) -> Profile:
    """Parameters and multiply-adds of a published network, counted without its weights' memory."""
    with torch.device("meta"):
        model = preset.build(1000, 3)
    return profile(model, preset.input_size)


def row(preset: Preset, found: Profile) -> str:
    """A network's line of the table."""
    size = "" if preset.input_size[1:] == (224, 224) else f" at {preset.input_size[1]}"
    cells = (
        f"`{preset.name}`",
        f"{found.parameters:,}",
        preset.published_parameters,
        _short(found.macs) + size,
        _short(found.assembly),
        preset.published_macs,
        preset.published_accuracy,
        preset.source,
    )
    return _line(cells)


def page(presets: Iterable[Preset], rows: Iterable[str]) -> str:
    """The whole page."""
    remarks = (f"- `{preset.name}`: {preset.note}" for preset in presets if preset.note)
    table = (_line(_COLUMNS), _line("---" for _ in _COLUMNS), *rows)
    return _HEAD + "\n".join((*table, "", "## Remarks", "", *remarks, ""))


def write_page(path: Path) -> None:
    """Write the page of all published networks, whole or not at all."""
    rows = (row(preset, counted(preset)) for preset in PRESETS.values())
    write_bytes(path, page(PRESETS.values(), rows).encode())


def _short(macs: int) -> str:
    """A number with a unit; nothing for nothing."""
    if macs == 0:
        return ""
    return f"{macs / 1e9:.3f} G" if macs >= 1e9 else f"{macs / 1e6:.1f} M"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
