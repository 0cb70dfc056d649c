"""Configurations: what is refused, in which words, and YAML round trips."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynaconv.errors import ArgumentError, ConfigError
from dynaconv.train import TrainConfig, load_config, save_config

REFUSED = {
    "lr": (-1.0, "lr=-1.0: expected a finite number > 0"),
    "weight_decay": (float("nan"), "weight_decay=nan: expected a finite number >= 0"),
    "epochs": (0, "epochs=0: expected an integer >= 1"),
    "batch_size": (2.5, "batch_size=2.5: expected an integer >= 1"),
    "workers": (0, "workers=0: expected an integer >= 1, or left out to load in the training process"),
    "devices": (0, 'devices=0: expected an integer >= 1, "auto", or a list such as "0,2"'),
    "optimizer": ("adma", "optimizer='adma': expected one of adam, adamw, sgd (did you mean 'adam'?)"),
    "schedule": ("linear", "schedule='linear': expected one of none, cosine, step, cyclic, onecycle"),
    "label_smoothing": (1, "label_smoothing=1: expected a finite number >= 0 and < 1"),
    "ema": (1.0, "ema=1.0: expected a finite number > 0 and < 1, or left out for no averaging"),
    "rand_augment": (31, "rand_augment=31: expected an integer >= 0 and <= 30, or left out for none"),
    "erasing": (1.5, "erasing=1.5: expected a finite number >= 0 and <= 1"),
    "eval_crop": (0, "eval_crop=0: expected a finite number > 0 and <= 1"),
    "mixup": (-1, "mixup=-1: expected a finite number >= 0"),
    "dropout": (1, "dropout=1: expected a finite number >= 0 and < 1, or left out for the network's own"),
    "temperature_epochs": (-1, "temperature_epochs=-1: expected an integer >= 0, or left out for a tenth of the run"),
    "augment": ("crops", "augment='crops': expected one of viewpoint, crop, resized_crop, none (did you mean 'crop'?)"),
    "clip_norm": (0, "clip_norm=0: expected a finite number > 0, or left out for no clipping"),
    "betas": ((0.9, 1.0), "betas=(0.9, 1.0): expected two numbers >= 0 and < 1"),
    "milestones": ((3, 2), "milestones=(3, 2): expected increasing epochs >= 1"),
    "image_size": (
        (8, 0),
        "image_size=(8, 0): expected an integer >= 1 or two of them (height, width), "
        "or left out for the data set's own",
    ),
    "width": (float("inf"), "width=inf: expected a finite number > 0"),
    "eval_every": (3, "eval_every=3: expected a divisor of epochs=10"),
    "strategy": ("ddp_spawn", "strategy='ddp_spawn': expected ddp, fsdp or another one that starts whole programs"),
    "conv_options": ([], "conv_options=[]: expected a mapping of option names to values"),
    "data": ("", "data='': expected a name"),
    "nesterov": ("yes", "nesterov='yes': expected true or false"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_values_are_named(name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(ArgumentError) as error:
        TrainConfig(**{name: value})
    assert str(error.value) == message


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs milestones"):
        TrainConfig(schedule="step")
    with pytest.raises(ConfigError, match="needs optimizer='sgd'"):
        TrainConfig(nesterov=True)


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = TrainConfig(milestones=(2, 5), image_size=(8, 9), conv_options={"bank_size": 3}, schedule="step")
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", r"key='epoch': expected one of .*did you mean 'epochs'"),
        ("- 3", "expected lines of the form `key: value`"),
        ("a: [", "not valid YAML"),
        ("epochs: many", "epochs='many': expected an integer >= 1"),
    ],
)
def test_wrong_yaml_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises((ConfigError, ArgumentError), match=message):
        load_config(path)


def test_missing_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


def test_identity_ignores_where_and_how_often(tmp_path: Path) -> None:
    config = TrainConfig()
    assert config.but(out="elsewhere", workers=2, checkpoint_every=7).identity() == config.identity()
    assert config.but(seed=1).identity() != config.identity()
