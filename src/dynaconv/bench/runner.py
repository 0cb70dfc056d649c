"""Takes all measurements one after the other, keeps each as it is finished, and says which are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dynaconv.bench.blocks import BlockCase
from dynaconv.bench.measure import Effort
from dynaconv.bench.measure_block import BLOCK_FORMS, BLOCK_PASSES, BlockResult, measure_block
from dynaconv.bench.measure_network import NetworkResult, measure_network
from dynaconv.bench.measure_operator import OperatorResult, measure_operator
from dynaconv.bench.networks import NetworkCase
from dynaconv.bench.operators import OperatorCase
from dynaconv.bench.results import BenchResults
from dynaconv.bench.store import Store, source_digest
from dynaconv.dispatch import autotune
from dynaconv.dispatch.measured import autotuning
from dynaconv.errors import DynaconvError
from dynaconv.train.environment import environment

__all__ = ["Efforts", "Progress", "run_bench"]

Result = NetworkResult | BlockResult | OperatorResult
Progress = Callable[[int, int, str, Result | None], None]
"""Called with the number of a case, how many there are, its name, and its result, `None` before it is measured."""

_NETWORK = Effort()
# Hundreds of problems, up to seven forms of each: what cannot win is run once. Memory for large maps is fresh in a
# first run, which can take ten times as long for it: only runs of seconds are their own warm-up.
_OPERATOR = Effort(least=3, most=15, seconds=0.08, long=2.0, hopeless=2.5)
_BLOCK = Effort(least=5, most=30, seconds=1.0)
_SPEEDS = ("torch", "processor", "cores", "threads", "cpu_capability", "native_kernels")


@dataclass(frozen=True)
class Efforts:
    """How long to measure networks, operators, and blocks, by themselves and in a network."""

    network: Effort = _NETWORK
    operator: Effort = _OPERATOR
    block: Effort = _BLOCK

    @classmethod
    def quick(cls) -> Efforts:
        """For a look within minutes."""
        return cls(
            Effort(least=1, most=5, seconds=1.0),
            Effort(least=3, most=20, seconds=0.2, hopeless=5.0),
            Effort(least=3, most=20, seconds=0.2),
        )


@dataclass(frozen=True)
class _Task:
    """A measurement to take, and how a kept one is read."""

    name: str
    measure: Callable[[], Result]
    read: Callable[[dict[str, Any]], Result]


def run_bench(
    networks: Iterable[NetworkCase],
    operators: Iterable[OperatorCase],
    out: Path,
    efforts: Efforts,
    progress: Progress,
    *,
    blocks: Iterable[BlockCase] = (),
) -> BenchResults:
    """Measure every case that is not finished yet; a case that fails is noted and the others go on.

    Autotuning is off meanwhile: what is judged is the choice that everybody gets.

    Args:
        networks: network cases.
        operators: operator cases.
        out: folder for finished measurements and `results.json`.
        efforts: how long to measure.
        progress: told of every case before and after it is measured.
        blocks: blocks and heads by themselves.

    Returns:
        What was found; `failures` names every case without figures.

    Raises:
        RunFolderError: `out` cannot be written.
    """
    tuning = autotuning()
    autotune(False)
    try:
        tasks = [
            *map(_network_task(efforts), networks),
            *map(_block_task(efforts.block), blocks),
            *map(_operator_task(efforts.operator), operators),
        ]
        return _run(tasks, out, efforts, progress)
    finally:
        autotune(tuning)


def _run(tasks: list[_Task], out: Path, efforts: Efforts, progress: Progress) -> BenchResults:
    found = environment()
    identity = {"efforts": asdict(efforts), "code": source_digest(), **{name: found[name] for name in _SPEEDS}}
    store = Store(out / "finished", identity)
    failures: dict[str, str] = {}
    done: list[Result] = []
    for number, task in enumerate(tasks, start=1):
        progress(number, len(tasks), task.name, None)
        result = _kept(store, task)
        if result is None:
            try:
                result = task.measure()
            except (DynaconvError, RuntimeError, MemoryError) as error:
                failures[task.name] = " ".join(str(error).split()) or type(error).__name__
                continue
            store.put(task.name, asdict(result))
        done.append(result)
        progress(number, len(tasks), task.name, result)
    results = BenchResults(
        found,
        {"efforts": asdict(efforts), "cases": [task.name for task in tasks]},
        tuple(r for r in done if isinstance(r, NetworkResult)),
        tuple(r for r in done if isinstance(r, OperatorResult)),
        {**failures, **_missing(done)},
        tuple(r for r in done if isinstance(r, BlockResult)),
    )
    results.save(out / "results.json")
    return results


def _network_task(efforts: Efforts) -> Callable[[NetworkCase], _Task]:
    def task(case: NetworkCase) -> _Task:
        effort = efforts.block if case.method in ("block", "head") else efforts.network
        return _Task(case.name, lambda: measure_network(case, effort), NetworkResult.from_plain)

    return task


def _block_task(effort: Effort) -> Callable[[BlockCase], _Task]:
    return lambda case: _Task(case.name, lambda: measure_block(case, effort), BlockResult.from_plain)


def _operator_task(effort: Effort) -> Callable[[OperatorCase], _Task]:
    return lambda case: _Task(case.name, lambda: measure_operator(case, effort), OperatorResult.from_plain)


def _kept(store: Store, task: _Task) -> Result | None:
    content = store.get(task.name)
    if content is None:
        return None
    try:
        return task.read(content)
    except (KeyError, TypeError):
        return None


def _missing(done: Iterable[Result]) -> dict[str, str]:
    """Figures that a finished measurement should have and has not."""
    holes = {}
    for result in done:
        lacks = _lacks(result)
        if lacks:
            holes[result.name] = f"no measurement of {', '.join(lacks)}"
    return holes


def _lacks(result: Result) -> list[str]:
    if isinstance(result, OperatorResult):
        return [name for name in ("forward", "backward") if not result.passes.get(name)]
    if isinstance(result, BlockResult):
        passes, forms, memory = BLOCK_PASSES, BLOCK_FORMS, result.kept_bytes
    else:
        passes, forms, memory = result.case.passes, result.case.forms, result.step_bytes
    wanted = [(what, form) for what in passes for form in forms]
    lacks = [f"{what} of {form}" for what, form in wanted if form not in result.seconds.get(what, {})]
    remembered = forms if "training" in passes else ()
    return lacks + [f"memory of {form}" for form in remembered if form not in memory]
