"""The run folder: where each file of a run stands, whether a run may start there, which checkpoint to resume."""

from __future__ import annotations

import logging
from pathlib import Path

from dynaconv.atomic import write_json
from dynaconv.errors import CheckpointError, RunFolderError
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.config import TrainConfig
from dynaconv.train.config_file import load_config, save_config
from dynaconv.train.environment import environment

__all__ = ["RunFolder"]

log = logging.getLogger("dynaconv")


class RunFolder:
    """The files of one training run.

    Args:
        path: the folder, which need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.environment = self.path / "environment.json"
        self.model = self.path / "model.json"
        self.weights = self.path / "model.safetensors"
        self.metrics = self.path / "metrics.json"
        self.table = self.path / "metrics.csv"
        self.checkpoints = self.path / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.previous = self.checkpoints / "previous.ckpt"
        self.best = self.checkpoints / "best.ckpt"

    def prepare(self, config: TrainConfig, *, resume: bool) -> None:
        """Makes the folder and writes configuration and environment, unless it holds the run to resume.

        Raises:
            RunFolderError: if it holds a run and `resume` is false, or another run, or cannot be written.
        """
        try:
            if self.config.exists():
                self._check_same_run(config, resume)
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            save_config(config, self.config)
            write_json(self.environment, environment())
        except OSError as error:
            raise RunFolderError(
                self.path, f"cannot be written: {error.strerror}; choose another folder with --out"
            ) from error

    def _check_same_run(self, config: TrainConfig, resume: bool) -> None:
        if not resume:
            raise RunFolderError(
                self.path, "already holds a run; continue it with --resume, or choose another folder with --out"
            )
        then, now = load_config(self.config).identity(), config.identity()
        differences = [f"{k} was {then[k]!r}, now {now[k]!r}" for k in now if then[k] != now[k]]
        if differences:
            raise RunFolderError(
                self.path, f"holds a run with other settings ({'; '.join(differences)}); choose another --out"
            )

    def find_checkpoint(self, identity: dict[str, object], *, tidy: bool) -> Path | None:
        """The newest checkpoint that is whole and belongs to this run; `None` if there is none at all.

        Args:
            identity: what the checkpoint must have been made with.
            tidy: move refused files aside (`*.refused`), so that the next save does not replace a good one by them.

        Raises:
            CheckpointError: if there are checkpoints and none is usable.
        """
        problems = []
        for path in (self.last, self.previous, self.best):
            if not path.exists():
                continue
            problem = _why_unusable(path, identity)
            if problem is None:
                return path
            problems.append(problem)
            log.warning("refused checkpoint %s", problem)
            if tidy:
                path.replace(path.with_name(f"{path.name}.refused"))
        if problems:
            raise CheckpointError(self.checkpoints, f"no usable checkpoint ({'; '.join(problems)})")
        return None


def _why_unusable(path: Path, identity: dict[str, object]) -> str | None:
    try:
        made_with = read_checkpoint(path)["dynaconv"]["identity"]
    except CheckpointError as error:
        return str(error)
    differences = [k for k in identity if made_with.get(k) != identity[k]]
    if differences:
        return f"{path}: made by another run: {', '.join(differences)} differ"
    return None
