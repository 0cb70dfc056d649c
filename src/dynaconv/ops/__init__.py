"""Operators: pure functions that convolve with a kernel value. One definition each, several algorithms."""

from dynaconv.ops.conv import conv
from dynaconv.ops.dense_conv import dense_conv
from dynaconv.ops.explain import explain_conv
from dynaconv.ops.mixture_conv import mixture_conv
from dynaconv.ops.tapwise_conv import tapwise_conv

__all__ = ["conv", "dense_conv", "explain_conv", "mixture_conv", "tapwise_conv"]
