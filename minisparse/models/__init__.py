"""The papers' networks, what is left of them when units are dead, and their weights in PyTorch."""

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
