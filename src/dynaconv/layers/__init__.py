"""Layers: where the stages meet. Each is a method of the field; all share one forward pass."""

from dynaconv.layers.base import DynamicConv
from dynaconv.layers.batch_renorm import BatchRenorm2d
from dynaconv.layers.block_router import BlockRouter, route_blocks
from dynaconv.layers.causal import CausalConv1d
from dynaconv.layers.condconv import CondConv1d, CondConv2d, CondConv3d
from dynaconv.layers.dcd import DCDConv1d, DCDConv2d, DCDConv3d
from dynaconv.layers.dcd_linear import DCDLinear
from dynaconv.layers.depthwise_separable import (
    DepthwiseSeparableConv1d,
    DepthwiseSeparableConv2d,
    DepthwiseSeparableConv3d,
)
from dynaconv.layers.dot_product import DotProductConv2d
from dynaconv.layers.dyconv import DyConv1d, DyConv2d, DyConv3d
from dynaconv.layers.explain import explain
from dynaconv.layers.fc_generated import FCGeneratedConv2d
from dynaconv.layers.fdconv import FDConv2d
from dynaconv.layers.involution import Involution2d
from dynaconv.layers.kernel_warehouse import KernelWarehouseConv1d, KernelWarehouseConv2d, KernelWarehouseConv3d
from dynaconv.layers.kernel_warehouse_linear import KernelWarehouseLinear
from dynaconv.layers.kernel_weighted import KernelWeightedConv2d
from dynaconv.layers.lgcf import LGCFConv1d, LGCFConv2d, LGCFConv3d
from dynaconv.layers.odconv import ODConv1d, ODConv2d, ODConv3d
from dynaconv.layers.profile import LayerProfile, Profile, profile
from dynaconv.layers.registry import create_conv, list_convs
from dynaconv.layers.rfaconv import RFAConv2d, RFCAConv2d, RFCBAMConv2d
from dynaconv.layers.same_padded import SamePadded
from dynaconv.layers.spatially_separable import SpatiallySeparableConv2d
from dynaconv.layers.tcn import TCN, TCNBlock

__all__ = [
    "TCN",
    "BatchRenorm2d",
    "BlockRouter",
    "CausalConv1d",
    "CondConv1d",
    "CondConv2d",
    "CondConv3d",
    "DCDConv1d",
    "DCDConv2d",
    "DCDConv3d",
    "DCDLinear",
    "DepthwiseSeparableConv1d",
    "DepthwiseSeparableConv2d",
    "DepthwiseSeparableConv3d",
    "DotProductConv2d",
    "DyConv1d",
    "DyConv2d",
    "DyConv3d",
    "DynamicConv",
    "FCGeneratedConv2d",
    "FDConv2d",
    "Involution2d",
    "KernelWarehouseConv1d",
    "KernelWarehouseConv2d",
    "KernelWarehouseConv3d",
    "KernelWarehouseLinear",
    "KernelWeightedConv2d",
    "LGCFConv1d",
    "LGCFConv2d",
    "LGCFConv3d",
    "LayerProfile",
    "ODConv1d",
    "ODConv2d",
    "ODConv3d",
    "Profile",
    "RFAConv2d",
    "RFCAConv2d",
    "RFCBAMConv2d",
    "SamePadded",
    "SpatiallySeparableConv2d",
    "TCNBlock",
    "create_conv",
    "explain",
    "list_convs",
    "profile",
    "route_blocks",
]
