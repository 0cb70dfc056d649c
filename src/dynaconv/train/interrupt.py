"""Ctrl-C and SIGTERM as a request: the running step is finished and saved, then training stops."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["StopRequest", "TrainingInterrupted"]


class TrainingInterrupted(Exception):
    """Training was stopped by a signal; `out` can be resumed.

    Args:
        out: the run folder.
    """

    def __init__(self, out: str | Path) -> None:
        super().__init__(f"stopped; continue with: dynaconv train --config {Path(out) / 'config.yaml'} --resume")
        self.out = Path(out)


class StopRequest:
    """Whether a signal has asked to stop.

    Attributes:
        asked: True from the first signal on; a second one has its usual effect at once.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens to SIGINT and SIGTERM; only a program's main thread can, others are left as they are."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: FrameType | None) -> None:
            self.asked = True
            sys.stderr.write("\nstopping after this step; once more to stop at once\n")
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
