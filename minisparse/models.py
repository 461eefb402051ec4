"""The papers' networks, each a description."""

from . import nn
from .nn import Chain, Conv2d, Flatten, Initial, Layer, Linear, MaxPool2d, Relu, he_normal


def lenet_300_100(inputs: int = 784, classes: int = 10, initial: Initial = he_normal) -> Chain:
    """LeNet-300-100 (LeCun et al. 1998): 266,610 parameters on MNIST."""
    return nn.mlp(inputs, 300, 100, classes, initial=initial)


def lenet_5(shape: nn.Shape = (28, 28, 1), classes: int = 10, initial: Initial = he_normal) -> Chain:
    """LeNet-5-Caffe, 20 and 50 filters of 5×5: 431,080 parameters on MNIST.

    Differs from Caffe's own, which has no ReLU after the convolutions.
    """
    filters: dict[str, Layer] = {
        "conv1": Conv2d(shape[2], 20, 5, initial=initial),
        "pool1": MaxPool2d(2),
        "relu1": Relu(),
        "conv2": Conv2d(20, 50, 5, initial=initial),
        "pool2": MaxPool2d(2),
        "relu2": Relu(),
        "flatten": Flatten(),
    }
    (features,) = Chain(filters).cost(shape)[1]
    return Chain(
        {
            **filters,
            "fc1": Linear(features, 500, initial),
            "relu3": Relu(),
            "fc2": Linear(500, classes, initial),
        }
    )
