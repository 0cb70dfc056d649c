"""Second-order operators: covariance of a map, square root of a covariance, its upper triangle as a vector."""

from dynaconv.ops.second_order.covariance import covariance_pool
from dynaconv.ops.second_order.matrix_sqrt import matrix_sqrt
from dynaconv.ops.second_order.triangle import upper_triangle

__all__ = ["covariance_pool", "matrix_sqrt", "upper_triangle"]
