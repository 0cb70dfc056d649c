"""The instruction sets that this processor runs, and numbers of threads to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dynaconv import native
from dynaconv.errors import ArgumentError


def runnable() -> list[str]:
    """All instruction sets that can be forced here."""
    found = []
    for name in ("avx512", "avx2", "portable", "neon"):
        try:
            with forced(name):
                found.append(name)
        except ArgumentError:
            continue
    return found


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Use one instruction set within a `with` block, the best one afterwards."""
    native.force_instruction_set(name)
    try:
        yield
    finally:
        native.force_instruction_set(None)


def assert_the_same_with_any_threads(run: Callable[[], list[Tensor]]) -> None:
    """Fail unless 1, 2 and 4 threads give the same, bit for bit."""
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            results.append(run())
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))
