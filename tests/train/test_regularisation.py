"""Mixing, dropout, crops and annealed temperatures in whole runs: they do what they say, and survive a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import final_weights, images, small_config
from test_interrupt import Impatient
from torch import Tensor, nn

from dynaconv.coefficients import Temperature
from dynaconv.errors import ArgumentError
from dynaconv.train import TrainConfig, TrainingInterrupted, fit
from dynaconv.train.batch_mixing import BatchMixing
from dynaconv.train.networks import build_network, drop_classifier_inputs

CHANGES = {"augment": "crop", "mixup": 0.2, "cutmix": 1.0, "rand_augment": 5, "erasing": 0.5, "label_smoothing": 0.1}


class Warm(nn.Module):
    """Scores at a temperature, which it writes down at every training step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 3)
        self.temperature = Temperature(start=31.0)
        self.seen: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.append(round(float(self.temperature.value), 4))
        scores: Tensor = self.temperature(self.linear(x.flatten(1)))
        return scores


@pytest.mark.parametrize("augment", ["crop", "resized_crop"])
def test_a_stopped_run_ends_with_the_same_bits(augment: str, tmp_path: Path) -> None:
    config = small_config(tmp_path / "stopped", **CHANGES | {"augment": augment, "checkpoint_every": 100})
    with pytest.raises(TrainingInterrupted):
        fit(config, model=Impatient(17, 2), data=images(), show_progress=False)
    fit(config, model=Impatient(0, 2), data=images(), resume=True, show_progress=False)
    undisturbed = config.but(out=str(tmp_path / "undisturbed"))
    fit(undisturbed, model=Impatient(0, 2), data=images(), show_progress=False)
    expected, found = final_weights(Path(undisturbed.out)), final_weights(Path(config.out))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_mixing() -> None:
    x, labels = torch.rand(6, 1, 8, 8), torch.arange(6) % 3
    same = BatchMixing(TrainConfig(), 3)(x, labels)
    assert same[0] is x
    assert same[1] is labels
    for settings in ({"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0}):
        mixed, shares = BatchMixing(TrainConfig(**settings), 3)(x, labels)
        assert mixed.shape == x.shape
        assert shares.shape == (6, 3)
        torch.testing.assert_close(shares.sum(1), torch.ones(6))
        assert not mixed.equal(x)
    alone = BatchMixing(TrainConfig(mixup=1.0), 3)(x[:1], labels[:1])
    assert alone[0].equal(x[:1])


@pytest.mark.parametrize("epochs", [2, None, 0])
def test_temperatures_are_annealed(epochs: int | None, tmp_path: Path) -> None:
    model = Warm()
    fit(
        small_config(tmp_path / "run", epochs=10, temperature_epochs=epochs),
        model=model,
        data=images(count=20),
        show_progress=False,
    )
    steps = {2: 10, None: 5, 0: 0}[epochs]
    expected = [31 - 30 * step / steps for step in range(steps)]
    assert model.seen == pytest.approx(expected + [1.0] * (50 - steps))
    assert final_weights(tmp_path / "run")["temperature.value"] == 1.0


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_050"])
def test_dropout_before_the_classifier(name: str) -> None:
    model = build_network(TrainConfig(model=name, dropout=0.75), images())
    assert model.state_dict().keys() == build_network(TrainConfig(model=name), images()).state_dict().keys()
    seen: list[Tensor] = []
    classifier = model.fc if name == "resnet18" else model.classifier[1]
    classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.rand(4, 1, 32, 32)
    model.train()(x)
    model.eval()(x)
    trained, tested = (float((inputs == 0).float().mean()) for inputs in seen)
    assert trained == pytest.approx(tested + 0.75 * (1 - tested), abs=0.1)


def test_dropout_needs_a_classifier() -> None:
    with pytest.raises(ArgumentError, match=r"dropout=0\.5: expected a network that ends in a linear layer"):
        drop_classifier_inputs(nn.Conv2d(1, 1, 1), 0.5)
