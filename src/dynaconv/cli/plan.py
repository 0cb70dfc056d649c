"""`dynaconv plan`: what a conversion would do to a network, layer by layer."""

from __future__ import annotations

import sys

from dynaconv.cli.arguments import plain_parser
from dynaconv.cli.conversion import add_flags, arguments_of, example_of, facts
from dynaconv.cli.network import network_of
from dynaconv.convert import plan

__all__ = ["run"]

_EXAMPLES = """\
  dynaconv plan resnet18 --method odconv
  dynaconv plan mobilenet_v2 --method dyconv --size 224 --option num_kernels=2
  dynaconv plan runs/first --method lgcf --exclude downsample --min-channels 32 --json
"""


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code."""
    parser = plain_parser(
        "plan",
        "Print which layers of a network a method would replace, which it would keep or cannot replace, and why; with "
        "--size the multiply-adds for one image too. Nothing is changed.",
        _EXAMPLES,
    )
    add_flags(parser)
    parser.add_argument("--method", required=True, metavar="NAME", help="see `dynaconv list`")
    options = parser.parse_args(argv)
    arguments, example = arguments_of(options), example_of(options)
    model, _ = network_of(options.model, classes=options.classes, channels=options.channels)
    planned = plan(model, options.method, example=example, **arguments)
    sys.stdout.write((facts(planned) if options.json else str(planned)) + "\n")
    return 0
