"""The papers' networks, shrinking them to their live units, and conversion from and to PyTorch."""

from .networks import (
    alexnet,
    l0_lenet_5,
    l0_lenet_300_100,
    lenet_5,
    lenet_300_100,
    mobilenet_v1,
    resnet_50,
    vgg_16,
    vgg_c,
    vgg_d,
    vgg_like,
    wide_resnet,
)
