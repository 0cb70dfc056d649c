"""What a finished run tells of its network, for a saved model and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dynaconv.errors import RunFolderError
from dynaconv.train.config_file import load_config
from dynaconv.train.result import RunResult
from dynaconv.train.run_folder import RunFolder

__all__ = ["run_info"]

_SETTINGS = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "augment", "seed")


def run_info(out: str | Path, licence: str | None = None) -> dict[str, Any]:
    """The data set, labels, normalisation, accuracies and settings of a run, as `dynaconv.save` keeps them.

    Args:
        out: the run folder.
        licence: of the weights, such as `"apache-2.0"`.

    Raises:
        RunFolderError: there is no finished run.
    """
    result, folder = RunResult.load(out), RunFolder(out)
    try:
        description = json.loads(folder.model.read_text(encoding="utf-8"))
        described = {key: description[key] for key in ("classes", "image_size", "mean", "std")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(out, "model.json cannot be read") from error
    config = load_config(folder.config)
    info = {
        "dataset": config.data,
        **described,
        "accuracy": {"clean": result.clean_accuracy, "viewpoint": result.viewpoint_accuracy},
        "training": {name: getattr(config, name) for name in _SETTINGS},
    }
    return info if licence is None else {**info, "licence": licence}
