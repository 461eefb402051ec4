"""The networks of benchmarks.steps in PyTorch, written and trained as its own tutorials do.

Layers have the names that they have in `minisparse.models`, so that parameters find their places.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import cycle

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad, relu

from minisparse.checks import same_keys
from minisparse.models.pytorch import to_torch
from minisparse.nn import Chain, Shape

Batch = tuple[torch.Tensor, torch.Tensor]


def lenet_300_100() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            fc1=nn.Linear(784, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            fc3=nn.Linear(100, 10),
        )
    )


def lenet_5() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 20, 5),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(20, 50, 5),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(4 * 4 * 50, 500),
            fc1_relu=nn.ReLU(),
            fc2=nn.Linear(500, 10),
        )
    )


class Block(nn.Module):
    """Two convolutions, each after a batch norm and a ReLU; a shortcut with weights starts where the first one does."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.shortcut = None if c_in == c_out else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = relu(self.bn1(x))
        around = x if self.shortcut is None else self.shortcut(out)
        out = relu(self.bn2(self.conv1(out)))
        return self.conv2(out) + around


def wide_resnet_10_1() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False),
            group1_1=Block(16, 16),
            group2_1=Block(16, 32, stride=2),
            group3_1=Block(32, 64, stride=2),
            bn=nn.BatchNorm2d(64),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(64, 10),
        )
    )


def training(
    model: nn.Module, batches: Iterable[Batch], lr: float, momentum: float, weight_decay: float, compiled: bool = False
) -> Callable[[], float]:
    """The training step. Weights decay; biases and the parameters of batch norms, which have one axis, do not."""
    forward = torch.compile(model) if compiled else model
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=momentum)
    data = cycle(batches)

    def step() -> float:
        images, labels = next(data)
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def as_batch(images: np.ndarray, labels: np.ndarray, device: str, layout: torch.memory_format) -> Batch:
    """Our batch as PyTorch has it: images (N, C, H, W), in memory as `layout` says.

    `contiguous` would take images of one channel for channels-last; `to` gives them the strides that were asked for.
    """
    x = torch.from_numpy(images)
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).to(memory_format=layout)
    return x.to(device), torch.from_numpy(labels).to(device)


def as_torch(ours: Chain, params: Mapping[str, np.ndarray], shape: Shape) -> dict[str, np.ndarray]:
    """Our parameters in PyTorch's layouts, by the names they have in the models above, which know no "block"."""
    return {name.replace(".block.", "."): array for name, array in to_torch(ours, params, shape).items()}


def load(model: nn.Module, params: Mapping[str, np.ndarray]) -> None:
    """Give the model parameters from `as_torch`. ValueError where one has a name that the other has not."""
    own = dict(model.named_parameters())
    same_keys(model=own, params=params)
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(torch.from_numpy(params[name]))


def pad_at_the_end(model: nn.Module) -> None:
    """Put the zeros of 3×3 convolutions with stride 2 where our "same" has them.

    On images of even size one row and one column of zeros are enough. PyTorch's `padding=1` leaves those at the end
    unused, ours has none at the start, so that the two see different pixels. The network that is timed has `padding=1`,
    as everybody's; this one is there to be compared with.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding == (1, 1) and layer.stride == (2, 2):
            layer.padding = (0, 0)
            layer.register_forward_pre_hook(lambda layer, inputs: pad(inputs[0], (0, 1, 0, 1)))
