"""Trains every entry with every seed; what is finished is not trained again."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dynaconv.compare.files import save_comparison
from dynaconv.compare.results import Comparison, Entry, EntryResult, EpochPoint, SeedRun
from dynaconv.data import ImageData, load_data
from dynaconv.errors import ArgumentError
from dynaconv.train import RunResult, TrainConfig, fit

__all__ = ["compare", "run_config"]


def compare(
    entries: Sequence[Entry],
    seeds: Sequence[int],
    out: Path,
    config: TrainConfig,
    *,
    data: ImageData | None = None,
    show_progress: bool = True,
) -> Comparison:
    """Train all `entries` alike and collect what each reached.

    Calling this again with the same arguments takes finished runs as they are and goes on with an interrupted one;
    runs with other settings get folders of their own.

    Args:
        entries: the networks, with labels that differ.
        seeds: one run per entry and seed.
        out: folder for the runs and `comparison.json`.
        config: all other settings; its model, conv, conv_options, width, seed and out are replaced.
        data: images to use instead of loading `config.data`.
        show_progress: say which run is on, with a progress bar.

    Raises:
        ArgumentError: if there is no entry or no seed, or one is given twice.
        TrainingInterrupted: on Ctrl-C or SIGTERM, after saving.
    """
    labels = tuple(entry.label for entry in entries)
    if not labels or len(set(labels)) < len(labels):
        raise ArgumentError("entries", labels, "at least one entry, with labels that differ")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ArgumentError("seeds", tuple(seeds), "at least one seed, none of them twice")
    images = data or load_data(config.data, root=config.data_root, image_size=config.image_size)
    results = []
    for i, entry in enumerate(entries, start=1):
        runs = []
        for seed in seeds:
            if show_progress:
                sys.stdout.write(f"{entry.label} (network {i} of {len(entries)}, seed {seed})\n")
                sys.stdout.flush()
            settings = run_config(entry, seed, out, config)
            runs.append(_seed_run(seed, fit(settings, resume=True, show_progress=show_progress, data=images)))
        results.append(EntryResult(entry, tuple(runs)))
    comparison = Comparison(images.name, config.epochs, tuple(seeds), tuple(results))
    save_comparison(comparison, out / "comparison.json")
    return comparison


def run_config(entry: Entry, seed: int, out: Path, config: TrainConfig) -> TrainConfig:
    """The settings of one run; its folder is named by label, seed and a digest of what decides the weights."""
    settings = config.but(
        model=entry.model, conv=entry.conv, conv_options=dict(entry.conv_options), width=entry.width, seed=seed
    )
    digest = hashlib.sha256(json.dumps(settings.identity(), sort_keys=True).encode()).hexdigest()[:8]
    name = "".join(c if c.isalnum() else "-" for c in entry.label.lower())
    return settings.but(out=str(out / "runs" / f"{name}-seed{seed}-{digest}"))


def _seed_run(seed: int, result: RunResult) -> SeedRun:
    return SeedRun(
        seed=seed,
        parameters=result.parameters,
        macs=result.macs,
        seconds_per_step=result.seconds_per_step,
        clean_accuracy=result.clean_accuracy,
        viewpoint_accuracy=result.viewpoint_accuracy,
        history=tuple(
            EpochPoint(row["epoch"], row["train_loss"], row["clean_accuracy"], row["viewpoint_accuracy"])
            for row in result.history
            if "clean_accuracy" in row
        ),
    )
