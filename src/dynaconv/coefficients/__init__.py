"""Coefficients: how much of each part of a kernel the context asks for."""

from dynaconv.coefficients.band_gates import BandGates
from dynaconv.coefficients.channel_fusion import ChannelFusion
from dynaconv.coefficients.contrasting import ContrastingAttention
from dynaconv.coefficients.kernel_modulation import GateActivation, KernelModulation, LocalModulation
from dynaconv.coefficients.map_affine import MapAffine
from dynaconv.coefficients.norm import BranchBatchNorm, BranchNorm, branch_norm
from dynaconv.coefficients.omni_attention import OmniAttention
from dynaconv.coefficients.position_norm import PositionLayerNorm, position_norm
from dynaconv.coefficients.receptive_field import CBAMFieldAttention, CoordinateFieldAttention, SoftmaxFieldAttention
from dynaconv.coefficients.router import SigmoidRouter, SoftmaxRouter
from dynaconv.coefficients.slice_gate import SliceGate
from dynaconv.coefficients.tap_gate import TapGate
from dynaconv.coefficients.tap_generator import TapGenerator
from dynaconv.coefficients.temperature import Temperature, TemperatureSchedule, set_temperature, temperatures

__all__ = [
    "BandGates",
    "BranchBatchNorm",
    "BranchNorm",
    "CBAMFieldAttention",
    "ChannelFusion",
    "ContrastingAttention",
    "CoordinateFieldAttention",
    "GateActivation",
    "KernelModulation",
    "LocalModulation",
    "MapAffine",
    "OmniAttention",
    "PositionLayerNorm",
    "SigmoidRouter",
    "SliceGate",
    "SoftmaxFieldAttention",
    "SoftmaxRouter",
    "TapGate",
    "TapGenerator",
    "Temperature",
    "TemperatureSchedule",
    "branch_norm",
    "position_norm",
    "set_temperature",
    "temperatures",
]
