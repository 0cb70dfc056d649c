"""Which of a run's processes this is, told before Lightning has started the others."""

from __future__ import annotations

import os

__all__ = ["is_first_process"]

_RANKS = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


def is_first_process() -> bool:
    """Whether this is the first of the processes that torchrun, Slurm or Lightning started."""
    return all(os.environ.get(name, "0") in ("", "0") for name in _RANKS)
