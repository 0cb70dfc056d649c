"""Coefficients: how much of each part of a kernel the context asks for."""

from dynaconv.coefficients.channel_fusion import ChannelFusion
from dynaconv.coefficients.contrasting import ContrastingAttention
from dynaconv.coefficients.map_affine import MapAffine
from dynaconv.coefficients.norm import BranchBatchNorm, BranchNorm, branch_norm
from dynaconv.coefficients.omni_attention import OmniAttention
from dynaconv.coefficients.router import SigmoidRouter, SoftmaxRouter
from dynaconv.coefficients.slice_gate import SliceGate
from dynaconv.coefficients.tap_gate import TapGate
from dynaconv.coefficients.temperature import Temperature, TemperatureSchedule, set_temperature, temperatures

__all__ = [
    "BranchBatchNorm",
    "BranchNorm",
    "ChannelFusion",
    "ContrastingAttention",
    "MapAffine",
    "OmniAttention",
    "SigmoidRouter",
    "SliceGate",
    "SoftmaxRouter",
    "TapGate",
    "Temperature",
    "TemperatureSchedule",
    "branch_norm",
    "set_temperature",
    "temperatures",
]
