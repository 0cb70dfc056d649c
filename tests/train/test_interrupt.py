"""Ctrl-C: the step is finished, a checkpoint is saved, and the run goes on later with the same bits."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from small_runs import build_model, final_weights, images, small_config
from torch import Tensor, nn

from dynaconv.train import TrainingInterrupted, fit
from dynaconv.train.checkpoint_file import read_checkpoint
from dynaconv.train.run_folder import RunFolder


class Impatient(nn.Module):
    """Sends the process a signal in its n-th training batch."""

    def __init__(self, batch: int, number: signal.Signals) -> None:
        super().__init__()
        self.network = build_model()
        self.left = batch
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.number)
        return self.network(x)


@pytest.mark.parametrize(
    ("batch", "number", "saved"),
    [(5, signal.SIGINT, True), (10, signal.SIGINT, True), (5, signal.SIGTERM, True), (10, signal.SIGTERM, False)],
)
def test_a_signal_saves_and_stops(
    batch: int, number: signal.Signals, saved: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_config(tmp_path / "run", checkpoint_every=100)
    handler = signal.getsignal(number)
    with pytest.raises(TrainingInterrupted, match=r"continue with: dynaconv train --config .*config.yaml --resume"):
        fit(config, model=Impatient(batch, number), data=images(), show_progress=False)
    assert "stopping after this step" in capsys.readouterr().err
    assert signal.getsignal(number) == handler
    if saved:
        assert read_checkpoint(RunFolder(config.out).last)["dynaconv"]["batches"] == batch
    fit(config, model=Impatient(0, number), data=images(), resume=True, show_progress=False)
    undisturbed = config.but(out=str(tmp_path / "undisturbed"))
    fit(undisturbed, model=Impatient(0, number), data=images(), show_progress=False)
    expected, found = final_weights(Path(undisturbed.out)), final_weights(Path(config.out))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_keyboard_interrupt_without_handler_is_the_same(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        fit(small_config(tmp_path / "run"), model=Pressed(), data=images(), show_progress=False)


class Pressed(nn.Module):
    """Is interrupted as a second Ctrl-C would."""

    def __init__(self) -> None:
        super().__init__()
        self.network = build_model()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise KeyboardInterrupt
        return self.network(x)
