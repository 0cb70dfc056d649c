"""One run on Lightning, from a prepared folder to its last checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from dynaconv.data import ImageData
from dynaconv.errors import ConfigError, DynaconvError
from dynaconv.train.batches import Position
from dynaconv.train.callbacks import History, TrackPosition
from dynaconv.train.checkpoints import CheckedFiles, Checkpoints
from dynaconv.train.config import TrainConfig
from dynaconv.train.frozen import KeepFrozenNorms, frozen_norms
from dynaconv.train.images_module import ImagesModule
from dynaconv.train.interrupt import StopRequest, TrainingInterrupted
from dynaconv.train.lightning_api import (
    Callback,
    EMAWeightAveraging,
    MisconfigurationException,
    SIGTERMException,
    TensorBoardLogger,
    Trainer,
    quiet,
)
from dynaconv.train.module import Classification
from dynaconv.train.progress import Progress
from dynaconv.train.run_folder import RunFolder
from dynaconv.train.temperature import AnnealTemperature, anneals

__all__ = ["make_trainer", "run_identity", "train"]

_LOG_EVERY = 50


def run_identity(config: TrainConfig, data: ImageData, model: nn.Module) -> dict[str, object]:
    """What decides a run's weights: settings, the images' number and form, the model's tensors."""
    tensors = sorted(f"{name} {tuple(t.shape)} {t.dtype}" for name, t in model.state_dict().items())
    images = (len(data.train), data.channels, *data.image_size)  # type: ignore[arg-type]  # as torch's Dataset
    return {
        **config.identity(),
        "images": list(images),
        "tensors": hashlib.sha256("\n".join(tensors).encode()).hexdigest(),
    }


def train(
    config: TrainConfig,
    data: ImageData,
    model: nn.Module,
    folder: RunFolder,
    *,
    checkpoint: Path | None,
    show_progress: bool,
) -> bool:
    """Trains `model` to the end; the folder's last checkpoint then holds the outcome.

    Args:
        config: the run.
        data: its images.
        model: the network, freshly initialised.
        folder: prepared.
        checkpoint: where to go on from; `None` starts at the beginning.
        show_progress: whether to draw a progress bar.

    Returns:
        Whether this process is the one that writes the results (of several, the first).

    Raises:
        TrainingInterrupted: if a signal asked to stop.
    """
    position, stop = Position(), StopRequest()
    history = History(len(data.classes), folder.table)
    identity = run_identity(config, data, model)
    callbacks: list[Callback] = [] if config.ema is None else [EMAWeightAveraging(decay=config.ema)]
    callbacks += [
        TrackPosition(position),
        history,
        Checkpoints(config, folder, identity, position, history, stop),
    ]
    if show_progress:
        callbacks.append(Progress())
    task = Classification(config, data, model)
    if anneals(config, model):
        callbacks.append(AnnealTemperature(config, model, task.batches_per_epoch, position))
    if frozen_norms(model):
        callbacks.append(KeepFrozenNorms(model))
    images = ImagesModule(config, data, position)
    with quiet(), stop.listening():
        trainer = make_trainer(
            config,
            max_epochs=config.epochs,
            callbacks=callbacks,
            logger=TensorBoardLogger(folder.path, name="tensorboard", version=""),
            plugins=[CheckedFiles(folder)],
            enable_progress_bar=show_progress,
            log_every_n_steps=min(_LOG_EVERY, task.batches_per_epoch),
            check_val_every_n_epoch=config.eval_every,
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip_norm,
        )
        with _signals_as_interrupts(folder):
            trainer.fit(task, datamodule=images, ckpt_path=checkpoint, weights_only=True)
    return bool(trainer.is_global_zero)


@contextmanager
def _signals_as_interrupts(folder: RunFolder) -> Iterator[None]:
    """Lightning's own answers to signals, where they come before ours, as `TrainingInterrupted`."""
    try:
        yield
    except SIGTERMException:  # while an epoch's test runs
        raise TrainingInterrupted(folder.path) from None
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            raise TrainingInterrupted(folder.path) from None
        raise


def make_trainer(config: TrainConfig, **options: Any) -> Trainer:
    """Lightning's trainer on the hardware that `config` names.

    Raises:
        ConfigError: if Lightning cannot run there.
    """
    try:
        return Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=config.precision,  # type: ignore[arg-type]  # the configuration has checked the word
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_model_summary=False,
            **options,
        )
    except DynaconvError:
        raise
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        where = f"accelerator={config.accelerator!r}, devices={config.devices!r}, strategy={config.strategy!r}"
        raise ConfigError(f"{where}: {' '.join(str(error).split())}") from error
