"""`fit`: a configuration in, a trained network in a run folder out."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dynaconv.atomic import write_json
from dynaconv.errors import ArgumentError
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.config import TrainConfig
from dynaconv.train.processes import is_first_process
from dynaconv.train.result import RunResult
from dynaconv.train.run_folder import RunFolder
from dynaconv.train.weights import save_weights

if TYPE_CHECKING:
    from dynaconv.data import ImageData

__all__ = ["fit"]


def fit(
    config: TrainConfig,
    *,
    model: nn.Module | None = None,
    data: ImageData | None = None,
    resume: bool = False,
    show_progress: bool = True,
) -> RunResult:
    """Trains a network and tests it on clean and on turned images.

    Args:
        config: the run.
        model: (B, C, H, W) to (B, classes); `None` builds what `config` names.
        data: the images; `None` loads what `config` names.
        resume: continue the run in `config.out` where it stopped, or return its result if it is finished; starts
            at the beginning if there is none yet. On the CPU the weights end bit for bit as without the stop.
        show_progress: draw a progress bar.

    Raises:
        DynaconvError: for anything wrong with configuration, data, folder or checkpoints, and a non-finite loss.
        TrainingInterrupted: on Ctrl-C or SIGTERM, after saving.
    """
    # Lightning takes seconds to import; whoever only asks for help should not wait for it.
    from dynaconv.train.checkpoints import best_epoch
    from dynaconv.train.loop import run_identity, train

    model, data = _materials(config, model, data)
    folder = RunFolder(config.out)
    first = is_first_process()
    if first:
        folder.prepare(config, resume=resume)
    if resume and folder.metrics.exists():
        return RunResult.load(folder.path)
    checkpoint = folder.find_checkpoint(run_identity(config, data, model), tidy=first) if resume else None
    sizes = _sizes(model, data)
    writes = train(config, data, model, folder, checkpoint=checkpoint, show_progress=show_progress and first)
    outcome = read_checkpoint(folder.last)
    rows = outcome["callbacks"]["History"]["rows"]
    result = _result(config, sizes, rows, best_epoch(config, rows))
    if writes:
        save_weights(outcome["state_dict"], folder.weights)
        write_json(folder.model, _description(config, data))
        result.save()
    return result


def _result(config: TrainConfig, sizes: dict[str, int], rows: list[dict[str, float]], best: int) -> RunResult:
    tests = ("clean_loss", "clean_accuracy", "viewpoint_loss", "viewpoint_accuracy")
    return RunResult(
        out=Path(config.out),
        parameters=sizes["parameters"],
        macs=sizes["macs"],
        epochs=config.epochs,
        steps=int(rows[-1]["step"]),
        seconds_per_step=median(row["seconds_per_step"] for row in rows),
        **{name: rows[-1][name] for name in tests},
        best_epoch=best,
        history=tuple(rows),
    )


def _materials(config: TrainConfig, model: nn.Module | None, data: ImageData | None) -> tuple[nn.Module, ImageData]:
    """Network and images, made as `config` says where they are not given; names are checked before any loading."""
    from dynaconv.data import load_data
    from dynaconv.train.networks import build_network, check_names

    if model is None:
        check_names(config)
    if data is None:
        data = load_data(config.data, root=config.data_root, image_size=config.image_size, eval_crop=config.eval_crop)
    images = len(data.train)  # type: ignore[arg-type]  # torch leaves __len__ out of the base class
    if config.batch_size > images:
        raise ArgumentError("batch_size", config.batch_size, f"at most the {images} training images of {data.name}")
    torch.manual_seed(config.seed)
    return build_network(config, data) if model is None else model, data


def _sizes(model: nn.Module, data: ImageData) -> dict[str, int]:
    """Parameters and multiply-adds of one image."""
    from dynaconv.models import profile

    measured = profile(model, input_size=(data.channels, *data.image_size))
    return {"parameters": measured.parameters, "macs": measured.macs + measured.assembly}


def _description(config: TrainConfig, data: ImageData) -> dict[str, Any]:
    """What is needed to build the network again and to feed it."""
    return {
        "model": config.model,
        "conv": config.conv,
        "conv_options": config.conv_options,
        "width": config.width,
        "in_channels": data.channels,
        "image_size": list(data.image_size),
        "classes": list(data.classes),
        "mean": list(data.mean),
        "std": list(data.std),
    }
