"""Operators: pure functions that convolve with a kernel value, one definition and several algorithms each.

Beside them stand the second-order statistics that pooling and attention are made of.
"""

from dynaconv.ops.conv import conv
from dynaconv.ops.dense_conv import dense_conv
from dynaconv.ops.explain import explain_conv
from dynaconv.ops.mixture_conv import mixture_conv
from dynaconv.ops.second_order import covariance_pool, matrix_sqrt, upper_triangle
from dynaconv.ops.tapwise_conv import tapwise_conv

__all__ = [
    "conv",
    "covariance_pool",
    "dense_conv",
    "explain_conv",
    "matrix_sqrt",
    "mixture_conv",
    "tapwise_conv",
    "upper_triangle",
]
