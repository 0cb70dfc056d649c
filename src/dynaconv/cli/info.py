"""`dynaconv info`: versions and hardware, to paste into a bug report."""

from __future__ import annotations

import json
import sys
from typing import Any

from dynaconv.cli.arguments import plain_parser
from dynaconv.cli.table import print_table
from dynaconv.train.environment import environment

__all__ = ["run"]


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "info", "Versions and hardware, for bug reports.", "  dynaconv info\n  dynaconv info --json > info.json"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    found = environment()
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        print_table(_rows(found), ("what", "found"))
    return 0


def _rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    packages = found.pop("packages")
    rows = {**found, **packages}
    for name in packages:
        rows[name] = rows[name] or "not installed"
    rows["command"] = " ".join(found["command"])
    rows["gpus"] = ", ".join(found["gpus"]) or "none"
    rows["commit"] = found["commit"] or "not in a checkout"
    return [(name, str(value)) for name, value in rows.items()]
