"""`dynaconv bench`: times and memory of dynamic networks, blocks and operators, as ratios to static ones."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from dynaconv.cli.arguments import plain_parser
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError

__all__ = ["run"]


class _Case(Protocol):
    @property
    def name(self) -> str: ...


C = TypeVar("C", bound=_Case)

_EXAMPLES = """\
  dynaconv bench --quick
  dynaconv bench --networks --only "resnet18 odconv4x batch 32"
  dynaconv bench --blocks --only gsop
  dynaconv bench --operators --only resnet50@128 --only growth --out runs/bench-operators
"""
_FAILED = 1
_INTERRUPTED = 130


def run(argv: list[str]) -> int:
    """Runs the verb; returns the exit code: 1 if anything differs from the reference or could not be measured."""
    values = _values(argv)
    try:
        return _bench(values)
    except KeyboardInterrupt:
        again = shlex.join(["dynaconv", "bench", *argv])
        sys.stderr.write(f"dynaconv: stopped; finished measurements are kept, go on with: {again}\n")
        return _INTERRUPTED


def _values(argv: list[str]) -> argparse.Namespace:
    parser = plain_parser(
        "bench",
        "Measure forward pass, training step and peak memory of dynamic networks, and every algorithm of every\n"
        "operator, against the static convolution and against the published formulation (one kernel per sample, one\n"
        "grouped convolution); attention blocks and pooling heads in a ResNet-50 against the plain one, and by\n"
        "themselves against their authors' formulation. What is timed is first checked against the reference. Writes\n"
        "results.json and chart.html. The same command again takes finished measurements as they are. Exit code 1:\n"
        "something differs from the reference or could not be measured; the last lines say what.",
        _EXAMPLES,
    )
    parser.add_argument("--quick", action="store_true", help="a few cases, under 5 minutes on two cores")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--networks", action="store_true", help="networks only")
    which.add_argument("--blocks", action="store_true", help="attention blocks and pooling heads only")
    which.add_argument("--operators", action="store_true", help="operators only")
    parser.add_argument("--only", action="append", metavar="TEXT", help="cases whose name has this in it; repeatable")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--threads", type=int, metavar="N", help="threads that PyTorch uses [its own default]")
    parser.add_argument("--out", default="runs/bench", metavar="FOLDER", help="for the results [%(default)s]")
    values = parser.parse_args(argv)
    if values.threads is not None:
        check_count("threads", values.threads)
    return values


def _wanted(values: argparse.Namespace, group: str, cases: Callable[..., tuple[C, ...]]) -> tuple[C, ...]:
    """The cases that were asked for of one group."""
    if not getattr(values, group) and (values.networks or values.blocks or values.operators):
        return ()
    return tuple(c for c in cases(quick=values.quick) if not values.only or any(text in c.name for text in values.only))


def _bench(values: argparse.Namespace) -> int:
    # Torch takes a second to import; whoever only asks for help should not wait for it.
    import torch

    from dynaconv import bench

    if values.threads is not None:
        torch.set_num_threads(values.threads)
    networks = _wanted(values, "networks", bench.network_cases) + _wanted(values, "blocks", bench.block_network_cases)
    blocks = _wanted(values, "blocks", bench.block_cases)
    operators = _wanted(values, "operators", bench.operator_cases)
    cases: tuple[_Case, ...] = (*networks, *blocks, *operators)
    if not cases:
        raise ArgumentError("only", values.only, "part of a case's name; see `dynaconv bench --list`")
    if values.list:
        sys.stdout.writelines(f"{case.name}\n" for case in cases)
        return 0
    out = Path(values.out)
    efforts = bench.Efforts.quick() if values.quick else bench.Efforts()
    results = bench.run_bench(networks, operators, out, efforts, bench.show_progress, blocks=blocks)
    bench.print_results(results)
    bench.write_chart(results, out / "chart.html")
    sys.stdout.write(f"results: {(out / 'results.json').resolve()}\n")
    sys.stdout.write(f"charts: {(out / 'chart.html').resolve()} (open it in a browser)\n")
    return _FAILED if results.failures else 0
