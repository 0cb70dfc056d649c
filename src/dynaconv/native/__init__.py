"""Fused CPU kernels of `mixture_conv`: every sample's kernel is assembled in cache and never written to memory."""

from dynaconv.native.functions import bank_gradient, forward, input_gradient, why_not
from dynaconv.native.library import Status, available, force_instruction_set, status

__all__ = [
    "Status",
    "available",
    "bank_gradient",
    "force_instruction_set",
    "forward",
    "input_gradient",
    "status",
    "why_not",
]
