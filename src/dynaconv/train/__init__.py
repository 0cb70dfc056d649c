"""Training: one flat configuration, a resumable Lightning loop, run folders, evaluation of finished runs."""

from __future__ import annotations

from dynaconv.train.config import TrainConfig
from dynaconv.train.config_file import load_config, save_config
from dynaconv.train.environment import environment
from dynaconv.train.evaluate import Evaluation, evaluate, load_model
from dynaconv.train.fit import fit
from dynaconv.train.interrupt import TrainingInterrupted
from dynaconv.train.result import RunResult
from dynaconv.train.run_info import run_info

__all__ = [
    "Evaluation",
    "RunResult",
    "TrainConfig",
    "TrainingInterrupted",
    "environment",
    "evaluate",
    "fit",
    "load_config",
    "load_model",
    "run_info",
    "save_config",
]
