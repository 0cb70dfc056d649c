"""Finished runs: their network back, and their accuracies measured again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from dynaconv.errors import CheckpointError, RunFolderError
from dynaconv.train.config_file import load_config
from dynaconv.train.run_folder import RunFolder
from dynaconv.train.weights import load_weights

if TYPE_CHECKING:
    from dynaconv.data import ImageData
    from dynaconv.train.config import TrainConfig

__all__ = ["Evaluation", "evaluate", "load_model"]


@dataclass(frozen=True)
class Evaluation:
    """Test numbers of a network.

    Attributes:
        images: test images.
        clean_loss: mean cross entropy on the images as they are.
        clean_accuracy: share classified correctly, 0 to 1.
        viewpoint_loss: mean cross entropy on the fixed, seeded set of turned, scaled and sheared images.
        viewpoint_accuracy: share of those classified correctly.
    """

    images: int
    clean_loss: float
    clean_accuracy: float
    viewpoint_loss: float
    viewpoint_accuracy: float


def load_model(out: str | Path, *, model: nn.Module | None = None, data: ImageData | None = None) -> nn.Module:
    """The trained network of a run, in eval mode on the CPU.

    Args:
        out: the run folder.
        model: a network of the same form to load into; `None` builds the one that was trained.
        data: the images, for channels and classes; `None` loads those of the run.

    Raises:
        RunFolderError: if there is no finished run.
        CheckpointError: if the weights are damaged or do not fit.
    """
    config = _finished(out)
    if model is None:
        from dynaconv.train.networks import build_network

        model = build_network(config, data or _images(config), start=False)
    weights = RunFolder(out).weights
    try:
        model.load_state_dict(load_weights(weights))
    except RuntimeError as error:
        raise CheckpointError(weights, f"does not fit the network: {' '.join(str(error).split())}") from error
    return model.eval()


def evaluate(
    out: str | Path,
    *,
    model: nn.Module | None = None,
    data: ImageData | None = None,
    data_root: str | None = None,
    show_progress: bool = False,
) -> Evaluation:
    """Tests the trained network of a run on clean and on turned images.

    Args:
        out: the run folder.
        model: a network of the same form to load into; `None` builds the one that was trained.
        data: the images; `None` loads those of the run.
        data_root: where the data set's files are now, if not where they were.
        show_progress: draw a progress bar.

    Raises:
        RunFolderError: if there is no finished run.
        CheckpointError: if the weights are damaged or do not fit.
        DataError: if the images cannot be read.
    """
    from dynaconv.train.batches import Position
    from dynaconv.train.images_module import ImagesModule
    from dynaconv.train.lightning_api import quiet
    from dynaconv.train.loop import make_trainer
    from dynaconv.train.module import Classification
    from dynaconv.train.progress import Progress

    config = _finished(out)
    if data_root is not None:
        config = config.but(data_root=data_root)
    data = data or _images(config)
    task = Classification(config, data, load_model(out, model=model, data=data))
    with quiet():
        trainer = make_trainer(
            config.but(devices="auto" if config.accelerator == "auto" else 1, num_nodes=1, strategy="auto"),
            logger=False,
            callbacks=[Progress()] if show_progress else [],
            enable_progress_bar=show_progress,
        )
        (numbers,) = trainer.validate(task, datamodule=ImagesModule(config, data, Position()), verbose=False)
    images = len(data.test)  # type: ignore[arg-type]  # torch leaves __len__ out of the base class
    return Evaluation(images, **{name: float(value) for name, value in numbers.items()})


def _finished(out: str | Path) -> TrainConfig:
    folder = RunFolder(out)
    if not folder.weights.exists() or not folder.config.exists():
        raise RunFolderError(out, "holds no finished run (no config.yaml and model.safetensors)")
    return load_config(folder.config)


def _images(config: TrainConfig) -> ImageData:
    from dynaconv.data import load_data

    return load_data(config.data, root=config.data_root, image_size=config.image_size, eval_crop=config.eval_crop)
