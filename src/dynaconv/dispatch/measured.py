"""Choosing by measurement: candidates are timed once per problem and pass, the winner is remembered on disk.

Every winner is a file of its own, written under a temporary name and moved: processes cannot tear each other's files,
and a damaged one costs a warning and a new measurement.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import torch

from dynaconv.dispatch.algorithm import Algorithm
from dynaconv.dispatch.problem import Problem

__all__ = ["autotune", "autotuning", "fastest"]

RUNS = 5

_enabled = os.environ.get("DYNACONV_AUTOTUNE", "0") not in ("", "0")
_remembered: dict[tuple[Path, Problem, bool], str] = {}


def autotune(enabled: bool = True) -> None:
    """Choose algorithms by measuring them, from now on, in this process.

    The first call of an operator on a new problem times every algorithm that can run it; later calls, and later
    processes on the same hardware and versions, take the winner from `$DYNACONV_CACHE`, by default
    `~/.cache/dynaconv`. Forward and backward passes are measured apart. The environment variable
    `DYNACONV_AUTOTUNE=1` switches it on from the start.

    Args:
        enabled: `False` goes back to the cost model.
    """
    global _enabled
    _enabled = enabled


def autotuning() -> bool:
    """Whether algorithms are chosen by measuring them."""
    return _enabled


def fastest(
    problem: Problem, backward: bool, candidates: Sequence[Algorithm], run: Callable[[Algorithm], object]
) -> Algorithm:
    """The fastest candidate: remembered, else measured.

    Args:
        problem: what is to be done.
        backward: whether the backward pass is meant.
        candidates: algorithms that can run the problem.
        run: runs one of them on the actual tensors.
    """
    by_name = {algorithm.name: algorithm for algorithm in candidates}
    folder = _folder(problem.device)
    key = (folder, problem, backward)
    name = _remembered.get(key) or _read(_file(folder, problem, backward))
    if name not in by_name:
        seconds = {algorithm.name: _seconds(algorithm, run) for algorithm in candidates}
        name = min(seconds, key=seconds.__getitem__)
        _write(_file(folder, problem, backward), problem, backward, seconds)
    _remembered[key] = name
    return by_name[name]


def _seconds(algorithm: Algorithm, run: Callable[[Algorithm], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        run(algorithm)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    # The first run pays for allocations and code that the others find ready.
    return statistics.median(times[1:])


def _folder(device: str) -> Path:
    """Where winners on this hardware with these versions are kept."""
    cache = Path(os.environ.get("DYNACONV_CACHE") or Path.home() / ".cache" / "dynaconv")
    chip = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()} {_processor()}"
    setting = f"{chip}|{device}|{torch.get_num_threads()}|{torch.__version__}|{torch.backends.cpu.get_cpu_capability()}"
    return cache / "autotune" / sha256(setting.encode()).hexdigest()[:16]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _file(folder: Path, problem: Problem, backward: bool) -> Path:
    return folder / f"{sha256(f'{problem!r}|{backward}'.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> str | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["fastest"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        warnings.warn(f"{file}: ignored, the algorithms are measured again ({error})", stacklevel=2)
        return None
    return found if isinstance(found, str) else None


def _write(file: Path, problem: Problem, backward: bool, seconds: dict[str, float]) -> None:
    content = {
        "problem": str(problem),
        "pass": "backward" if backward else "forward",
        "fastest": min(seconds, key=seconds.__getitem__),
        "seconds": seconds,
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as temporary:
            json.dump(content, temporary, indent=1)
        Path(temporary.name).replace(file)
    except OSError as error:
        warnings.warn(f"{file}: the fastest algorithm cannot be remembered ({error})", stacklevel=2)
