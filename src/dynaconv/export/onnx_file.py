"""A model as one ONNX file, checked before it is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dynaconv.atomic import write_bytes
from dynaconv.errors import ArgumentError, ExportError
from dynaconv.export.checked import Check, check_onnx, onnxruntime_package, shapes_to_check
from dynaconv.export.onnx_graph import onnx_content
from dynaconv.export.program import export_program, for_export
from dynaconv.layers.registry import CONVS

__all__ = ["OnnxFile", "export_onnx"]

# The largest message that protobuf reads.
_MOST_BYTES = 2**31


@dataclass(frozen=True)
class OnnxFile:
    """A written file; `str()` says what was checked.

    Attributes:
        path: where it is.
        size: its bytes.
        metadata: what is kept in it.
        checks: the inputs it was checked on.
    """

    path: Path
    size: int
    metadata: Mapping[str, str]
    checks: tuple[Check, ...]

    @property
    def largest(self) -> float:
        """The largest absolute difference from PyTorch's outputs."""
        return max(check.difference.largest for check in self.checks)

    def __str__(self) -> str:
        """The file, and the difference on every input shape."""
        rows = [f"  {'×'.join(map(str, check.shape))}: {check.difference}" for check in self.checks]
        return "\n".join([f"{self.path}, {self.size / 1e6:.1f} MB; largest differences from PyTorch:", *rows])


def export_onnx(
    model: nn.Module,
    path: str | Path,
    example: Tensor,
    *,
    labels: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    metadata: Mapping[str, str] | None = None,
    free_size: bool = True,
    opset: int | None = None,
    batches: Sequence[int] = (1, 3, 16),
    tolerance: float = 1e-4,
) -> OnnxFile:
    """Write a model as ONNX, with free batch and image size, and check it against PyTorch in onnxruntime.

    Every convolution's weight is a constant of the file, and no attribute depends on the batch: kernels that are made
    from the input meet the windows of the image in a matrix product. The model is exported in evaluation mode and
    float32. The file appears only once the check has passed.

    Args:
        model: is left as it is.
        path: of the file.
        example: an input, `(B, C, *S)`.
        labels: names of the classes, kept in the file.
        mean: of the images' channels in [0, 1]: the input is `(image - mean) / std`. Kept in the file.
        std: their standard deviation.
        metadata: more to keep in the file, by name.
        free_size: whether `*S` is free too; otherwise it is the example's.
        opset: version of ONNX's operators; the exporter's own by default.
        batches: batch sizes to check, each on the example's size and, if sizes are free, a larger one.
        tolerance: the largest difference that is accepted, relative to the largest output.

    Returns:
        What was written and checked.

    Raises:
        ArgumentError: the example is no such input, or there is no batch size to check.
        ExportError: the model cannot be exported, or the exported one differs from it.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    if not batches or min(batches) < 1:
        raise ArgumentError("batches", tuple(batches), "at least one batch size, each at least 1")
    plain, ready = for_export(model, example)
    # What will be needed in the end is asked for at the start.
    onnxruntime_package()
    kept = {**_described(plain, ready, labels, mean, std), **(metadata or {})}
    content = onnx_content(export_program(plain, ready, free_size=free_size), kept, opset=opset)
    if len(content) >= _MOST_BYTES:
        raise ExportError(f"the exported model has {len(content):,} bytes; one ONNX file holds {_MOST_BYTES:,} at most")
    checks = check_onnx(plain, content, shapes_to_check(ready, batches, free_size=free_size), tolerance)
    _write(Path(path), content)
    return OnnxFile(Path(path), len(content), kept, tuple(checks))


def _described(
    model: nn.Module,
    example: Tensor,
    labels: Sequence[str] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> dict[str, str]:
    """What a user of the file has to know, by name; lists as JSON."""
    methods = {cls: name for name, classes in CONVS.items() if name != "static" for cls in classes.values()}
    found = {methods[type(module)]: None for module in model.modules() if type(module) in methods}
    described = {
        "library": "dynaconv",
        "torch": torch.__version__,
        "methods": json.dumps([*found]),
        "example_shape": json.dumps(list(example.shape[1:])),
    }
    for name, value in (("labels", labels), ("mean", mean), ("std", std)):
        if value is not None:
            described[name] = json.dumps(list(value))
    return described


def _write(path: Path, content: bytes) -> None:
    """The file whole, or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from error
