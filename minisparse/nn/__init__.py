"""Layers are descriptions: frozen, without parameters (their interface is in `base`)."""

from .base import Initial, Layer, Shape, Site, Values, glorot_uniform, he_normal, he_normal_depthwise, sites
from .containers import Chain, Residual, mlp, unfused
from .gates import GatedConv2d, GatedLinear, gated, ungated
from .layers import AvgPool2d, Conv2d, DepthwiseConv2d, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool2d, Relu
from .normalize import BatchNorm, batch_norm, recalibrate
