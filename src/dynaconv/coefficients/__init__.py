"""Coefficients: how much of each part of a kernel the context asks for."""

from dynaconv.coefficients.norm import BranchBatchNorm, BranchNorm, branch_norm
from dynaconv.coefficients.slice_gate import SliceGate
from dynaconv.coefficients.tap_gate import TapGate
from dynaconv.coefficients.temperature import Temperature, TemperatureSchedule, set_temperature, temperatures

__all__ = [
    "BranchBatchNorm",
    "BranchNorm",
    "SliceGate",
    "TapGate",
    "Temperature",
    "TemperatureSchedule",
    "branch_norm",
    "set_temperature",
    "temperatures",
]
