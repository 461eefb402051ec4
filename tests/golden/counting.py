"""Golden cases of how papers count: FLOPs and bytes of a network's layers, by three conventions.

A site is what a convention needs to know of a layer, with the names of nn.Site. Answers are FLOPs, two for every
multiply-add, and bytes.
"""

from fractions import Fraction
from math import ceil, prod

from tests.golden.case import Function


def slow_flops(sites, densities, convention):
    """One output after the other: so many products, so many additions."""
    return {
        site["name"]: float(count(site, Fraction(str(densities.get(site["name"], 1))), convention)) for site in sites
    }


def count(site, density, convention):
    *window, c_in, c_out = site["kernel_shape"]
    if convention == "clean":
        inputs = prod(window) if site["kind"] == "depthwise" else prod(window) * c_in
        return site["outputs"] * 2 * inputs * density
    if convention == "rigl":  # every window is odd here, so that "same" gives one output for each stride
        pad = 0 if isinstance(site["padding"], str) else site["padding"]
        positions = prod(ceil((n + 2 * pad) / site["stride"]) for n in site["in_shape"][: len(window)])
        products = prod(window) * c_in * density
        return positions * c_out * (products + (products - 1) + 1 + 1)
    positions = site["outputs"] // c_out
    products = prod(window) * c_out * density
    return positions * c_in * (products + (products - 1) + 1 + (site["kind"] == "linear"))


def slow_bytes(sites, densities, convention):
    return {
        site["name"]: float(size(site, Fraction(str(densities.get(site["name"], 1))), convention)) for site in sites
    }


def size(site, density, convention):
    n = prod(site["kernel_shape"])
    bits = 32 * n * density + (n if density < 1 else 0)
    if convention == "rigl":
        bits += 32 * site["kernel_shape"][-1]
    if convention == "rigl-reproducibility" and site["kind"] == "linear":
        bits += 32 * site["kernel_shape"][-2]
    return bits / 8


COUNT = Function("flops_count", "sites densities convention", slow_flops)
SIZE = Function("flops_size", "sites densities convention", slow_bytes)
FUNCTIONS = [COUNT, SIZE]


def linear(name, n_in, n_out):
    return conv(name, (n_in, n_out), n_out, (n_in,), kind="linear")


def conv(name, kernel_shape, outputs, in_shape, stride=1, padding="valid", kind="conv"):
    return {"name": name, "kind": kind, "kernel_shape": kernel_shape, "outputs": outputs, "in_shape": in_shape,
            "stride": stride, "padding": padding}  # fmt: skip


MLP = (linear("fc1", 784, 300), linear("fc2", 300, 100), linear("fc3", 100, 10))
LENET_5 = (
    conv("conv1", (5, 5, 1, 20), 24 * 24 * 20, (28, 28, 1)),
    conv("conv2", (5, 5, 20, 50), 8 * 8 * 50, (12, 12, 20)),
    linear("fc1", 800, 500),
    linear("fc2", 500, 10),
)
L0 = (linear("fc1", 266, 88), linear("fc2", 88, 33), linear("fc3", 33, 10))

COUNT.case(
    "lenet-300-100-clean",
    "two FLOPs for every multiply-add, and nothing for biases and activations: 532 400",
    MLP, {}, "clean",
    pin="L1", expected={"fc1": 470400.0, "fc2": 60000.0, "fc3": 2000.0},
    source="papers.md (B) 2: 532 400; by hand: 2 x 784 x 300 and so on",
)  # fmt: skip
COUNT.case(
    "lenet-5-clean",
    "a kernel is used at each of its positions, of which a valid convolution has 24 x 24 and 8 x 8",
    LENET_5, {}, "clean",
    pin="L1", expected={"conv1": 576000.0, "conv2": 3200000.0, "fc1": 800000.0, "fc2": 10000.0},
    source="papers.md (B) 2: 576 000, 3 200 000, 800 000, 10 000",
)  # fmt: skip
COUNT.case(
    "density-clean",
    "a density scales its own layer alone, and a layer without one is dense",
    MLP, {"fc1": 0.02, "fc2": 0.118}, "clean",
    pin="L1", expected={"fc1": 9408.0, "fc2": 7080.0, "fc3": 2000.0},
    source="papers.md (B) 11: 4704, 3540 and 1000 connections, twice each",
)  # fmt: skip
COUNT.case(
    "depthwise-clean",
    "an output of a depthwise convolution sees one channel: 9 products, not 9 for each of 4 channels",
    (conv("dw", (3, 3, 4, 1), 5 * 5 * 4, (5, 5, 4), padding="same", kind="depthwise"),), {}, "clean",
    pin="L1", expected={"dw": 1800.0}, source="by hand: 100 outputs, 2 x 9 each",
)  # fmt: skip
COUNT.case(
    "linear-by-rigl",
    "n products have n - 1 additions, and every layer a bias and a ReLU: 2n + 1 for each output, "
    "and density acts on n alone",
    MLP, {"fc1": 0.02}, "rigl",
    pin="papers.md 7", expected={"fc1": 9708.0, "fc2": 60100.0, "fc3": 2010.0},
    source="by hand: 300 x (2 x 15.68 + 1), 100 x 601, 10 x 201",
)  # fmt: skip
COUNT.case(
    "resnet-50-conv1-by-rigl",
    "the padded input of 230 is counted with padding again: 115 x 115 positions, where there are 112 x 112",
    (conv("conv1", (7, 7, 3, 64), 112 * 112 * 64, (224, 224, 3), stride=2, padding=3),), {}, "rigl",
    pin="papers.md 7", expected={"conv1": 249688000.0}, source="papers.md 7: 115 x 115; by hand: x 64 x (2 x 147 + 1)",
)  # fmt: skip
COUNT.case(
    "valid-counted-as-same-by-rigl",
    "every convolution is counted as if it were padded to the size of its input: 28 x 28 positions for 24 x 24",
    LENET_5[:1], {"conv1": 0.5}, "rigl",
    pin="papers.md 7", expected={"conv1": 407680.0}, source="by hand: 28 x 28 x 20 x (2 x 12.5 + 1)",
)  # fmt: skip
COUNT.case(
    "depthwise-by-rigl",
    "a depthwise convolution is counted as one whose kernel (3, 3, c, 1) has c channels in and one out",
    (conv("dw", (3, 3, 4, 1), 5 * 5 * 4, (5, 5, 4), padding="same", kind="depthwise"),), {}, "rigl",
    pin="papers.md 7", expected={"dw": 1825.0}, source="papers.md 7; by hand: 25 outputs, 2 x 36 + 1 each",
)  # fmt: skip
COUNT.case(
    "no-bias-by-the-report",
    "a convolution has no bias, only a ReLU: 2n for each output, the ReLU for the addition that n products save",
    (conv("conv", (3, 3, 16, 32), 8 * 8 * 32, (16, 16, 16), stride=2, padding="same"),), {"conv": 0.5},
    "rigl-reproducibility",
    pin="papers.md 7", expected={"conv": 294912.0}, source="papers.md 7; by hand: 64 x 16 x (2 x 144 - 1 + 1)",
)  # fmt: skip
COUNT.case(
    "linear-by-the-report",
    "the last layer has a bias, and its two axes are read the wrong way round as well: 128 sums of 10 products",
    (linear("fc", 128, 10),), {}, "rigl-reproducibility",
    pin="papers.md 7", expected={"fc": 2688.0}, source="papers.md 7; by hand: 128 x (2 x 10 - 1 + 1 + 1)",
)  # fmt: skip

SIZE.case(
    "dense-clean",
    "4 bytes for every weight, and nothing else",
    LENET_5, {}, "clean",
    pin="L1", expected={"conv1": 2000.0, "conv2": 100000.0, "fc1": 1600000.0, "fc2": 20000.0},
    source="papers.md (B) 1: 430 500 weights; by hand: 4 x 500, 25 000, 400 000, 5 000",
)  # fmt: skip
SIZE.case(
    "sparse-clean",
    "a layer that is not full has a bit for every place besides, a full one has not",
    MLP, {"fc1": 0.02, "fc2": 1.0}, "clean",
    pin="L1", expected={"fc1": 48216.0, "fc2": 120000.0, "fc3": 4000.0},
    source="by hand: 18 816 + 235 200 / 8; 4 x 30 000; 4 x 1 000",
)  # fmt: skip
SIZE.case(
    "l0-by-rigl",
    "biases are stored with every layer: the network 266-88-33 that L0 found has 107 092 bytes",
    L0, {}, "rigl",
    pin="papers.md (B) 10", expected={"fc1": 93984.0, "fc2": 11748.0, "fc3": 1360.0},
    source="papers.md (B) 10: 107 092; by hand: 4 x (23 408 + 88), 4 x (2 904 + 33), 4 x (330 + 10)",
)  # fmt: skip
SIZE.case(
    "sparse-by-rigl",
    "biases stay dense and have no bit in the mask",
    MLP[:1], {"fc1": 0.02}, "rigl",
    pin="papers.md 7", expected={"fc1": 49416.0}, source="by hand: 18 816 + 29 400 + 4 x 300",
)  # fmt: skip
SIZE.case(
    "by-the-report",
    "convolutions have no bias; the last layer has one for each of what is read as its outputs, here 128",
    (conv("conv", (3, 3, 16, 32), 8 * 8 * 32, (16, 16, 16), stride=2, padding="same"), linear("fc", 128, 10)),
    {"conv": 0.25}, "rigl-reproducibility",
    pin="papers.md 7", expected={"conv": 5184.0, "fc": 5632.0},
    source="papers.md 7; by hand: 4 x 1152 + 4608 / 8; 4 x (1280 + 128)",
)  # fmt: skip
