"""Receptive fields: by hand, by known figures, and by brute force on networks of every kind of operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import dynaconv
from dynaconv.analysis import ReceptiveFields, growth_figure, receptive_field
from dynaconv.errors import ArgumentError, ShapeError


def theoretical(model: nn.Module, input_size: tuple[int, ...], *, context: bool = False) -> ReceptiveFields:
    return receptive_field(model, input_size, images=0, context=context)


def by_hand(layers: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
    """Field and stride after layers of (kernel, stride, dilation): a field grows by its taps at the stride so far."""
    field = stride = 1
    for kernel, step, dilation in layers:
        field += (kernel - 1) * dilation * stride
        stride *= step
    return field, stride


def test_kernel_of_one_sees_one_pixel() -> None:
    (layer,) = receptive_field(nn.Sequential(nn.Conv2d(3, 8, 1, stride=2)), (3, 9, 7)).layers
    assert (layer.field, layer.stride, layer.offset, layer.effective) == ((1, 1), (2, 2), (0, 0), (1, 1))
    assert receptive_field(nn.Sequential(nn.Conv2d(3, 8, 1)), (3, 9, 7)).layers == ()


def test_kernel_of_the_whole_input_sees_all() -> None:
    (layer,) = receptive_field(nn.Conv2d(3, 8, (9, 7)), (3, 9, 7), share=1.0).layers
    assert (layer.map_size, layer.field, layer.offset, layer.effective) == ((1, 1), (9, 7), (4, 3), (9, 7))


def test_vgg16_by_hand() -> None:
    found = theoretical(torchvision.models.vgg16().features, (3, 224, 224)).layers
    conv, pool = (3, 1, 1), (2, 2, 1)
    layers = [*[conv, conv, pool] * 2, *[conv, conv, conv, pool] * 3]
    assert [(layer.field[0], layer.stride[0]) for layer in found] == [
        by_hand(layers[: i + 1]) for i in range(len(layers))
    ]
    assert found[-2].field == (196, 196)
    assert found[-1].field == (212, 212)


STEM = [(7, 2, 1), (3, 2, 1)]
RESNETS = {
    "resnet18": (435, [*STEM, *[(3, 1, 1)] * 4, *[(3, 2, 1), *[(3, 1, 1)] * 3] * 3]),
    "resnet34": (899, [*STEM, *[(3, 1, 1)] * 6, *((3, s, 1) for n in (8, 12, 6) for s in (2, *[1] * (n - 1)))]),
    "resnet50": (427, [*STEM, *[(3, 1, 1)] * 3, *((3, s, 1) for n in (4, 6, 3) for s in (2, *[1] * (n - 1)))]),
    # The older form, with the stride in the first 1×1 convolution.
    "legacy_seresnet50": (
        483,
        [*STEM, *((k, s, 1) for n, t in ((3, 1), (4, 2), (6, 2), (3, 2)) for k, s in [(1, t), *[(3, 1)] * n])],
    ),
}


@pytest.mark.parametrize("name", RESNETS)
def test_resnets(name: str) -> None:
    field, layers = RESNETS[name]
    assert by_hand(layers) == (field, 32)
    found = theoretical(dynaconv.create_model(name), (3, 96, 64))
    last = [layer for layer in found.layers if layer.name.startswith("layer4")][-1]
    # Padding counts as more image, so the fields do not depend on its size.
    assert not found.bounded
    assert (last.field, last.stride) == ((field, field), (32, 32))


class Causal(nn.Module):
    """A temporal block: two dilated convolutions that see the past alone, and a shortcut."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.past = (kernel_size - 1) * dilation
        self.conv1 = nn.Conv1d(channels, channels, kernel_size, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, kernel_size, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.pad(x, (self.past, 0))).relu()
        return (x + self.conv2(F.pad(y, (self.past, 0))).relu()).relu()


@pytest.mark.parametrize(("kernel_size", "blocks"), [(2, 5), (3, 4), (7, 3)])
def test_temporal_convolutional_network(kernel_size: int, blocks: int) -> None:
    model = nn.Sequential(*(Causal(4, kernel_size, 2**i) for i in range(blocks)))
    last = theoretical(model, (4, 100)).layers[-1]
    field = 1 + 2 * (kernel_size - 1) * (2**blocks - 1)
    # The first unit sees pixel 0 and what lies before it.
    assert (last.kind, last.field, last.stride, last.offset) == ("Causal", (field,), (1,), (-(field - 1) / 2,))


class Branches(nn.Module):
    def __init__(self, join: Callable[[list[Tensor]], Tensor]) -> None:
        super().__init__()
        self.join = join
        self.parts = nn.ModuleList(
            [nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, (5, 1), padding=(2, 0)), nn.Conv2d(2, 2, (1, 7), padding=(0, 3))]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.join([part(x) for part in self.parts])


class Functional(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def conv(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(2, 2, kernel, stride, padding, dilation, groups)


NETWORKS: dict[str, nn.Module] = {
    "strides": nn.Sequential(conv(3, 2, 1), nn.ReLU(), conv(4, 3, 1), nn.ReLU(inplace=True)),
    "dilation": nn.Sequential(conv(3, 1, 0, 3), nn.BatchNorm2d(2), conv(2, 2, 0, 2)),
    "depthwise": nn.Sequential(conv(3, 1, 1, groups=2), nn.Sigmoid(), conv(1), conv(5, 2, 2, groups=2)),
    "pooling": nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), conv(3, padding=1)),
    "ceil mode": nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(2, ceil_mode=True)),
    "sum": Branches(lambda parts: parts[0] + parts[1] * parts[2]),
    "concatenation": nn.Sequential(Branches(lambda parts: torch.cat(parts, 1)[:, ::3]), conv(3, padding=1)),
    "other padding": nn.Sequential(nn.ReflectionPad2d((1, 2, 0, 1)), nn.ReplicationPad2d(1), conv(3, 2)),
    "padding mode": nn.Sequential(nn.Conv2d(2, 2, 5, padding=2, padding_mode="reflect"), conv(3)),
    "same": nn.Sequential(nn.Conv2d(2, 2, 4, padding="same", dilation=2), conv(2, 2)),
    "transposed": nn.Sequential(conv(3, 2), nn.ConvTranspose2d(2, 2, 3, 2, 1, 1), conv(3)),
    "transposed, even": nn.Sequential(conv(3, 2), nn.ConvTranspose2d(2, 2, 4, 2, 1, groups=2), nn.ReLU()),
    "nearest": nn.Sequential(conv(3, 2, 1), nn.Upsample(scale_factor=2), conv(3)),
    "bilinear": nn.Sequential(conv(2, 2), nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReLU()),
    "bicubic": nn.Sequential(conv(2, 2), nn.Upsample(scale_factor=2, mode="bicubic"), nn.ReLU()),
    "aligned": nn.Sequential(conv(2, 2), nn.Upsample(size=(20, 20), mode="bilinear", align_corners=True)),
    "pixel shuffle": nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(8, 4, 3), nn.PixelShuffle(2)),
    "channels last": nn.Sequential(
        conv(3), Functional(lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (2,)).permute(0, 3, 1, 2)), conv(3, 2)
    ),
    "linear": nn.Sequential(
        conv(3), Functional(lambda x: F.linear(x.movedim(1, -1), torch.ones(2, 2).to(x)).movedim(-1, 1))
    ),
    "slices": nn.Sequential(
        Functional(lambda x: torch.cat([x[..., ::2, ::2], x[..., 1::2, 1::2]], 1)), nn.Conv2d(4, 2, 3)
    ),
    "chunks": Functional(lambda x: F.max_pool2d(x, 3).chunk(2, 1)[0] * F.avg_pool2d(x, 3).sum(1, keepdim=True)),
    "adaptive": nn.Sequential(conv(3, padding=1), nn.AdaptiveAvgPool2d((5, 7)), nn.AdaptiveMaxPool2d(4)),
    "global average": nn.Sequential(conv(3), nn.AdaptiveAvgPool2d(1)),
    "softmax of channels": nn.Sequential(conv(3), nn.Softmax(1), conv(3)),
}


def test_an_interpolated_unit_on_a_pixel_is_that_pixel() -> None:
    for mode in ("bilinear", "bicubic"):
        model = nn.Sequential(conv(2, 2), nn.Upsample(scale_factor=3, mode=mode), nn.Identity())
        assert theoretical(model, (2, 30, 30)).layers[-1].field == (2, 2)


def test_what_the_image_picks_is_an_upper_bound() -> None:
    model = nn.Sequential(conv(3), Functional(lambda x: x.gather(3, x.argsort(3))))
    found = theoretical(model, (2, 20, 20))
    assert found.layers[-1].field == (20, 20)
    assert "aten::gather" in found.bounded


@pytest.mark.parametrize("name", NETWORKS)
def test_against_brute_force(name: str) -> None:
    """A NaN in a row or column comes out exactly where that row or column is looked at."""
    side, model = 30, NETWORKS[name].eval()
    found = theoretical(nn.Sequential(model, nn.Identity()), (2, side, side))
    assert not found.bounded
    clean = torch.rand(1, 2, side, side)
    images = clean.repeat(2 * side, 1, 1, 1)
    for i in range(side):
        images[i, :, i] = torch.nan
        images[side + i, :, :, i] = torch.nan
    # In float64 a convolution is a plain matrix product, which spreads no NaN to its neighbours.
    model.double()
    with torch.no_grad():
        y = torch.cat([model(image[None]) for image in images.double()])
    model.float()
    middle = tuple((n - 1) // 2 for n in y.shape[2:])
    seen = y[:, :, middle[0], middle[1]].isnan().any(1).reshape(2, side)
    spans = [int(s.nonzero().max() - s.nonzero().min()) + 1 for s in seen]
    last = found.layers[-1]
    assert last.map_size == y.shape[2:]
    # Global pooling also averages fields that end in the padding.
    assert [min(f, side) for f in last.field] == spans


def test_dynamic_convolutions_look_where_static_ones_do_and_with_context_everywhere() -> None:
    model = nn.Sequential(conv(3, 2, 1), dynaconv.create_conv("kernel_weighted", 2, 4, 5, 2, padding=2, groups=2))
    found = theoretical(model, (2, 32, 40))
    assert not found.bounded
    assert [layer.field for layer in found.layers] == [(3, 3), (11, 11)]
    assert found.layers[-1].stride == (4, 4)
    everything = theoretical(model, (2, 32, 40), context=True).layers[-1]
    assert all(f >= side for f, side in zip(everything.field, (32, 40), strict=True))


@pytest.mark.parametrize(
    ("name", "local", "global_"),
    [
        ("se", None, True),
        ("eca", None, True),
        ("cbam_spatial", 9, False),
        ("global_context", None, True),
        ("bam", 19, True),
    ],
)
def test_attention(name: str, local: int | None, global_: bool) -> None:
    model = nn.Sequential(nn.Conv2d(2, 16, 3, padding=1), dynaconv.create_attention(name, 16))
    field = theoretical(model, (2, 40, 40)).layers[-1].field[0]
    assert field == (local or 3)
    assert (theoretical(model, (2, 40, 40), context=True).layers[-1].field[0] >= 40) == global_


GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "broadcast": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "expanded": lambda x: x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1)).expand_as(x),
    "in place": lambda x: F.hardswish(x).mul_(x.amax((2, 3), keepdim=True)),
    "instance norm": lambda x: (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True),
}


@pytest.mark.parametrize("name", GATES)
def test_gates_of_channels_are_context(name: str) -> None:
    model = nn.Sequential(conv(3, 2), Functional(GATES[name]), conv(3))
    found = theoretical(model, (2, 21, 21))
    assert not found.bounded
    assert (found.layers[-1].field, found.layers[-1].stride) == ((7, 7), (2, 2))
    assert theoretical(model, (2, 21, 21), context=True).layers[-1].field == (21, 21)


def test_tokens_are_no_map() -> None:
    tokens = Functional(lambda x: x.flatten(2).transpose(1, 2).unflatten(2, (1, 2)).transpose(1, 2))
    found = theoretical(nn.Sequential(conv(4, 4), tokens, nn.Softmax(-1)), (2, 16, 16))
    assert [layer.kind for layer in found.layers] == ["Conv2d"]


def test_non_local_sees_everything() -> None:
    model = nn.Sequential(conv(3, padding=1), dynaconv.create_attention("non_local", 2))
    assert theoretical(model, (2, 20, 20)).layers[-1].field == (22, 22)


def test_group_norm_is_context() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, 2), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3))
    assert theoretical(model, (2, 31, 31)).layers[-1].field == (7, 7)
    assert theoretical(model, (2, 31, 31), context=True).layers[-1].field == (31, 31)


def test_three_dimensions() -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, (1, 3, 3), (1, 2, 2)), nn.MaxPool3d((2, 1, 2)), nn.Conv3d(2, 2, 3))
    assert theoretical(model, (1, 12, 20, 20)).layers[-1].field == (6, 7, 13)


def test_what_has_no_rule_is_an_upper_bound_and_said_so() -> None:
    model = nn.Sequential(conv(3), Functional(lambda x: torch.fft.fft2(x).real))
    found = theoretical(model, (2, 20, 20))
    assert found.layers[-1].field == (20, 20)
    assert "aten::_fft_c2c" in found.bounded
    assert "upper bounds after aten::" in str(found)


def test_effective_field_is_smaller_and_grows() -> None:
    model = nn.Sequential(
        *(layer for _ in range(6) for layer in (nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=True)))
    )
    layers = receptive_field(model, (4, 40, 40), images=8).layers
    effective = [layer.effective[0] for layer in layers]
    assert effective == sorted(effective)
    assert effective[0] == 3
    assert 3 < effective[-1] < layers[-1].field[0] == 13


def test_effective_field_of_equal_weights_is_as_computed_by_hand() -> None:
    # Two 1-D convolutions of ones: gradients 1 2 3 2 1, energies 1 4 9 4 1 of 19; the middle three hold 17/19 = .89.
    model = nn.Sequential(nn.Conv1d(1, 1, 3, bias=False), nn.Conv1d(1, 1, 3, bias=False))
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    spans = {
        s: receptive_field(model, (1, 20), share=s).layers[-1].effective for s in (0.4, 0.68, 0.89, 0.9, 0.95, 1.0)
    }
    assert spans == {0.4: (1,), 0.68: (2,), 0.89: (3,), 0.9: (4,), 0.95: (5,), 1.0: (5,)}


def test_no_gradient_no_effective_field() -> None:
    model = nn.Sequential(conv(3), Functional(lambda x: x * 0))
    assert receptive_field(nn.Sequential(model, conv(3)), (2, 12, 12)).layers[-1].effective is None


def test_model_is_left_as_it_was() -> None:
    model = nn.Sequential(conv(3), nn.BatchNorm2d(2), nn.Dropout()).train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    receptive_field(model, (2, 12, 12))
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_layer_that_runs_twice_has_two_rows() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    found = theoretical(Twice(), (2, 12, 12)).layers
    assert [(layer.name, layer.field[0]) for layer in found] == [("conv", 3), ("conv", 5)]


def test_table() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, (3, 5), 2), nn.ReLU(), nn.MaxPool2d(2))
    lines = str(theoretical(model, (2, 20, 20))).splitlines()
    assert [line.split() for line in lines] == [
        ["layer", "kind", "map", "field", "stride", "offset", "effective"],
        ["0", "Conv2d", "9×8", "3×5", "2", "1×2", "–"],
        ["2", "MaxPool2d", "4", "5×7", "4", "2×3", "–"],
    ]


def test_figure() -> None:
    fields = receptive_field(nn.Sequential(conv(3), conv(3, 2)), (2, 20, 24), images=1)
    figure = growth_figure(fields)
    assert [trace.name for trace in figure.data] == ["theoretical", "effective"]
    assert list(figure.data[0].y) == [3, 5]
    assert figure.layout.shapes[0].y0 == 24
    assert [trace.name for trace in growth_figure(theoretical(conv(3), (2, 20, 24))).data] == ["theoretical"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_size": (3,)}, ArgumentError, r"input_size=\(3,\): expected channels and one to three sides"),
        ({"input_size": (2, 0, 5)}, ArgumentError, r"input_size=\(2, 0, 5\): expected channels"),
        ({"images": -1}, ArgumentError, "images=-1: expected an integer >= 0, or a batch of images"),
        ({"images": torch.zeros(1, 2, 9, 9)}, ShapeError, r"images=\(1, 2, 9, 9\): expected \(B, 2, 12, 12\)"),
        ({"share": 0}, ArgumentError, "share=0: expected a number above 0 and at most 1"),
    ],
)
def test_bad_arguments(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        receptive_field(conv(3), **{"input_size": (2, 12, 12), **options})
