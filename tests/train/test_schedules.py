"""Learning-rate factors against hand-computed values."""

from __future__ import annotations

import pytest
from torch import nn
from torch.optim import SGD, Adam, AdamW

from dynaconv.train import TrainConfig
from dynaconv.train.optimizers import make_optimizer, rate_factor

STEPS = 10  # per epoch


def factors(at: list[int], **settings: object) -> list[float]:
    factor = rate_factor(TrainConfig(epochs=10, **settings), STEPS)  # type: ignore[arg-type]
    return [factor(step) for step in at]


@pytest.mark.parametrize(
    ("settings", "at", "expected"),
    [
        ({}, [0, 99], [1, 1]),
        ({"warmup_steps": 3}, [0, 1, 2, 3, 4], [0.25, 0.5, 0.75, 1, 1]),
        ({"warmup_steps": 3, "warmup_from": 0.2}, [0, 1, 2, 3], [0.4, 0.6, 0.8, 1]),
        ({"schedule": "cosine"}, [0, 50, 100], [1, 0.5, 0]),
        ({"schedule": "cosine", "warmup_steps": 20}, [20, 60, 100], [1, 0.5, 0]),
        ({"schedule": "step", "milestones": (3, 6)}, [29, 30, 59, 60], [1, 0.1, 0.1, 0.01]),
        ({"schedule": "cyclic", "cycle_steps": 20}, [0, 10, 20, 30, 40], [0, 0.5, 1, 0.5, 0]),
        ({"schedule": "cyclic"}, [0, 25, 50, 75], [0, 0.5, 1, 0.5]),
        ({"schedule": "onecycle"}, [0, 15, 30, 65, 100], [0.04, 0.52, 1, 0.500005, 1e-5]),
    ],
)
def test_factors(settings: dict[str, object], at: list[int], expected: list[float]) -> None:
    assert factors(at, **settings) == pytest.approx(expected)


def test_optimizers_take_their_options() -> None:
    model = nn.Linear(2, 2)
    sgd = make_optimizer(TrainConfig(optimizer="sgd", momentum=0.8, nesterov=True, weight_decay=0.1), model)
    assert isinstance(sgd, SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"], sgd.defaults["weight_decay"]) == (0.8, True, 0.1)
    adam = make_optimizer(TrainConfig(optimizer="adam", amsgrad=True, lr=0.5), model)
    assert type(adam) is Adam
    assert (adam.defaults["amsgrad"], adam.defaults["lr"]) == (True, 0.5)
    assert type(make_optimizer(TrainConfig(optimizer="adamw"), model)) is AdamW
