"""`dynaconv list`: what there is to choose from."""

from __future__ import annotations

import argparse
import json
import sys

from dynaconv.cli.arguments import plain_parser
from dynaconv.cli.table import print_table
from dynaconv.data import list_data
from dynaconv.layers import list_convs
from dynaconv.models import list_models

__all__ = ["run"]


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "list",
        "List methods, networks and data sets by the names that flags and functions take.",
        "  dynaconv list\n  dynaconv list --json",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options: argparse.Namespace = parser.parse_args(argv)
    names = {"methods": list_convs(), "models": list_models(), "data sets": list_data()}
    if options.json:
        sys.stdout.write(json.dumps({kind: list(found) for kind, found in names.items()}, indent=2) + "\n")
    else:
        print_table([(kind, name) for kind, found in names.items() for name in found], ("kind", "name"))
    return 0
