"""Whole networks to measure: a dynamic network, its static twin and its grouped form, on the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.bench.plain import grouped_form
from dynaconv.errors import ArgumentError
from dynaconv.models import create_model
from dynaconv.models.backbones import backbone
from dynaconv.models.published.condconv import condconv_network
from dynaconv.models.published.dyconv import dyconv_network
from dynaconv.models.published.fdconv import fdconv_resnet
from dynaconv.models.published.gsop import resnet_stride16
from dynaconv.models.published.odconv import odconv_network
from dynaconv.models.published.rednet import involution_network
from dynaconv.models.seeds import SEEDS

__all__ = ["FORMS", "METHODS", "PASSES", "PUBLISHED", "NetworkCase", "build", "images", "network_cases", "settle"]

FORMS = ("static", "ours", "grouped")
PASSES = ("inference", "training")
# Whole networks, from a backbone's name and the number of experts, which some methods do not have.
METHODS: Mapping[str, Callable[[str, int], nn.Module]] = MappingProxyType(
    {
        "odconv": odconv_network,
        "dyconv": dyconv_network,
        "condconv": condconv_network,
        "fdconv": lambda name, _: fdconv_resnet(backbone(name)),
        "involution": lambda name, _: involution_network(backbone(name)),
    }
)
# Published networks of the other methods, blocks and heads, and what each is compared with: the static network whose
# maps have the same sizes.
_RESNET18, _RESNET50 = partial(backbone, "resnet18"), partial(backbone, "resnet50")
PUBLISHED: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "kw1x_resnet18": _RESNET18,
        "kw4x_resnet18": _RESNET18,
        "dcd_resnet18": _RESNET18,
        "lgcf_resnet18": _RESNET18,
        "rfa_resnet18": _RESNET18,
        "rfcbam_resnet18": _RESNET18,
        "rfca_resnet18": _RESNET18,
        "fdconv_resnet50": _RESNET50,
        "rednet50": _RESNET50,
        "cbam_resnet50": _RESNET50,
        "bam_resnet50": _RESNET50,
        "gsop1_channel_resnet50": partial(resnet_stride16, 50),
        "gsop2_channel_resnet50": partial(resnet_stride16, 50),
        "isqrt_resnet50": partial(resnet_stride16, 50),
    }
)
# The network that blocks and heads are put into.
_HOST = "resnet50"
_LEAST_GRADIENT_BATCH = 2  # one sample says nothing of the spread inside an attention branch


@dataclass(frozen=True)
class NetworkCase:
    """One network at one batch and image size.

    Attributes:
        network: a backbone, one of the library's own networks, or a published one; an attention block or a pooling
            head where the method says so.
        method: how its convolutions are replaced; `"seed"` for the library's own networks, `"published"` for those of
            `PUBLISHED`, `"block"` and `"head"` for a ResNet-50 with the block or the head.
        experts: K; 0 where the method has none.
        batch: B.
        size: height and width of the images.
        forms: those measured.
        passes: those measured.
        channels_last: whether network and images have the channels of a pixel side by side.
    """

    network: str
    method: str
    experts: int
    batch: int
    size: int
    forms: tuple[str, ...] = FORMS
    passes: tuple[str, ...] = PASSES
    channels_last: bool = False

    @property
    def name(self) -> str:
        """One line for people, unique."""
        experts = f"{self.experts}x" if self.experts else ""
        method = f" {self.method}{experts}" if self.method in METHODS else ""
        part = {"block": f"{_HOST} with ", "head": f"{_HOST} ending in "}.get(self.method, "")
        layout = " channels-last" if self.channels_last else ""
        return f"{part}{self.network}{method} batch {self.batch} {self.size}×{self.size}{layout}"

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> NetworkCase:
        """The case that `dataclasses.asdict`, and JSON, made `values` of."""
        return cls(**{**values, "forms": tuple(values["forms"]), "passes": tuple(values["passes"])})


def network_cases(*, quick: bool = False) -> tuple[NetworkCase, ...]:
    """What is measured.

    All methods on all backbones at batch 32 and 128×128 images, where published code can still be run on an ordinary
    machine; two of them in channels-last too; the most used one also at other batches and image sizes; a published
    network of every other method and of the blocks and heads, and a ResNet-18 where there is none; every method in a
    ResNet-18 at the 224×224 images that it was published for; the library's own networks as their authors trained
    them. At batch 128 the grouped form is left out of training: its kernels alone exceed the memory of a desktop. At
    batch 1 training is left out: the published attention of ODConv cannot take one sample.

    Args:
        quick: one of each kind only.
    """
    seeds = tuple(NetworkCase(name, "seed", 0, 32, 32) for name in SEEDS)
    headline = NetworkCase("resnet18", "odconv", 4, 32, 128)
    if quick:
        return (headline, NetworkCase("mobilenetv2_100", "odconv", 1, 8, 128), seeds[0])
    methods = (("odconv", 1), ("odconv", 4), ("dyconv", 4), ("condconv", 8))
    backbones = ("resnet18", "mobilenetv2_100", "resnet50")
    whole = tuple(NetworkCase(b, method, experts, 32, 128) for b in backbones for method, experts in methods)
    growth = (
        NetworkCase("resnet18", "odconv", 4, 1, 128, passes=("inference",)),
        NetworkCase("resnet18", "odconv", 4, 8, 128),
        NetworkCase("resnet18", "odconv", 4, 128, 128, forms=("static", "ours")),
        NetworkCase("resnet18", "odconv", 4, 1, 224, passes=("inference",)),
        NetworkCase("resnet18", "odconv", 4, 8, 224),
        NetworkCase("resnet18", "odconv", 16, 8, 128),
    )
    last = tuple(
        NetworkCase(b, "odconv", 4, 32, 128, forms=("static", "ours"), channels_last=True) for b in backbones[:2]
    )
    two = partial(NetworkCase, batch=32, forms=("static", "ours"))
    published = tuple(two(name, "published", 0, size=128) for name in PUBLISHED)
    others = (("fdconv", 0), ("involution", 0))
    also = tuple(two("resnet18", method, experts, size=128) for method, experts in others)
    full_size = (
        *(two("resnet18", method, experts, size=224) for method, experts in (*methods, *others)),
        *(two(name, "published", 0, size=224) for name, static in PUBLISHED.items() if static is _RESNET18),
    )
    return (headline, *(c for c in whole if c != headline), *last, *growth, *published, *also, *full_size, *seeds)


def build(case: NetworkCase, form: str) -> nn.Module:
    """One form of a case's network, with fresh weights: `ours` and `grouped` get the same ones.

    Raises:
        ArgumentError: no such form or network.
    """
    if form not in FORMS:
        raise ArgumentError("form", form, f"one of {', '.join(FORMS)}")
    torch.manual_seed(0)
    model = _static(case) if form == "static" else _dynamic(case)
    if case.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return grouped_form(model) if form == "grouped" else model


def _static(case: NetworkCase) -> nn.Module:
    """What a case's network is compared with."""
    match case.method:
        case "seed":
            return create_model(case.network, conv="static")
        case "published":
            return PUBLISHED[case.network]()
        case "block" | "head":
            return backbone(_HOST)
        case _:
            return backbone(case.network)


def _dynamic(case: NetworkCase) -> nn.Module:
    match case.method:
        case "seed" | "published":
            return create_model(case.network)
        case "block":
            return create_model(_HOST, attention=case.network)
        case "head":
            return create_model(_HOST, pooling=case.network)
        case _:
            return METHODS[case.method](case.network, case.experts)


def images(case: NetworkCase) -> tuple[Tensor, Tensor]:
    """A batch of noise, `(B, 3, H, W)`, and classes, `(B,)`."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.batch, 3, case.size, case.size, generator=generator)
    if case.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    return x, torch.randint(0, 10, (case.batch,), generator=generator)


def settle(model: nn.Module, x: Tensor) -> None:
    """Set the running statistics of batch normalisation from one batch.

    Fresh statistics would let the signal of a deep network shrink, in evaluation, to numbers so small that the
    processor slows down on them.
    """
    # Those of the layers too, which are no `nn.BatchNorm2d`.
    norms: list[Any] = [m for m in model.modules() if hasattr(m, "running_var") and hasattr(m, "momentum")]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(x if len(x) >= _LEAST_GRADIENT_BATCH else torch.cat([x, x.flip(-1)]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
