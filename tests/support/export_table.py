"""The table of docs/export.md: how far exported methods are from PyTorch in onnxruntime.

    python -m support.export_table ../docs/export.md

writes it anew.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import torch
from support.exported import SHAPES, Exported, conv

from dynaconv.layers import list_convs

BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def table() -> str:
    """As Markdown."""
    rows = ["| method | largest difference |", "|---|---:|"]
    for name in list_convs():
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            exported = Exported({name: conv(name)}, Path(folder) / "conv.onnx")
        rows.append(f"| `{name}` | {max(exported.difference(name, shape) for shape in SHAPES):.0e} |")
    return "\n".join(rows) + "\n"


def rows_on_page(text: str) -> dict[str, float]:
    """The methods that a page lists, with their differences."""
    (found,) = re.findall(f"{BEGIN}(.*){END}", text, re.DOTALL)
    return {name: float(value) for name, value in re.findall(r"^\| `(.*)` \| (\S+) \|$", found, re.MULTILINE)}


if __name__ == "__main__":
    page = Path(sys.argv[1])
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{head}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")
