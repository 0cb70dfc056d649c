"""Conversion: convolutions of an existing model replaced by dynamic ones, published checkpoints read."""

from dynaconv.convert.replace import conv_names, replace, spec_of_conv

__all__ = ["conv_names", "replace", "spec_of_conv"]
