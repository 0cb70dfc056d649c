"""Coefficients: how much of each part of a kernel the context asks for."""

from dynaconv.coefficients.slice_gate import SliceGate

__all__ = ["SliceGate"]
