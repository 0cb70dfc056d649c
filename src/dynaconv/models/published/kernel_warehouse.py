"""KernelWarehouse networks.

Source: Li, Yao, KernelWarehouse, ICML 2024, 2406.07879, and the configurations of OSVAI/KernelWarehouse. Cells start
as published; temperatures are 0, as for evaluation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import nn

from dynaconv.convert import conv_names, share_warehouse
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS"]

# MobileNetV2's kinds of blocks: how many of each, and the stage whose warehouses they use.
_MOBILENET_BLOCKS = ((1, 1), (2, 2), (3, 3), (4, 4), (3, 5), (3, 6), (1, 6))

_share = partial(share_warehouse, init="published")


def _resnet(name: str, budget: float, num_classes: int, in_channels: int, *, basis_ratio: float = 1.0) -> nn.Module:
    """One warehouse a stage; cells of half the channels where there are fewer cells than blocks."""
    model = backbone(name, num_classes, in_channels)
    cell_ratio = 0.5 if budget < 1 else 1.0
    for names in _resnet_stages(model):
        _share(model, names, budget=budget, cell_ratio=cell_ratio, basis_ratio=basis_ratio)
    return model


def _resnet_stages(model: nn.Module) -> list[list[str]]:
    """The convolutions of each stage; those that read what the stage before wrote belong to that one.

    Static are the stem, a projection that keeps the resolution, and a bottleneck's 1×1 that reads the stem; a basic
    block's 3×3 that reads the stem is in the first stage.
    """
    stages: list[list[str]] = [[], [], [], []]
    for name in conv_names(model):
        layer, *_ = name.split(".")
        if layer == "conv1":
            continue
        stage = int(layer.removeprefix("layer")) - 1
        first = name.startswith((f"{layer}.0.conv1", f"{layer}.0.downsample"))
        bottleneck = hasattr(model.get_submodule(f"{layer}.0"), "conv3")
        if not (first and stage == 0 and bottleneck):
            stages[max(stage - first, 0)].append(name)
    return stages


def _mobilenet(name: str, budget: float, shared: bool, num_classes: int, in_channels: int) -> nn.Module:
    """Every convolution; a stage has one warehouse for depthwise kernels and one, or two, for 1×1 kernels."""
    model = backbone(name, num_classes, in_channels)
    for names in _mobilenet_groups(model, "pointwise" if shared else None).values():
        _share(model, names, budget=budget)
    return model


def _mobilenet_half(name: str, num_classes: int, in_channels: int) -> nn.Module:
    """Half a budget for the 1×1 kernels of the last stage and the classifier; 1×1 kernels before are static."""
    model, share = backbone(name, num_classes, in_channels), partial(_share, reduction=32)
    for (stage, kind), names in _mobilenet_groups(model).items():
        if kind in ("stem", "depthwise"):
            share(model, names)
        elif stage == 6:
            share(model, names, budget=0.5, cell_ratio=0.5)
    share(model, ["classifier.1"], budget=0.5, cell_ratio=(1.0, 0.025))
    return model


def _mobilenet_groups(model: nn.Module, pointwise: str | None = None) -> dict[tuple[int, str], list[str]]:
    """Convolutions by stage and kind: `"stem"`, `"depthwise"`, and `"expand"` and `"project"`, or `pointwise` for both.

    A stage's first block, which reads the stage before, belongs to that one; the head projects in the last stage.
    """
    stages = [0]
    for count, stage in _MOBILENET_BLOCKS:
        stages += [stage if stage in (1, stages[-1]) else stage - 1] + [stage] * (count - 1)
    stages.append(6)
    groups = defaultdict(list)
    for name in conv_names(model):
        block = int(name.split(".")[1])
        kind = _mobilenet_kind(name, model)
        groups[stages[block], pointwise if pointwise and kind in ("expand", "project") else kind].append(name)
    return groups


def _mobilenet_kind(name: str, model: nn.Module) -> str:
    conv = model.get_submodule(name)
    if name == "features.0.0":
        return "stem"
    if isinstance(conv, nn.Conv2d) and conv.groups > 1:
        return "depthwise"
    # A block's first 1×1 convolution stands with its normalisation, its last one alone.
    return "expand" if name.endswith("conv.0.0") else "project"


def _convnext(name: str, budget: float, num_classes: int, in_channels: int) -> nn.Module:
    """Every layer but the classifier; a stage has one warehouse for depthwise kernels and one for its linear layers."""
    model = backbone(name, num_classes, in_channels)
    groups = defaultdict(list)
    for module_name, module in model.named_modules():
        if not module_name.startswith("features") or not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        stage = module_name.split(".")[1]
        groups[stage, type(module)].append(module_name)
    for names in groups.values():
        _share(model, names, budget=budget, norm="layer")
    return model


def _preset(
    name: str, build: Callable[[int, int], nn.Module], parameters: int, macs: float, printed: str, accuracy: str
) -> Preset:
    return Preset(
        name,
        build,
        parameters,
        macs,
        "OSVAI/KernelWarehouse",
        published_parameters=printed,
        published_accuracy=accuracy,
        with_assembly=True,
    )


_R18, _R50 = partial(_resnet, "resnet18"), partial(_resnet, "resnet50")
_M100, _M50 = partial(_mobilenet, "mobilenetv2_100"), partial(_mobilenet, "mobilenetv2_050")
_HALF_M100, _HALF_M50 = partial(_mobilenet_half, "mobilenetv2_100"), partial(_mobilenet_half, "mobilenetv2_050")
_CONVNEXT = partial(_convnext, "convnext_tiny")

PRESETS = (
    replace(
        _preset("kw1d4x_resnet18", partial(_R18, 0.25), 4_031_768, 2.200e9, "4.08 M", "72.73 / 90.83"),
        note="The authors' code builds 4.03 M, as here.",
    ),
    _preset("kw1d2x_resnet18", partial(_R18, 0.5), 7_431_044, 2.585e9, "7.43 M", "73.33 / 91.42"),
    _preset("kw1x_resnet18", partial(_R18, 1), 11_932_148, 2.199e9, "11.93 M", "74.77 / 92.13"),
    _preset("kw2x_resnet18", partial(_R18, 2), 23_242_127, 2.584e9, "23.24 M", "75.19 / 92.18"),
    _preset("kw4x_resnet18", partial(_R18, 4), 45_862_085, 3.354e9, "45.86 M", "76.05 / 92.68"),
    _preset("kw1d2x_resnet50", partial(_R50, 0.5, basis_ratio=1 / 16), 17_638_264, 8.168e9, "17.64 M", "79.30 / 94.71"),
    _preset("kw1x_resnet50", partial(_R50, 1), 28_052_310, 6.127e9, "28.05 M", "80.38 / 95.19"),
    _preset("kw4x_resnet50", partial(_R50, 4), 102_015_144, 12.237e9, "102.02 M", "81.05 / 95.21"),
    _preset("kw1x_convnext_tiny", partial(_CONVNEXT, 1), 39_370_674, 5.700e9, "39.37 M", "82.51 / 96.07"),
    _preset("kw1d2x_mobilenetv2_100", _HALF_M100, 2_654_396, 372.5e6, "2.65 M", "72.59 / 90.71"),
    _preset("kw1x_mobilenetv2_100", partial(_M100, 1, True), 5_168_146, 459.0e6, "5.17 M", "74.68 / 91.90"),
    _preset("kw4x_mobilenetv2_100", partial(_M100, 4, False), 11_379_382, 414.4e6, "11.38 M", "75.92 / 92.22"),
    _preset("kw1d2x_mobilenetv2_050", _HALF_M50, 1_466_888, 144.8e6, "1.47 M", "65.20 / 85.98"),
    _preset("kw1x_mobilenetv2_050", partial(_M50, 1, True), 2_854_522, 151.0e6, "2.85 M", "68.29 / 87.93"),
    _preset("kw4x_mobilenetv2_050", partial(_M50, 4, False), 4_648_587, 147.4e6, "4.65 M", "70.26 / 89.19"),
)
