"""All that a benchmark found, as plain values that are saved as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dynaconv.atomic import write_json
from dynaconv.bench.measure_block import BlockResult
from dynaconv.bench.measure_network import NetworkResult
from dynaconv.bench.measure_operator import CLOSE, OperatorResult
from dynaconv.bench.store import write_file

__all__ = ["BenchResults", "DefaultChoice", "default_choice"]

_FORMAT = 1


@dataclass(frozen=True)
class DefaultChoice:
    """How often the default algorithm is close to the best one.

    Attributes:
        close: how many times the best one's time still counts as close.
        problems: passes over problems, in all.
        share: of them, where the default is close; `None` if there are none.
        others: the rest, worst first: name, pass, default, best, times the best's time.
    """

    close: float
    problems: int
    share: float | None
    others: tuple[dict[str, Any], ...]


def default_choice(operators: tuple[OperatorResult, ...]) -> DefaultChoice:
    """The summary over all passes of all problems."""
    passes = [(result.name, name, found) for result in operators for name, found in result.passes.items()]
    others = [
        {"name": case, "pass": name, "default": found.chosen, "best": found.best, "times": found.loss}
        for case, name, found in passes
        if found.loss > CLOSE
    ]
    share = 1 - len(others) / len(passes) if passes else None
    return DefaultChoice(CLOSE, len(passes), share, tuple(sorted(others, key=lambda row: -row["times"])))


@dataclass(frozen=True)
class BenchResults:
    """What one benchmark found.

    Attributes:
        environment: versions and hardware.
        settings: what was asked for.
        networks: the network cases that could be measured.
        operators: the operator cases that could be measured.
        failures: name of the case → why there is no figure.
        blocks: the blocks and heads that could be measured by themselves.
    """

    environment: dict[str, Any]
    settings: dict[str, Any]
    networks: tuple[NetworkResult, ...]
    operators: tuple[OperatorResult, ...]
    failures: dict[str, str]
    blocks: tuple[BlockResult, ...] = ()

    def save(self, path: Path) -> None:
        """Write everything as JSON, ratios and the summary of default choices included.

        Raises:
            RunFolderError: if that is not possible.
        """
        content = {
            "format": _FORMAT,
            **asdict(self),
            "networks": [{**asdict(result), "ratios": _ratios(result)} for result in self.networks],
            "blocks": [{**asdict(result), "ratios": _block_ratios(result)} for result in self.blocks],
            "default_choice": asdict(default_choice(self.operators)),
        }
        write_file(path, lambda: write_json(path, content))


def _block_ratios(result: BlockResult) -> dict[str, float | None]:
    """Pass or memory → how many times as much as the authors' formulation."""
    return {what: result.ratio(what) for what in (*result.seconds, "memory")}


def _ratios(result: NetworkResult) -> dict[str, dict[str, dict[str, float]]]:
    """Pass or memory → `static` or `grouped` → form → how many times as much."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for what in (*result.case.passes, "memory"):
        for to in ("static", "grouped"):
            values = {form: result.ratio(what, form, to) for form in result.case.forms}
            known = {form: value for form, value in values.items() if value is not None}
            if known:
                found.setdefault(what, {})[to] = known
    return found
