"""Conversion: convolutions of an existing model replaced by dynamic ones, published checkpoints read."""

from dynaconv.convert.replace import conv_names, like, replace, spec_of_conv
from dynaconv.convert.share_warehouse import share_warehouse

__all__ = ["conv_names", "like", "replace", "share_warehouse", "spec_of_conv"]
