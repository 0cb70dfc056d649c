"""What a comparison measured: plain values that can be printed, saved and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev

__all__ = ["Comparison", "Entry", "EntryResult", "EpochPoint", "SeedRun", "Spread"]


@dataclass(frozen=True)
class Entry:
    """One network of a comparison.

    Attributes:
        label: its name in tables and plots; unique within a comparison.
        model: a name of `dynaconv.list_models()`.
        conv: a name of `dynaconv.list_convs()` that replaces the model's own dynamic convolution; `None` keeps it.
        width: factor on all channel counts.
        conv_options: options of the convolution.
    """

    label: str
    model: str
    conv: str | None = None
    width: float = 1.0
    conv_options: Mapping[str, int | float | str | bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochPoint:
    """One point of a learning curve; accuracies are fractions in [0, 1]."""

    epoch: int
    train_loss: float
    clean_accuracy: float
    viewpoint_accuracy: float


@dataclass(frozen=True)
class SeedRun:
    """One finished training run.

    Attributes:
        seed: the run's seed.
        parameters: trainable numbers in the network.
        macs: multiply-adds of one forward pass of one image.
        seconds_per_step: median over the training steps.
        clean_accuracy: fraction of the test images classified correctly.
        viewpoint_accuracy: the same on test images that are turned, mirrored, scaled and sheared.
        history: the learning curve, one point per epoch.
    """

    seed: int
    parameters: int
    macs: int
    seconds_per_step: float
    clean_accuracy: float
    viewpoint_accuracy: float
    history: tuple[EpochPoint, ...]


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation; the deviation of a single value is `None`, not zero."""

    mean: float
    std: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of `values`, at least one."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class EntryResult:
    """All runs of one entry, one per seed."""

    entry: Entry
    runs: tuple[SeedRun, ...]

    @property
    def parameters(self) -> int:
        """Trainable numbers; the same for every seed."""
        return self.runs[0].parameters

    @property
    def macs(self) -> int:
        """Multiply-adds per image; the same for every seed."""
        return self.runs[0].macs

    @property
    def seconds_per_step(self) -> float:
        """Median over the seeds."""
        return median(run.seconds_per_step for run in self.runs)

    @property
    def clean(self) -> Spread:
        """Accuracy on the test images as they are."""
        return Spread.of([run.clean_accuracy for run in self.runs])

    @property
    def viewpoint(self) -> Spread:
        """Accuracy on the test images under random viewpoints."""
        return Spread.of([run.viewpoint_accuracy for run in self.runs])

    def curve(self) -> tuple[EpochPoint, ...]:
        """The learning curve averaged over the seeds, as long as the shortest run."""
        return tuple(
            EpochPoint(
                epoch=points[0].epoch,
                train_loss=fmean(p.train_loss for p in points),
                clean_accuracy=fmean(p.clean_accuracy for p in points),
                viewpoint_accuracy=fmean(p.viewpoint_accuracy for p in points),
            )
            for points in zip(*(run.history for run in self.runs), strict=False)
        )


@dataclass(frozen=True)
class Comparison:
    """Networks trained alike, and what each reached.

    Attributes:
        data: the data set's name.
        epochs: passes over the training images.
        seeds: one run per entry and seed.
        results: in the order of the entries.
    """

    data: str
    epochs: int
    seeds: tuple[int, ...]
    results: tuple[EntryResult, ...]
