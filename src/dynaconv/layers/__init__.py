"""Layers: where the stages meet. Each is a method of the field; all share one forward pass."""

from dynaconv.layers.base import DynamicConv
from dynaconv.layers.batch_renorm import BatchRenorm2d
from dynaconv.layers.dot_product import DotProductConv2d
from dynaconv.layers.explain import explain
from dynaconv.layers.fc_generated import FCGeneratedConv2d
from dynaconv.layers.kernel_weighted import KernelWeightedConv2d
from dynaconv.layers.lgcf import LGCFConv1d, LGCFConv2d, LGCFConv3d
from dynaconv.layers.registry import create_conv, list_convs

__all__ = [
    "BatchRenorm2d",
    "DotProductConv2d",
    "DynamicConv",
    "FCGeneratedConv2d",
    "KernelWeightedConv2d",
    "LGCFConv1d",
    "LGCFConv2d",
    "LGCFConv3d",
    "create_conv",
    "explain",
    "list_convs",
]
