"""Export: models as programs and files that run without this library."""

from dynaconv.export.checked import Check
from dynaconv.export.onnx_file import OnnxFile, export_onnx
from dynaconv.export.program import export_program

__all__ = ["Check", "OnnxFile", "export_onnx", "export_program"]
