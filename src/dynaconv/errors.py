"""The errors that dynaconv raises: each names what was given, what is allowed, and the remedy where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "AlgorithmError",
    "ArgumentError",
    "CheckpointError",
    "ConfigError",
    "ConversionError",
    "DataError",
    "DynaconvError",
    "ExportError",
    "MissingExtraError",
    "NonFiniteLossError",
    "RunFolderError",
    "ShapeError",
]


class DynaconvError(Exception):
    """Base of all errors that are about what the user gave; the command line prints these as one line."""


class ArgumentError(DynaconvError, ValueError):
    """An argument has a value that is not allowed.

    Args:
        argument: the argument's name as the caller wrote it.
        value: the value given.
        allowed: what would have been accepted, as the end of the sentence "expected ...".
    """

    def __init__(self, argument: str, value: object, allowed: str) -> None:
        super().__init__(f"{argument}={value!r}: expected {allowed}")
        self.argument = argument
        self.value = value
        self.allowed = allowed


class ShapeError(ArgumentError):
    """A tensor has a shape that does not fit; `value` is the shape given."""

    def __init__(self, argument: str, shape: Iterable[int], allowed: str) -> None:
        super().__init__(argument, tuple(shape), allowed)


class AlgorithmError(DynaconvError, RuntimeError):
    """A forced algorithm cannot run on the problem; `reasons` says why."""

    def __init__(self, algorithm: str, reasons: Iterable[str]) -> None:
        self.algorithm = algorithm
        self.reasons = tuple(reasons)
        super().__init__(f"algorithm={algorithm!r} cannot run here: {'; '.join(self.reasons)}")


class ConfigError(DynaconvError):
    """A configuration or command line is wrong as a whole; the message says which key and what is allowed."""


class ConversionError(DynaconvError, RuntimeError):
    """A converted layer, or a converted model where `layer` is empty, does not compute what it did before."""

    def __init__(self, layer: str, problem: str) -> None:
        super().__init__(f"{layer}: {problem}" if layer else problem)
        self.layer = layer
        self.problem = problem


class DataError(DynaconvError):
    """A data file is missing, truncated or not what it should be.

    `problem` may be left out because PyTorch rebuilds an error of a loader process from its message alone.
    """

    def __init__(self, path: str | Path, problem: str = "") -> None:
        super().__init__(f"{path}: {problem}" if problem else str(path))
        self.path = Path(path)
        self.problem = problem


class CheckpointError(DynaconvError):
    """A checkpoint cannot be used."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.problem = problem


class ExportError(DynaconvError):
    """A model cannot be exported, or the exported model differs from it: then `largest` says how far."""

    def __init__(self, problem: str, largest: float | None = None) -> None:
        super().__init__(problem)
        self.largest = largest


class RunFolderError(DynaconvError):
    """A run folder cannot be made, written, or resumed."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.problem = problem


class NonFiniteLossError(DynaconvError, ArithmeticError):
    """The training loss became NaN or infinite."""

    def __init__(self, loss: float, step: int, epoch: int, batch: int) -> None:
        super().__init__(
            f"the loss became {loss} at step {step} (epoch {epoch}, batch {batch}); the last good checkpoint "
            "is kept: lower the learning rate or clip gradients, then start again"
        )
        self.loss = loss
        self.step = step
        self.epoch = epoch
        self.batch = batch


class MissingExtraError(DynaconvError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; it comes with: pip install 'dynaconv[{extra}]'")
        self.package = package
        self.extra = extra
