"""The benchmark on the terminal, by rich: which case is on, and the tables at the end."""

from __future__ import annotations

from statistics import geometric_mean
from typing import TYPE_CHECKING

from dynaconv.bench.measure_block import BlockResult
from dynaconv.bench.measure_network import NetworkResult
from dynaconv.bench.measure_operator import PassResult
from dynaconv.bench.results import BenchResults, default_choice
from dynaconv.bench.runner import Result
from dynaconv.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_results", "show_progress"]

_WHATS = ("inference", "training", "memory")
_DYNAMIC = ("ours", "grouped")
_MOST_OTHERS = 20


def show_progress(number: int, total: int, name: str, result: Result | None) -> None:
    """One line per case, completed when its figures are there."""
    console = _console()
    if result is None:
        console.print(f"[{number}/{total}] {name} …", markup=False, highlight=False, soft_wrap=True)
        return
    if isinstance(result, NetworkResult):
        found = [f"{what} {ratio:.2f}× static" for what in _WHATS if (ratio := result.ratio(what, "ours")) is not None]
    elif isinstance(result, BlockResult):
        found = [f"{what} {ratio:.2f}× published" for what in _WHATS if (ratio := result.ratio(what)) is not None]
    else:
        found = [f"{name} {p.default.median / p.static.median:.2f}× static" for name, p in result.passes.items()]
    console.print(f"    {', '.join(found)}", markup=False, highlight=False, soft_wrap=True)


def print_results(results: BenchResults, console: Console | None = None) -> None:
    """Print the networks, the blocks, how good the default choices are, and what failed.

    Args:
        results: what to print.
        console: where to; standard output by default.

    Raises:
        MissingExtraError: rich is not installed.
    """
    console = console or _console()
    if results.networks:
        console.print(_network_table(results))
    if results.blocks:
        console.print(_block_table(results))
    if results.operators:
        console.print(_operator_table(results))
        _print_choices(results, console)
    for name, reason in results.failures.items():
        console.print(f"failed: {name}: {reason}", style="bold red", markup=False, highlight=False, soft_wrap=True)


def _console() -> Console:
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtraError("rich", "train") from error
    return Console()


def _table(title: str, labels: list[str], headings: list[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for label in labels:
        table.add_column(label)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _network_table(results: BenchResults) -> Table:
    """Static seconds and bytes, and how many times as much the two dynamic forms take."""
    title = "Networks: ours and the published grouped form as multiples of static (quartiles)"
    table = _table(title, ["network", ""], ["static", "ours", "grouped"])
    for result in results.networks:
        label = result.name
        for what in _WHATS:
            if result.ratio(what, "ours") is not None:
                table.add_row(label, what, _static(result, what), *(_times(result, what, f) for f in _DYNAMIC))
                label = ""
    return table


def _static(result: NetworkResult, what: str) -> str:
    if what == "memory":
        return f"{result.step_bytes['static'] / 2**20:.0f} MiB"
    return f"{1e3 * result.seconds[what]['static'].median:.1f} ms"


def _times(result: NetworkResult, what: str, form: str) -> str:
    ratio = result.ratio(what, form)
    if ratio is None:
        return "–"
    if what == "memory":
        return f"{ratio:.2f}"
    timing, static = result.seconds[what][form], result.seconds[what]["static"].median
    return f"{ratio:.2f} ({timing.low / static:.2f}–{timing.high / static:.2f})"


def _block_table(results: BenchResults) -> Table:
    """Seconds and bytes of the authors' formulation, and how many times as much ours takes."""
    title = "Blocks and heads: ours as multiples of the authors' formulation (quartiles); memory between the passes"
    table = _table(title, ["block", ""], ["published", "ours"])
    for result in results.blocks:
        label = result.name
        for what, forms in result.seconds.items():
            ours, published = forms["ours"], forms["published"].median
            quartiles = f"({ours.low / published:.2f}–{ours.high / published:.2f})"
            table.add_row(label, what, f"{1e3 * published:.1f} ms", f"{result.ratio(what):.2f} {quartiles}")
            label = ""
        published_bytes = f"{result.kept_bytes['published'] / 2**20:.1f} MiB"
        table.add_row(label, "memory", published_bytes, f"{result.ratio('memory'):.2f}")
    return table


def _operator_table(results: BenchResults) -> Table:
    """One row per operator and pass; every single problem is in the file."""
    title = "Operators: times static, geometric mean over the problems"
    table = _table(title, ["operator", "pass"], ["problems", "default", "best", "grouped"])
    found: dict[tuple[str, str], list[PassResult]] = {}
    for result in results.operators:
        for name, measured in result.passes.items():
            found.setdefault((result.problem.split(":")[0], name), []).append(measured)
    for (operator, name), passes in found.items():
        ratios = (
            [p.default.median / p.static.median for p in passes],
            [p.algorithms[p.best].median / p.static.median for p in passes],
            [p.grouped.median / p.static.median for p in passes if p.grouped],
        )
        table.add_row(operator, name, str(len(passes)), *(f"{geometric_mean(r):.2f}" if r else "–" for r in ratios))
    return table


def _print_choices(results: BenchResults, console: Console) -> None:
    choice = default_choice(results.operators)
    near = f"within {choice.close - 1:.0%} of the fastest algorithm"
    console.print(f"The default is {near} in {choice.share:.0%} of {choice.problems} passes.", highlight=False)
    for row in choice.others[:_MOST_OTHERS]:
        text = f"  {row['times']:.2f}× {row['name']}, {row['pass']}: {row['default']}, not {row['best']}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(choice.others) > _MOST_OTHERS:
        console.print(f"  and {len(choice.others) - _MOST_OTHERS} more: see results.json", highlight=False)
