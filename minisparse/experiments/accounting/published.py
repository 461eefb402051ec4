"""Costs as printed."""

from typing import Any

from ... import models

RIGL = "Evci et al. 2020"
README = "RigL's README"

HAN: Any = {  # network: shape, per layer % of weights kept and % of activations that are not zero; totals as printed
    "LeNet-300-100": (models.lenet_300_100, (784,), (8, 9, 26), (38, 65, 100), 22_000, 12, 8, "table 2"),
    "LeNet-5": (models.lenet_5, (28, 28, 1), (66, 12, 8, 19), (82, 72, 55, 100), 36_000, 12, 16, "table 3"),
    "AlexNet": (
        models.alexnet, (227, 227, 3), (84, 38, 35, 37, 37, 9, 9, 25), (88, 52, 37, 40, 34, 36, 40, 100),
        6_700_000, 9, 30, "table 4",
    ),
    "VGG-16": (
        models.vgg_16, (224, 224, 3), (58, 22, 34, 36, 53, 24, 42, 32, 27, 34, 35, 29, 36, 4, 4, 23),
        (53, 89, 80, 81, 68, 70, 64, 51, 45, 34, 32, 29, 19, 38, 42, 100), 10_300_000, 13, 21, "table 5",
    ),
}  # fmt: skip
FIGURE_2, TABLE_4 = f"{RIGL}, figure 2", f"{RIGL}, table 4"
RESNET = (  # quantity, distribution, times the usual length, {sparsity: fraction of the dense network's}, source
    ("inference", "uniform", 1, {0.8: 0.23, 0.9: 0.10}, FIGURE_2),
    ("inference", "uniform", 1, {0.95: 0.08, 0.965: 0.07}, TABLE_4),
    ("inference", "ERK", 1, {0.8: 0.42, 0.9: 0.24}, FIGURE_2),
    ("inference", "ERK", 1, {0.95: 0.12, 0.965: 0.11}, TABLE_4),
    ("rigl", "uniform", 1, {0.8: 0.23, 0.9: 0.10}, FIGURE_2),
    ("rigl", "ERK", 1, {0.8: 0.42, 0.9: 0.25}, FIGURE_2),
    ("rigl", "uniform", 5, {0.8: 1.14, 0.9: 0.52}, FIGURE_2),
    ("rigl", "uniform", 5, {0.9: 0.66}, README),
    ("rigl", "ERK", 5, {0.8: 2.09, 0.9: 1.23}, FIGURE_2),
    ("snfs", "ERK", 1, {0.8: 0.61, 0.9: 0.50}, FIGURE_2),
    ("pruning", "uniform", 1, {0.8: 0.56, 0.9: 0.51}, FIGURE_2),
    ("pruning", "uniform", 1.5, {0.8: 0.84, 0.9: 0.76}, FIGURE_2),
)
SIZES = {  # megabytes of ResNet-50, by sparsity
    "dense": {0.0: 102.122},
    "uniform": {0.8: 23.685, 0.9: 13.532, 0.95: 8.433, 0.965: 6.904},
    "ERK": {0.8: 23.683, 0.9: 13.499, 0.95: 8.399, 0.965: 6.904, 0.99: 4.354},
}
MOBILENET = {  # (distribution, layers that stay dense): {sparsity: (MFLOPs, MB)}
    ("ERK", "depthwise"): {
        0.75: (599.144, 4.888), 0.85: (439.152, 3.224), 0.9: (334.134, 2.392), 0.95: (205.281, 1.560),
    },
    ("uniform", "first and depthwise"): {
        0.75: (330.769, 4.894), 0.85: (222.666, 3.229), 0.9: (168.614, 2.396), 0.95: (114.563, 1.563),
    },
    ("ERK", "first"): {
        0.75: (588.355, 4.757), 0.85: (422.419, 3.075), 0.9: (312.956, 2.235), 0.95: (180.359, 1.393),
    },
}  # fmt: skip
NARROW = {0.47: (266.539, 4.789), 0.353: (154.770, 3.076), 0.285: (103.825, 2.236), 0.204: (56.617, 1.396)}  # by width
TABLE_2 = (  # method, final architecture, weights (all unless given: they follow from the bytes), bytes, KFLOPs
    ("SBP", (245, 160, 55), None, 195_100, 97.1),
    ("L0", (266, 88, 33), None, 107_092, 53.3),
    ("VIB", (97, 71, 33), None, 38_696, 19.1),
    ("RigL", (408, 100, 69), 6_309, 31_914, 12.6),
    ("RigL+", (375, 62, 51), 3_080, 16_113, 6.2),
)
LOUIZOS: Any = {  # network: shape, drop rates, what the authors' code counts before training: FLOPs, parameters
    "LeNet-300-100": (
        models.l0_lenet_300_100, (784,), {"fc1": 0.2, "fc2": 0.5, "fc3": 0.5}, 499_340.6, 250_080.3,
    ),
    "LeNet-5": (
        models.l0_lenet_5, (28, 28, 1), dict.fromkeys(("conv1", "conv2", "fc1", "fc2"), 0.5), 3_814_736.5, 358_667.7,
    ),
}  # fmt: skip
NOTES = {
    ("inference", 0.9, "uniform", 0.10): "the paper counts the first layer sparse here, against its own text: 0.1012",
    ("rigl", 0.9, "uniform", 0.10): "the paper counts the first layer sparse here, against its own text: 0.1042",
    ("rigl", 0.9, "uniform", 0.52): "the paper counts the first layer sparse here, against its own text: 0.5210",
    ("inference", 0.965, "ERK", 0.11): "the paper keeps the first layer dense here, against its own text: 0.1125",
}
SIZE_NOTES = {
    (0.8, "uniform"): "23.685 is what ER without kernel sizes gives: probably a copied line",
    (0.965, "ERK"): "6.904 has the first layer dense, as the uniform row",
    (0.99, "ERK"): "4.354 has the first layer dense",
}
