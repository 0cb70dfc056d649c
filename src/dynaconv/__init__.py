"""Convolutions whose kernels depend on the input: context → coefficients → kernel → convolution."""

from dynaconv import coefficients, context, errors, kernels, layers, models, ops
from dynaconv.layers import create_conv, list_convs
from dynaconv.models import create_model, list_models, profile
from dynaconv.spec import ConvSpec

__all__ = [
    "ConvSpec",
    "coefficients",
    "context",
    "create_conv",
    "create_model",
    "errors",
    "kernels",
    "layers",
    "list_convs",
    "list_models",
    "models",
    "ops",
    "profile",
]

__version__ = "0.1.0"
