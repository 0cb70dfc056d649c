"""An exported program as the content of an ONNX file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from dynaconv.errors import ExportError, MissingExtraError
from dynaconv.export.reason import reason

__all__ = ["onnx_content"]

# Constants of any size are computed at export: weights of convolutions become plain numbers in the file.
_ANY_SIZE = 2**62
_DIMS = {3: ("length",), 4: ("height", "width"), 5: ("depth", "height", "width")}


def onnx_content(
    program: torch.export.ExportedProgram, metadata: Mapping[str, str], *, opset: int | None = None
) -> bytes:
    """The program as ONNX: input `input`, output `output` where there is one, sizes by name, weights inside.

    Args:
        program: with one input.
        metadata: kept in the file.
        opset: version of the operators; the exporter's own by default.

    Raises:
        ExportError: an operation has no form in ONNX, or a weight of a convolution is not constant.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    onnxscript, ir = _packages()
    try:
        with torch.no_grad():
            made = torch.onnx.export(
                program, dynamo=True, verbose=False, optimize=False, input_names=["input"], opset_version=opset
            )
        assert made is not None
        model: Any = made.model
        onnxscript.optimizer.optimize(model, input_size_limit=_ANY_SIZE, output_size_limit=_ANY_SIZE)
        # What several layers share was laid out for each of them.
        ir.passes.common.DeduplicateInitializersPass(size_limit=_ANY_SIZE)(model)
    except Exception as error:
        raise ExportError(f"the model has no form in ONNX: {reason(error)}") from error
    _check_weights(model)
    _name_sizes(model)
    outputs = model.graph.outputs
    if len(outputs) == 1:
        outputs[0].name = "output"
    model.producer_name = "dynaconv"
    model.metadata_props.update(metadata)
    # Where things came from in Python is of no use in the file.
    for part in (*model.graph, *model.graph.inputs, *outputs):
        part.metadata_props.clear()
    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def _check_weights(model: Any) -> None:
    """Raise if a runtime could not lay out a convolution's weight before it sees an input."""
    for node in model.graph:
        if node.op_type in ("Conv", "ConvTranspose") and not node.inputs[1].is_initializer():
            raise ExportError(f"the weight of convolution {node.name!r} in the exported model is not constant")


def _name_sizes(model: Any) -> None:
    """`batch`, `height` and so on in place of the exporter's symbols, wherever they stand."""
    (entry,) = model.graph.inputs
    names = ("batch", "channels", *_DIMS.get(len(entry.shape), ()))
    renamed = {str(d.value): name for d, name in zip(entry.shape, names, strict=False) if not isinstance(d, int)}
    if not renamed:
        return
    symbols = re.compile(rf"\b({'|'.join(map(re.escape, renamed))})\b")
    for value in (entry, *(output for node in model.graph for output in node.outputs)):
        if value.shape is not None:
            for axis, dim in enumerate(value.shape):
                if not isinstance(dim, int) and dim.value is not None:
                    value.shape[axis] = symbols.sub(lambda found: renamed[found[0]], str(dim.value))


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        import onnx_ir
        import onnx_ir.passes.common
        import onnxscript
        import onnxscript.optimizer
    except ImportError as error:
        raise MissingExtraError(error.name or "onnxscript", "export") from error
    return onnxscript, onnx_ir
