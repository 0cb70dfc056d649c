"""Conversion: convolutions of an existing model replaced by dynamic ones, published checkpoints read."""

from dynaconv.convert import inherit_fitted, inherit_warehouse
from dynaconv.convert.apply import convert
from dynaconv.convert.fold import FoldReport, fold_batchnorm
from dynaconv.convert.freeze import FreezeReport, freeze
from dynaconv.convert.frozen_outline import Freezing, frozen_outline
from dynaconv.convert.inherit import start_from
from dynaconv.convert.insert import Insertion
from dynaconv.convert.plan import plan
from dynaconv.convert.planned import Plan, PlannedLayer
from dynaconv.convert.replace import conv_names, like, replace, spec_of_conv
from dynaconv.convert.residual_blocks import residual_stages
from dynaconv.convert.share_warehouse import share_warehouse

__all__ = [
    "FoldReport",
    "FreezeReport",
    "Freezing",
    "Insertion",
    "Plan",
    "PlannedLayer",
    "conv_names",
    "convert",
    "fold_batchnorm",
    "freeze",
    "frozen_outline",
    "inherit_fitted",
    "inherit_warehouse",
    "like",
    "plan",
    "replace",
    "residual_stages",
    "share_warehouse",
    "spec_of_conv",
    "start_from",
]
