"""Networks with squeeze-and-excitation, ECA, global context and selective kernels, as timm builds them."""

from __future__ import annotations

from functools import partial

from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS"]


def _timm(
    name: str,
    parameters: int,
    macs: float,
    *,
    size: int = 224,
    source: str = "timm",
    printed: tuple[str, str, str] = ("", "", ""),
    note: str = "",
) -> Preset:
    return Preset(name, partial(backbone, name), parameters, macs, source, (3, size, size), *printed, note)


_SE, _SE_NOTE = "hujie-frank/SENet", "The printed multiply-adds are those of another counter."
_ROUNDED = "Hidden widths are rounded to multiples of 8."
_SK_NOTE = "timm's variant: the branches share the input's channels, unlike the paper's network."

PRESETS = (
    _timm("legacy_seresnet18", 11_778_592, 1.814e9),
    _timm("legacy_seresnet34", 21_958_868, 3.664e9),
    _timm(
        "legacy_seresnet50",
        28_088_024,
        3.860e9,
        source=_SE,
        printed=("28.09 M", "3.88 G", "77.63 / 93.64"),
        note=_SE_NOTE,
    ),
    _timm("legacy_seresnet101", 49_326_872, 7.575e9, source=_SE, printed=("", "", "78.25 / 94.28")),
    _timm("legacy_seresnet152", 66_821_848, 11.289e9, source=_SE, printed=("", "", "78.66 / 94.46")),
    _timm("legacy_seresnext50_32x4d", 27_559_896, 4.233e9, source=_SE, printed=("", "", "79.03 / 94.46")),
    _timm("legacy_senet154", 115_088_984, 20.688e9, source=_SE, printed=("", "", "81.32 / 95.53")),
    _timm("seresnet18", 11_779_624, 1.814e9, note=_ROUNDED),
    _timm("seresnet34", 21_960_416, 3.664e9, note=_ROUNDED),
    _timm("seresnet50", 28_088_024, 4.092e9),
    _timm("seresnet101", 49_326_872, 7.806e9),
    _timm("skresnet18", 11_958_056, 1.814e9),
    _timm("skresnet34", 22_282_376, 3.664e9),
    _timm("skresnet50", 25_803_160, 4.089e9),
    _timm("skresnext50_32x4d", 27_479_784, 4.463e9, printed=("27.5 M", "4.47 G", "79.21"), note=_SK_NOTE),
    _timm("gcresnet50t", 25_897_080, 5.389e9, size=256),
    _timm("gcresnext50ts", 15_667_320, 3.719e9, size=256),
    _timm("ecaresnet50d", 25_576_350, 4.329e9),
    _timm("ecaresnet50t", 25_573_814, 5.612e9, size=256),
    _timm("ecaresnet26t", 16_011_916, 3.330e9, size=256),
    _timm("ecaresnext26t_32x4d", 15_406_220, 2.679e9),
    _timm("mobilenetv3_small_100", 2_542_856, 56.5e6),
    _timm("mobilenetv3_large_100", 5_483_032, 216.6e6),
)
