"""A report's content from a finished comparison: samples, the turned image, and where it all came from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dynaconv.analysis import Turning, turn
from dynaconv.compare import Comparison, run_config
from dynaconv.data import ImageData, ViewpointAugmentation
from dynaconv.layers import DynamicConv
from dynaconv.report.content import ReportContent, Samples
from dynaconv.train import TrainConfig, environment, load_model

__all__ = ["collect"]

SAMPLES = 8
VIEWS = 6


def collect(
    comparison: Comparison,
    out: Path,
    config: TrainConfig,
    data: ImageData,
    *,
    title: str,
    introduction: Sequence[str],
    turned: int,
) -> ReportContent:
    """What a report shows of the comparison that `compare` made with `out`, `config` and `data`.

    Args:
        comparison: as `compare` returned it.
        out: as given to `compare`.
        config: as given to `compare`.
        data: the images.
        title: the report's heading.
        introduction: its first paragraphs.
        turned: index of the test image that is turned through a circle.

    Raises:
        RunFolderError: if a run is not there.
        CheckpointError: if its weights are damaged.
    """
    pixels, label = data.test[turned]
    return ReportContent(
        title=title,
        introduction=tuple(introduction),
        comparison=comparison,
        samples=_samples(data),
        turnings=_turnings(comparison, out, config, data, pixels / 255),
        turned_label=data.classes[label],
        classes=data.classes,
        provenance=_provenance(),
    )


def _samples(data: ImageData) -> Samples:
    """Training images from all over the set, and random views of them."""
    count = len(data.train)  # type: ignore[arg-type]  # torch leaves __len__ out of the base class
    items = [data.train[i] for i in torch.linspace(0, count - 1, SAMPLES).long().tolist()]
    originals = torch.stack([pixels for pixels, _ in items]) / 255
    augmentation = ViewpointAugmentation()
    views = [augmentation(originals, seed=seed) for seed in range(VIEWS)]
    return Samples(originals, torch.stack(views, dim=1), tuple(data.classes[label] for _, label in items))


def _turnings(
    comparison: Comparison, out: Path, config: TrainConfig, data: ImageData, image: Tensor
) -> dict[str, Turning]:
    """The first seed's networks, those with dynamic layers, looking at `image`."""
    found = {}
    for result in comparison.results:
        model = load_model(run_config(result.entry, comparison.seeds[0], out, config).out, data=data)
        if any(isinstance(module, DynamicConv) for module in model.modules()):
            found[result.entry.label] = turn(model, image, mean=data.mean, std=data.std)
    return found


def _provenance() -> dict[str, str]:
    facts = environment()
    program = Path(facts["command"][0]).name.replace("__main__.py", "dynaconv")
    shown = {
        "dynaconv": facts["dynaconv"],
        "torch": facts["torch"],
        "python": facts["python"],
        "processor": facts["processor"],
        "threads": facts["threads"],
        "commit": facts["commit"],
        "command": shlex.join([program, *facts["command"][1:]]),
    }
    return {name: str(value) for name, value in shown.items() if value is not None}
