"""The static networks that the methods are compared with."""

from __future__ import annotations

from functools import partial

from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS"]


def _static(name: str, parameters: int, macs: float, published: tuple[str, str, str], source: str) -> Preset:
    return Preset(name, partial(backbone, name), parameters, macs, source, (3, 224, 224), *published)


PRESETS = (
    _static("resnet18", 11_689_512, 1.814e9, ("11.69 M", "1.814 G", "70.25 / 89.38"), "OSVAI/ODConv"),
    _static("resnet34", 21_797_672, 3.664e9, ("21.80 M", "3.68 G", "73.33 / 91.37"), "Liuchen1997/RFAConv"),
    _static("resnet50", 25_557_032, 4.089e9, ("25.56 M", "3.858 G", "76.23 / 92.97"), "OSVAI/ODConv"),
    _static("resnet101", 44_549_160, 7.801e9, ("44.55 M", "7.570 G", "77.44 / 93.68"), "OSVAI/ODConv"),
    _static("mobilenetv2_100", 3_504_872, 300.8e6, ("3.50 M", "300.8 M", "71.65 / 90.22"), "OSVAI/ODConv"),
    _static("mobilenetv2_075", 2_636_424, 209.1e6, ("2.64 M", "209.1 M", "69.18 / 88.82"), "OSVAI/ODConv"),
    _static("mobilenetv2_050", 1_968_680, 97.1e6, ("1.97 M", "97.1 M", "64.30 / 85.21"), "OSVAI/ODConv"),
    _static("convnext_tiny", 28_589_128, 4.456e9, ("28.59 M", "", "82.07 / 95.86"), "OSVAI/KernelWarehouse"),
)
