"""`dynaconv evaluate`: tests the network of a finished run again."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from dynaconv.cli.parser import make_parser, parse
from dynaconv.train import Evaluation, evaluate

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv evaluate runs/first
  dynaconv evaluate runs/cifar --data-root datasets/cifar10 --json
"""


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = make_parser(
        "evaluate",
        "dynaconv evaluate RUN [flags]",
        "Test the network of a finished run on clean and on turned images.",
        _EXAMPLES,
    )
    parser.add_argument("run", type=str, help="run folder")
    parser.add_argument("--data-root", type=str | None, default=None, metavar="FOLDER", help="the data set's files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    values = parse(parser, argv)
    measured = evaluate(values["run"], data_root=values["data_root"], show_progress=not values["json"])
    sys.stdout.write(json.dumps(asdict(measured), indent=2) + "\n" if values["json"] else _summary(measured))
    return 0


def _summary(measured: Evaluation) -> str:
    return (
        f"{measured.images:,} test images\n"
        f"clean      accuracy {measured.clean_accuracy:.2%}, loss {measured.clean_loss:.4f}\n"
        f"viewpoint  accuracy {measured.viewpoint_accuracy:.2%}, loss {measured.viewpoint_loss:.4f}\n"
    )
