from __future__ import annotations

from base64 import b64decode
from io import BytesIO

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from dynaconv.errors import ShapeError
from dynaconv.report.pictures import png_uri


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_survives_the_round_trip(channels: int) -> None:
    image = torch.randint(0, 256, (channels, 5, 7), dtype=torch.uint8)
    head, data = png_uri(image / 255).split(",")
    assert head == "data:image/png;base64"
    with Image.open(BytesIO(b64decode(data))) as picture:
        assert torch.equal(pil_to_tensor(picture), image)


def test_values_outside_the_range_are_clipped() -> None:
    assert png_uri(torch.full((1, 2, 2), 3.0)) == png_uri(torch.ones(1, 2, 2))


@pytest.mark.parametrize("shape", [(2, 4, 4), (4, 4), (1, 3, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"image=.*expected \(C, H, W\) with 1 or 3 channels"):
        png_uri(torch.zeros(shape))
