"""Whole small runs: learning, what a run folder holds, evaluation, averaging, errors on the way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from small_runs import build_model, final_weights, images, small_config
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, CheckpointError, NonFiniteLossError, RunFolderError
from dynaconv.train import RunResult, TrainConfig, evaluate, fit, load_config, load_model
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.run_folder import RunFolder


def run(config: TrainConfig, model: nn.Module | None = None, *, resume: bool = False) -> RunResult:
    return fit(config, model=model or build_model(), data=images(), resume=resume, show_progress=False)


def test_a_run_folder_holds_all_of_it(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run")
    result = run(config)
    folder = RunFolder(config.out)
    assert load_config(folder.config) == config
    assert json.loads(folder.environment.read_text())["torch"] == torch.__version__
    assert json.loads(folder.model.read_text())["classes"] == ["class 0", "class 1", "class 2"]
    rows = list(csv.DictReader(folder.table.open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["viewpoint_accuracy"]) == result.viewpoint_accuracy
    assert list((folder.path / "tensorboard").glob("events.*"))
    assert {p.name for p in folder.checkpoints.iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
    assert not list(folder.path.rglob("*.tmp"))
    assert RunResult.load(folder.path) == result


def test_the_numbers_are_the_models(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run", augment="none")
    result = run(config)
    assert (result.steps, result.epochs, result.parameters) == (30, 3, 63)
    assert result.seconds_per_step > 0
    data = images()
    model = load_model(config.out, model=build_model(), data=data)
    pixels = (data.test.images.float() / 255 - data.mean[0]) / data.std[0]
    share = (model(pixels).argmax(1) == data.test.labels).float().mean()
    assert result.clean_accuracy == pytest.approx(float(share))
    best = max(result.history, key=lambda row: row["clean_accuracy"])
    assert result.best_epoch == best["epoch"]


def test_evaluate_repeats_the_final_numbers(tmp_path: Path) -> None:
    result = run(small_config(tmp_path / "run", ema=0.5))
    measured = evaluate(result.out, model=build_model(), data=images())
    assert measured.images == 10
    for name in ("clean_loss", "clean_accuracy", "viewpoint_loss", "viewpoint_accuracy"):
        assert getattr(measured, name) == pytest.approx(getattr(result, name), abs=1e-6)


def test_runs_repeat_and_seeds_differ(tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / str(number)
        run(small_config(out, seed=seed))
        weights.append(torch.cat([t.flatten().float() for t in final_weights(out).values()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_averaged_weights_are_the_average(tmp_path: Path) -> None:
    run(small_config(tmp_path / "run", ema=0.9))
    kept = final_weights(tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    current = checkpoint["current_model_state"]
    assert torch.equal(kept["0.weight"], checkpoint["state_dict"]["model.0.weight"])
    assert not torch.equal(kept["0.weight"], current["model.0.weight"])


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run")
    result = run(config)
    before = RunFolder(config.out).last.stat().st_mtime_ns
    assert run(config, resume=True) == result
    assert RunFolder(config.out).last.stat().st_mtime_ns == before


def test_tests_may_be_rarer_than_epochs(tmp_path: Path) -> None:
    result = run(small_config(tmp_path / "run", epochs=4, eval_every=2))
    assert ["clean_accuracy" in row for row in result.history] == [False, True, False, True]


def test_learning_lowers_the_loss(tmp_path: Path) -> None:
    result = run(small_config(tmp_path / "run", epochs=8, augment="none", label_smoothing=0.1, clip_norm=1.0))
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


class Exploding(nn.Module):
    """Gives NaN from its n-th training batch on."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.network = build_model()
        self.left = batch

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.left -= 1
        return self.network(x) * (float("nan") if self.left <= 0 and self.training else 1.0)


def test_a_nonfinite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    config = small_config(tmp_path / "run")
    with pytest.raises(NonFiniteLossError, match=r"became nan at step 15 \(epoch 2, batch 5\)"):
        run(config, Exploding(15))
    checkpoint = read_checkpoint(RunFolder(config.out).last)
    assert checkpoint["dynaconv"]["batches"] == 12
    assert all(t.isfinite().all() for t in checkpoint["state_dict"].values())


def test_nonfinite_weights_are_never_saved(tmp_path: Path) -> None:
    class Poisoned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build_model()
            self.unused = nn.Parameter(torch.tensor(float("inf")))

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

    with pytest.raises(NonFiniteLossError, match="step 3"):
        run(small_config(tmp_path / "run"), Poisoned())
    assert not RunFolder(tmp_path / "run").last.exists()


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="batch_size=41: expected at most the 40 training images of noise"):
        run(small_config(tmp_path / "run", batch_size=41))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"cannot be written: Not a directory; choose another folder"):
        run(small_config(tmp_path / "file" / "run"))


def test_evaluating_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="holds no finished run"):
        evaluate(tmp_path)
    run(small_config(tmp_path / "run"))
    with pytest.raises(CheckpointError, match="does not fit the network"):
        load_model(tmp_path / "run", model=build_model(classes=4), data=images())
    RunFolder(tmp_path / "run").weights.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"model.safetensors: is damaged"):
        load_model(tmp_path / "run", model=build_model(), data=images())
