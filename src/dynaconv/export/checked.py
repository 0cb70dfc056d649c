"""An exported model run in onnxruntime beside the PyTorch model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from dynaconv.convert.outputs import Difference, difference, output_tensors
from dynaconv.errors import ExportError, MissingExtraError
from dynaconv.export.reason import reason

__all__ = ["Check", "check_onnx", "onnxruntime_package", "shapes_to_check"]


@dataclass(frozen=True)
class Check:
    """One input shape, and how far onnxruntime's output is from PyTorch's."""

    shape: tuple[int, ...]
    difference: Difference


def shapes_to_check(example: Tensor, batches: Sequence[int], *, free_size: bool) -> list[tuple[int, ...]]:
    """The example's size and a larger one of other proportions, in every batch size.

    The larger one can be halved as often as the example's, up to five times.
    """
    channels, *size = example.shape[1:]
    sizes = [tuple(size)]
    if free_size and size:
        sizes.append(tuple(n + (dim + 1) * min(n & -n, 32) for dim, n in enumerate(size)))
    return [(batch, channels, *found) for found in sizes for batch in batches]


def check_onnx(model: nn.Module, content: bytes, shapes: Sequence[tuple[int, ...]], tolerance: float) -> list[Check]:
    """Run both on noise of every shape.

    Args:
        model: on the CPU, in float32 and evaluation mode.
        content: the ONNX file's.
        shapes: of the inputs.
        tolerance: the largest difference that is accepted, relative to the largest output.

    Raises:
        ExportError: onnxruntime cannot run the file, or its output differs by more.
        MissingExtraError: onnxruntime is not installed.
    """
    runtime = onnxruntime_package()
    try:
        session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"onnxruntime refuses the exported model: {reason(error)}") from error
    (entry,) = session.get_inputs()
    noise = torch.Generator().manual_seed(0)
    checks = []
    for shape in shapes:
        x = torch.randn(shape, generator=noise)
        with torch.no_grad():
            expected = [*output_tensors(model(x))]
        try:
            given = [torch.from_numpy(y) for y in session.run(None, {entry.name: x.numpy()})]
        except Exception as error:
            raise ExportError(
                f"onnxruntime cannot run the exported model on an input of shape {shape}: {error}"
            ) from error
        checks.append(Check(shape, difference(given, expected)))
    worst = max(checks, key=lambda check: check.difference.relative)
    if not worst.difference.relative <= tolerance:
        message = f"the exported model differs from the PyTorch model on an input of shape {worst.shape}: "
        raise ExportError(f"{message}{worst.difference}, allowed is a share of {tolerance:g}", worst.difference.largest)
    return checks


def onnxruntime_package() -> ModuleType:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "export") from error
    found: ModuleType = onnxruntime
    return found
