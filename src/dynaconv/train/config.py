"""`TrainConfig`: everything that decides what a training run does, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

from dynaconv.errors import ArgumentError, ConfigError
from dynaconv.train.rules import Rule, integer, number, one_of, optional, text

__all__ = ["GROUPS", "TrainConfig"]

GROUPS = {
    "data": "what is learned",
    "model": "the network",
    "start": "fine-tuning: what the network starts from, and what of it learns",
    "training": "how long, in what portions",
    "optimizer": "how the weights move",
    "schedule": "how the learning rate changes",
    "hardware": "where it runs",
    "run": "what is written",
}


def _pixels(value: object) -> bool:
    sides = value if isinstance(value, tuple | list) else (value,)
    return len(sides) in (1, 2) and all(integer(1).accepts(side) for side in sides)


_SIZE = Rule("an integer >= 1 or two of them (height, width)", _pixels)
_OPTIONS = Rule(
    "a mapping of option names to values",
    lambda v: isinstance(v, dict) and all(isinstance(name, str) for name in v),
)
_BETAS = Rule(
    "two numbers >= 0 and < 1",
    lambda v: isinstance(v, tuple | list) and len(v) == 2 and all(number(least=0, below=1).accepts(b) for b in v),
)
_EPOCHS = Rule(
    "increasing epochs >= 1",
    lambda v: (
        isinstance(v, tuple | list) and all(integer(1).accepts(e) for e in v) and all(a < b for a, b in pairwise(v))
    ),
)
_DEVICES = Rule(
    'an integer >= 1, "auto", or a list such as "0,2"',
    lambda v: (
        integer(1).accepts(v)
        or (isinstance(v, str) and (v == "auto" or ("," in v and all(p.strip().isdigit() for p in v.split(",") if p))))
    ),
)


def _option(default: object, group: str, rule: Rule, help: str) -> Any:
    """A field with its help text, its group in `--help`, and what it may be."""
    return field(default=default, metadata={"group": group, "rule": rule, "help": help})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. Field names are the flags of `dynaconv train` and the keys of a recipe.

    The help text of each field stands beside it; `dynaconv train --help` prints them all.

    Raises:
        ArgumentError: naming the field, its value and what is allowed.
        ConfigError: where fields contradict each other.
    """

    data: str = _option("digits", "data", text(), "data set, see `dynaconv list`")
    data_root: str | None = _option(
        None, "data", optional(text(), "for the usual place"), "folder that holds the data set's files"
    )
    image_size: int | tuple[int, int] | None = _option(
        None, "data", optional(_SIZE, "for the data set's own"), "side of the images, or height and width"
    )
    augment: str = _option(
        "viewpoint",
        "data",
        one_of("viewpoint", "crop", "resized_crop", "none"),
        "training images: turned, scaled, sheared, flipped and shifted at random (viewpoint), shifted by up to 4 "
        "pixels and mirrored (crop, usual for CIFAR), a random part resized and mirrored (resized_crop, usual for "
        "ImageNet), or as they are (none)",
    )
    rand_augment: int | None = _option(
        None,
        "data",
        optional(integer(0, most=30), "for none"),
        "magnitude of RandAugment's two operations on each training image",
    )
    erasing: float = _option(
        0.0, "data", number(least=0, most=1), "share of the training images of which a random rectangle is erased"
    )
    eval_crop: float = _option(
        1.0,
        "data",
        number(above=0, most=1),
        "image folders: side of a test image's central part that is tested, 0.875 for the usual 224 of 256 pixels",
    )

    model: str = _option("kernel_weighted_cnn", "model", text(), "network, see `dynaconv list`")
    conv: str | None = _option(
        None,
        "model",
        optional(text(), "for the network's own"),
        "method of the network's dynamic convolutions; `static` gives the static twin",
    )
    conv_options: dict[str, int | float | str | bool | None] = field(
        default_factory=dict,
        metadata={"group": "model", "rule": _OPTIONS, "help": "options of the method, for instance '{bank_size: 20}'"},
    )
    width: float = _option(1.0, "model", number(above=0), "factor on the network's channels")

    weights: str | None = _option(
        None,
        "start",
        optional(text(), "for a fresh start"),
        "file of weights to start from (.safetensors, .pth, .pt); a classifier of other classes starts afresh",
    )
    convert: str | None = _option(
        None,
        "start",
        optional(text(), "to train the network as it is"),
        "method that takes the place of the network's convolutions, started so that its outputs stay what they are",
    )
    convert_options: dict[str, int | float | str | bool | None] = field(
        default_factory=dict,
        metadata={"group": "start", "rule": _OPTIONS, "help": "options of that method, as '{num_kernels: 2}'"},
    )
    freeze_inherited: bool = _option(
        False,
        "start",
        Rule("true or false", lambda v: isinstance(v, bool)),
        "train nothing but what makes coefficients, and a classifier that starts afresh",
    )

    epochs: int = _option(10, "training", integer(1), "passes over the training images")
    batch_size: int = _option(32, "training", integer(1), "images per step, over all devices together")
    seed: int = _option(0, "training", integer(0), "decides initial weights, order and augmentation")
    label_smoothing: float = _option(
        0.0, "training", number(least=0, below=1), "share of the target spread over all classes"
    )
    mixup: float = _option(0.0, "training", number(least=0), "mixup: parameter of the shares' Beta distribution, or 0")
    cutmix: float = _option(
        0.0, "training", number(least=0), "CutMix: parameter of the areas' Beta distribution, or 0; each batch gets one"
    )
    dropout: float | None = _option(
        None,
        "training",
        optional(number(least=0, below=1), "for the network's own"),
        "share of the classifier's inputs that is dropped",
    )
    temperature_epochs: int | None = _option(
        None,
        "training",
        optional(integer(0), "for a tenth of the run"),
        "epochs over which attention temperatures are annealed as each method publishes it; 0 leaves them as they are",
    )
    accumulate: int = _option(1, "training", integer(1), "batches whose gradients are added up per optimiser step")
    clip_norm: float | None = _option(
        None, "training", optional(number(above=0), "for no clipping"), "largest norm of the gradient"
    )
    ema: float | None = _option(
        None,
        "training",
        optional(number(above=0, below=1), "for no averaging"),
        "decay of the averaged weights, for instance 0.999; the averaged weights are tested and kept",
    )
    precision: str = _option(
        "32-true",
        "training",
        one_of("32-true", "16-mixed", "bf16-mixed"),
        "single (32-true) or mixed precision",
    )

    optimizer: str = _option("adam", "optimizer", one_of("adam", "adamw", "sgd"), "adam, adamw or sgd")
    lr: float = _option(1e-3, "optimizer", number(above=0), "learning rate; with a schedule, its peak")
    weight_decay: float = _option(0.0, "optimizer", number(least=0), "weight decay")
    decay: str = _option(
        "all",
        "optimizer",
        one_of("all", "weights"),
        "what decays: everything, or kernels and matrices but no biases and normalisations (weights)",
    )
    attention_lr: float = _option(
        1.0, "optimizer", number(above=0), "factor on the learning rate of the parameters that make coefficients"
    )
    momentum: float = _option(0.9, "optimizer", number(least=0, below=1), "momentum of sgd")
    nesterov: bool = _option(False, "optimizer", Rule("true or false", lambda v: isinstance(v, bool)), "Nesterov's sgd")
    betas: tuple[float, float] = _option((0.9, 0.999), "optimizer", _BETAS, "decay rates of adam and adamw")
    amsgrad: bool = _option(
        False, "optimizer", Rule("true or false", lambda v: isinstance(v, bool)), "AMSGrad form of adam and adamw"
    )

    schedule: str = _option(
        "none",
        "schedule",
        one_of("none", "cosine", "step", "cyclic", "onecycle"),
        "constant (none), falling as a half cosine, in steps, or rising and falling (cyclic, onecycle)",
    )
    warmup_steps: int = _option(0, "schedule", integer(0), "optimiser steps of linear warm-up")
    warmup_from: float = _option(
        0.0, "schedule", number(least=0, most=1), "share of the rate at which the warm-up starts"
    )
    milestones: tuple[int, ...] = _option((), "schedule", _EPOCHS, "step: epochs after which the rate is multiplied")
    gamma: float = _option(0.1, "schedule", number(above=0, most=1), "step: the factor at each milestone")
    cycle_steps: int | None = _option(
        None,
        "schedule",
        optional(integer(1), "for half of the run"),
        "cyclic: optimiser steps of the rise, and of the fall",
    )

    accelerator: str = _option("auto", "hardware", text(), "cpu, gpu, ... as Lightning names them")
    devices: int | str = _option("auto", "hardware", _DEVICES, 'number of devices per node, "auto", or a list "0,2"')
    num_nodes: int = _option(1, "hardware", integer(1), "machines")
    strategy: str = _option("auto", "hardware", text(), "ddp, fsdp, ... as Lightning names them")
    workers: int | None = _option(
        None,
        "hardware",
        optional(integer(1), "to load in the training process"),
        "processes that load images (worth it for image folders)",
    )

    out: str = _option("runs/train", "run", text(), "run folder")
    checkpoint_every: int = _option(500, "run", integer(1), "batches between two checkpoints, besides each epoch's")
    eval_every: int = _option(1, "run", integer(1), "epochs between two tests; divides `epochs`")
    eval_batch_size: int = _option(250, "run", integer(1), "test images per batch, over all devices together")

    def __post_init__(self) -> None:
        for entry in fields(self):
            entry.metadata["rule"].check(entry.name, getattr(self, entry.name))
        if self.epochs % self.eval_every:
            raise ArgumentError("eval_every", self.eval_every, f"a divisor of epochs={self.epochs}")
        if self.schedule == "step" and not self.milestones:
            raise ConfigError(
                "schedule='step' needs milestones, the epochs after which the rate falls: --milestones '[30, 60]'"
            )
        if self.strategy.startswith("ddp") and any(w in self.strategy for w in ("spawn", "fork", "notebook")):
            raise ArgumentError("strategy", self.strategy, "ddp, fsdp or another one that starts whole programs")
        if self.convert_options and self.convert is None:
            raise ConfigError("convert_options need convert, the method that they are for")
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ConfigError("nesterov=True needs optimizer='sgd' and momentum > 0")

    def but(self, **changes: Any) -> TrainConfig:
        """A copy with some fields changed.

        Args:
            **changes: fields by name.
        """
        return replace(self, **changes)

    def identity(self) -> dict[str, object]:
        """The fields that decide the resulting weights: a checkpoint fits only a run where they are equal."""
        free = {"data_root", "workers", "out", "checkpoint_every", "eval_every", "eval_batch_size", "accelerator"}
        return {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in fields(self)
            if f.name not in free
        }
