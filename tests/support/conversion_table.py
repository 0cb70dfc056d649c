"""The table of docs/convert.md: how many layers each method replaces in which network.

    python -m support.conversion_table ../docs/convert.md

writes it anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from support.architectures import ARCHITECTURES
from torch import nn

from dynaconv.convert.build import LINEAR
from dynaconv.convert.candidates import candidates
from dynaconv.convert.rules import rules_of
from dynaconv.convert.select import Choice, choose

METHODS = (
    "kernel_weighted",
    "fc_generated",
    "condconv",
    "dyconv",
    "odconv",
    "kernel_warehouse",
    "dcd",
    "fdconv",
    "lgcf",
)
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def table() -> str:
    """As Markdown."""
    rows = ["| network | convolutions | " + " | ".join(METHODS) + " |", "|---|---:|" + "---:|" * len(METHODS)]
    for name, architecture in ARCHITECTURES.items():
        with torch.device("meta"):
            model = architecture.make()
        found = candidates(model)
        convolutions = sum(not isinstance(c.module, nn.Linear) for c in found)
        counts = " | ".join(str(_replaced(model, method)) for method in METHODS)
        rows.append(f"| {architecture.family}: `{name}` | {convolutions} | {counts} |")
    return "\n".join(rows) + "\n"


def on_page(text: str) -> str:
    """The table that a page has."""
    found = re.search(f"{BEGIN}(.*){END}", text, re.DOTALL)
    return found[1] if found else ""


def _replaced(model: nn.Module, method: str) -> int:
    found = [c for c in candidates(model) if method in LINEAR or not isinstance(c.module, nn.Linear)]
    return sum(action == "replace" for action, _ in choose(model, found, rules_of(method), Choice()))


if __name__ == "__main__":
    page = Path(sys.argv[1])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(f"{BEGIN}{on_page(text)}", f"{BEGIN}{table()}"), encoding="utf-8")
