"""Convolutions whose kernels depend on the input: context → coefficients → kernel → convolution."""

from dynaconv import attention, coefficients, context, errors, hub, kernels, layers, models, ops, pooling
from dynaconv.attention import create_attention, list_attentions
from dynaconv.coefficients import TemperatureSchedule, set_temperature
from dynaconv.convert import convert, fold_batchnorm, freeze, plan
from dynaconv.convert.checkpoints import load_published
from dynaconv.dispatch import autotune
from dynaconv.export import export_onnx
from dynaconv.hub import load, save
from dynaconv.layers import create_conv, explain, list_convs
from dynaconv.models import create_model, list_models, profile
from dynaconv.pooling import create_pooling, list_poolings
from dynaconv.spec import ConvSpec

__all__ = [
    "ConvSpec",
    "TemperatureSchedule",
    "attention",
    "autotune",
    "coefficients",
    "context",
    "convert",
    "create_attention",
    "create_conv",
    "create_model",
    "create_pooling",
    "errors",
    "explain",
    "export_onnx",
    "fold_batchnorm",
    "freeze",
    "hub",
    "kernels",
    "layers",
    "list_attentions",
    "list_convs",
    "list_models",
    "list_poolings",
    "load",
    "load_published",
    "models",
    "ops",
    "plan",
    "pooling",
    "profile",
    "save",
    "set_temperature",
]

__version__ = "0.1.0"
