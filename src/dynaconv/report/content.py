"""What a report shows, as plain values: rendering needs no network, no data set and no training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dynaconv.analysis import Turning
from dynaconv.compare import Comparison

__all__ = ["ReportContent", "Samples"]


@dataclass(frozen=True)
class Samples:
    """Images as they are, and as the networks see them in training.

    Attributes:
        originals: `(N, C, H, W)`, pixels in [0, 1], one or three channels.
        augmented: `(N, V, C, H, W)`, V augmented versions of each.
        labels: the N class names.
    """

    originals: Tensor
    augmented: Tensor
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ReportContent:
    """Everything that one report shows.

    Attributes:
        title: heading of the page.
        introduction: paragraphs that say what was compared and how, in plain words.
        comparison: measured results.
        samples: images for the section on augmentation.
        turnings: network label -> one image turned through a circle; the same image and angles for all.
        turned_label: class of the turned image.
        classes: class names, in the order of the networks' outputs.
        provenance: name -> value pairs for the page's foot (versions, machine, command).
    """

    title: str
    introduction: tuple[str, ...]
    comparison: Comparison
    samples: Samples
    turnings: dict[str, Turning]
    turned_label: str
    classes: tuple[str, ...]
    provenance: dict[str, str]
