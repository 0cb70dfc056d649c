"""Checkpoint files: torn, damaged, foreign and malicious ones are refused; the previous good one is used."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import pytest
import torch
from small_runs import build_model, images, small_config

from dynaconv.errors import CheckpointError, RunFolderError
from dynaconv.train import RunResult, fit
from dynaconv.train.checkpoint_file import read_checkpoint, rotate_in
from dynaconv.train.loop import run_identity
from dynaconv.train.run_folder import RunFolder


def write(path: Path, content: dict[str, object]) -> None:
    rotate_in(path, path.with_name("previous.ckpt"), content)


def test_round_trip_and_rotation(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    for step in range(3):
        write(path, {"dynaconv": {"batches": step}, "w": torch.tensor([step])})
    assert read_checkpoint(path)["w"].item() == 2
    assert read_checkpoint(tmp_path / "previous.ckpt")["w"].item() == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


def test_plain_torch_reads_it_too(tmp_path: Path) -> None:
    write(tmp_path / "last.ckpt", {"dynaconv": {}, "w": torch.ones(2)})
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[: len(b) // 2], "torn, or not a checkpoint"),
        (lambda b: b[:-1], "torn, or not a checkpoint"),
        (lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:], r"damaged: expected SHA-256 \w+\.\.\., found"),
        (lambda b: b"", "torn, or not a checkpoint"),
    ],
)
def test_torn_files_are_refused(tmp_path: Path, change, message: str) -> None:
    path = tmp_path / "last.ckpt"
    write(path, {"dynaconv": {}, "w": torch.ones(100)})
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    write(tmp_path / "last.ckpt", {"dynaconv": Malicious(target)})
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        read_checkpoint(tmp_path / "last.ckpt")
    assert not target.exists()
    pickle.loads(pickle.dumps(Malicious(target)))
    assert target.exists(), "the test's own attack must work"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run without its result, as if killed at the very end."""
    config = small_config(tmp_path / "run", epochs=2)
    fit(config, model=build_model(), data=images(), show_progress=False)
    folder = RunFolder(config.out)
    folder.metrics.unlink()
    return folder


def resume(folder: RunFolder, **changes: object) -> RunResult:
    config = small_config(folder.path, epochs=2, **changes)
    return fit(config, model=build_model(), data=images(), resume=True, show_progress=False)


def test_a_torn_checkpoint_gives_way_to_the_previous_one(run: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    weights = run.weights.read_bytes()
    run.last.write_bytes(run.last.read_bytes()[:-500])
    with caplog.at_level(logging.WARNING, "dynaconv"):
        result = resume(run)
    assert "refused checkpoint" in caplog.text
    assert "torn" in caplog.text
    assert result.epochs == 2
    assert run.weights.read_bytes() == weights
    assert run.last.with_name("last.ckpt.refused").exists()


def test_a_kill_between_the_two_moves_leaves_the_previous_one(run: RunFolder) -> None:
    weights = run.weights.read_bytes()
    run.last.unlink()
    assert resume(run).epochs == 2
    assert run.weights.read_bytes() == weights


def test_no_good_checkpoint_is_an_error(run: RunFolder) -> None:
    for path in (run.last, run.previous, run.best):
        path.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match=r"no usable checkpoint .*last.ckpt: torn.*previous.ckpt: torn"):
        resume(run)


def test_a_foreign_checkpoint_is_refused(run: RunFolder, tmp_path: Path) -> None:
    other = small_config(tmp_path / "other", epochs=2, seed=9)
    identity = run_identity(other, images(), build_model())
    with pytest.raises(CheckpointError, match=r"made by another run: seed differ"):
        run.find_checkpoint(identity, tidy=False)
    wider = run_identity(small_config(run.path, epochs=2), images(), build_model(classes=5))
    with pytest.raises(CheckpointError, match=r"made by another run: tensors differ"):
        run.find_checkpoint(wider, tidy=False)


def test_a_run_folder_is_not_overwritten(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="already holds a run; continue it with --resume"):
        fit(small_config(run.path, epochs=2), model=build_model(), data=images(), show_progress=False)


def test_resuming_with_other_settings_is_refused(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match=r"other settings \(lr was 0.01, now 0.5\)"):
        resume(run, lr=0.5)
