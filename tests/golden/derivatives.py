"""Golden cases of the two functions whose gradients are easiest to get wrong: convolution and cross-entropy.

Images are (N, H, W, C), kernels (kh, kw, C, C_out). Numbers are eighths, so that sums are exact.
"""

import math

import numpy as np

from tests.golden.case import Function
from tests.helpers import slow_conv, slow_ops


def slow_conv2d_vjp(x, kernel, grad, stride, padding):
    """Every product x · kernel that goes into an output, once forward and twice back."""
    kh, kw, c_in, _ = kernel.shape
    (top, _), (left, _) = (slow_conv.sides(n, k, stride, padding) for n, k in zip(x.shape[1:3], (kh, kw), strict=True))
    y, to_x, to_kernel = np.zeros(grad.shape), np.zeros(x.shape), np.zeros(kernel.shape)
    for n, h, w, o in np.ndindex(grad.shape):
        for i, j, c in np.ndindex(kh, kw, c_in):
            row, column = h * stride + i - top, w * stride + j - left
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                y[n, h, w, o] += x[n, row, column, c] * kernel[i, j, c, o]
                to_x[n, row, column, c] += grad[n, h, w, o] * kernel[i, j, c, o]
                to_kernel[i, j, c, o] += grad[n, h, w, o] * x[n, row, column, c]
    assert np.array_equal(y, slow_conv.conv2d(x, kernel, stride, padding))
    return y, to_x, to_kernel


def slow_softmax_cross_entropy_vjp(logits, labels):
    grad, losses = np.zeros(logits.shape), []
    for n, label in enumerate(labels.tolist()):
        z = logits[n].tolist()
        for c, p in enumerate(slow_ops.softmax(z)):
            grad[n, c] = (p - (c == label)) / len(labels)
        losses.append(math.log(math.fsum(math.exp(v - max(z)) for v in z)) + max(z) - z[label])
    return math.fsum(losses) / len(labels), grad


CONV = Function("conv2d_vjp", "x kernel grad stride padding", slow_conv2d_vjp)
ENTROPY = Function("softmax_cross_entropy_vjp", "logits labels", slow_softmax_cross_entropy_vjp)
FUNCTIONS = [CONV, ENTROPY]
ALSO_TORCH = "twin; torch.nn.functional of PyTorch 2.13 gives the same"


def image(*rows):
    """One image with one channel."""
    return np.array(rows, dtype=float)[None, :, :, None]


def kernel(*rows):
    """One channel in, one out."""
    return np.array(rows, dtype=float)[:, :, None, None]


def eighths(shape, start, factor):
    """Eighths from -2 to 2 in an order of no symmetry."""
    n = math.prod(shape)
    return np.array([((start + factor * i) % 33 - 16) / 8 for i in range(n)]).reshape(shape)


CONV.case(
    "not-turned-around",
    "a cross-correlation, as everywhere in deep learning: the kernel is not flipped",
    image([1, 2, 3]), kernel([1, 10]), image([1, 100]), 1, "valid",
    pin="J1", expected=(image([21, 32]), image([1, 110, 1000]), kernel([201, 302])),
    source="by hand: y = (1 + 20, 2 + 30); to x (1, 10 + 100, 1000); to the kernel (1 + 200, 2 + 300)",
)  # fmt: skip
CONV.case(
    "same-with-an-even-kernel",
    "padding \"same\" that needs an odd zero puts it at the end",
    image([1, 2, 3]), kernel([1, 10]), image([1, 100, 1000]), 1, "same",
    pin="J1", expected=(image([21, 32, 3]), image([1, 110, 2000]), kernel([3201, 302])),
    source="by hand: the last window sees (3, 0); to x (1, 10 + 100, 1000 + 1000); to the kernel "
    "(1 + 200 + 3000, 2 + 300 + 0)",
)  # fmt: skip
CONV.case(
    "same-with-a-stride",
    "padding \"same\" is for ceil(n / stride) outputs: 4 entries with kernel 3 and stride 2 need one zero, at the end; "
    "one on either side, as PyTorch's padding=1 has it, would look at other windows",
    image([1, 2, 3, 4]), kernel([1, 10, 100]), image([1, 1000]), 2, "same",
    pin="J1", expected=(image([321, 43]), image([1, 10, 1100, 10000]), kernel([3001, 4002, 3])),
    source="by hand: windows (1, 2, 3) and (3, 4, 0); to x (1, 10, 100 + 1000, 10000)",
)  # fmt: skip
CONV.case(
    "left-over-entries",
    "with stride 2 a last row and column that no window reaches get gradient 0, and the number of outputs is rounded "
    "down",
    eighths((1, 4, 6, 1), 3, 7), kernel([1, -2, 0.5], [3, 0.25, -1]), image([1, 0.5], [-2, 4]), 2, "valid",
    pin="J1", source=ALSO_TORCH,
)  # fmt: skip
CONV.case(
    "zeros-on-every-side",
    "padding 1 adds a zero on each of the four sides; what falls on a zero goes back to no one",
    image([1, 2], [3, 4]), kernel([1, 0, 0], [0, 10, 0], [0, 0, 100]), image([1, 2], [3, 4]), 1, 1,
    pin="J1", expected=(image([410, 20], [30, 41]), image([14, 20], [30, 140]),
                        kernel([4, 11, 6], [14, 30, 14], [6, 11, 4])),
    source="by hand: y = (10 + 400, 20; 30, 40 + 1); kernel entry (i, j) gets Σ g(h, w) x(h + i - 1, w + j - 1): 4 × 1 "
    "in the corner, 3 × 1 + 4 × 2 = 11 beside it, 1 + 4 + 9 + 16 = 30 in the middle",
)  # fmt: skip
CONV.case(
    "batch-is-a-sum",
    "the kernel's gradient is the sum over the images, not their mean: the loss has the mean already",
    np.array([1.0, 2, 4]).reshape(3, 1, 1, 1), kernel([3]), np.array([1.0, 10, 100]).reshape(3, 1, 1, 1), 1, "valid",
    pin="J1", expected=(np.array([3.0, 6, 12]).reshape(3, 1, 1, 1), np.array([3.0, 30, 300]).reshape(3, 1, 1, 1),
                        kernel([421])),
    source="by hand: 1 + 20 + 400",
)  # fmt: skip
CONV.case(
    "channels-last",
    "images are (N, H, W, C) and kernels (kh, kw, C_in, C_out): a 1 × 1 kernel is a matrix from channels to channels",
    np.array([1.0, 2]).reshape(1, 1, 1, 2), np.array([[1.0, 2, 3], [10, 20, 30]]).reshape(1, 1, 2, 3),
    np.array([1.0, 10, 100]).reshape(1, 1, 1, 3), 1, "valid",
    pin="J1", expected=(np.array([21.0, 42, 63]).reshape(1, 1, 1, 3), np.array([321.0, 3210]).reshape(1, 1, 1, 2),
                        np.array([[1.0, 10, 100], [2, 20, 200]]).reshape(1, 1, 2, 3)),
    source="by hand: y = (1 + 20, 2 + 40, 3 + 60); to x (1 + 20 + 300, ten times it); to the kernel x gᵀ",
)  # fmt: skip
CONV.case(
    "rectangular-kernel",
    "a kernel of 3 × 1 on an image of 4 × 3 with two channels: height first",
    eighths((1, 4, 3, 2), 5, 11), eighths((3, 1, 2, 2), 1, 5), eighths((1, 2, 3, 2), 2, 13), 1, "valid",
    pin="J1", source=ALSO_TORCH,
)  # fmt: skip
CONV.case(
    "stride-two-same-images",
    "everything at once: two images of 5 × 4 with two channels, padding \"same\", which is even above and odd beside",
    eighths((2, 5, 4, 2), 4, 19), eighths((3, 3, 2, 3), 6, 7), eighths((2, 3, 2, 3), 1, 11), 2, "same",
    pin="J1", source=ALSO_TORCH,
)  # fmt: skip
CONV.case(
    "stride-wider-than-the-kernel",
    "with stride 3 and kernel 2 entries between the windows get gradient 0",
    image([1, 2, 3, 4, 5]), kernel([1, 10]), image([1, 2]), 3, "valid",
    pin="J1", expected=(image([21, 54]), image([1, 10, 0, 2, 20]), kernel([9, 12])),
    source="by hand: windows (1, 2) and (4, 5); to the kernel (1 + 8, 2 + 10)",
)  # fmt: skip

ENTROPY.case(
    "even-chances",
    "equal logits: the loss is log 2 and not 1, for the logarithm is natural; the gradient is p - 1 at the label",
    np.array([[3.0, 3]]), np.array([1]),
    pin="J1", expected=(math.log(2), np.array([[0.5, -0.5]])), source="by hand: p = 1/2 each",
)  # fmt: skip
ENTROPY.case(
    "mean-over-the-batch",
    "loss and gradient are those of the mean over the examples, not of the sum",
    np.log([[1.0, 3], [4, 1], [1, 1], [1, 7]]), np.array([0, 0, 1, 1]),
    pin="R12", source="by hand: p of the label is 1/4, 4/5, 1/2 and 7/8",
    expected=(math.log(4 * 5 / 4 * 2 * 8 / 7) / 4,
              np.array([[-0.75, 0.75], [-0.2, 0.2], [0.5, -0.5], [0.125, -0.125]]) / 4),
)  # fmt: skip
ENTROPY.case(
    "three-classes",
    "the label says which class, counted from 0",
    np.log([[2.0, 3, 5], [2, 3, 5]]), np.array([2, 0]),
    pin="J1", source="by hand: p = 0.2, 0.3 and 0.5, and (log 2 + log 5) / 2",
    expected=(math.log(10) / 2, np.array([[0.1, 0.15, -0.25], [-0.4, 0.15, 0.25]])),
)  # fmt: skip
ENTROPY.case(
    "a-shift-changes-nothing",
    "the same amount added to all logits of an example changes neither loss nor gradient, and is large here: 50 and "
    "-60",
    np.array([[50.0, 51, 52], [-60, -58, -59]]), np.array([0, 1]),
    pin="J1", source=ALSO_TORCH,
)  # fmt: skip
ENTROPY.case(
    "sure-and-wrong",
    "40 below the other: the loss is the distance, not the logarithm of a probability that was clipped",
    np.array([[0.0, 40]]), np.array([0]),
    pin="J1", expected=(40.0, np.array([[-1.0, 1]])), source="by hand: log(1 + e^40) = 40 to 17 digits",
)  # fmt: skip
ENTROPY.case(
    "sure-and-right",
    "5 above each of the others, and right: loss and gradient are small, and yet not zero",
    np.array([[5.0, 0, 0, 0]]), np.array([0]),
    pin="J1", source=ALSO_TORCH,
)  # fmt: skip
ENTROPY.case(
    "logits-of-a-thousand",
    "e^1000 is no number: the maximum of each example is taken off first",
    np.array([[1000.0, 1000], [-1000, 0]]), np.array([0, 0]),
    pin="J1", expected=((math.log(2) + 1000) / 2, np.array([[-0.25, 0.25], [-0.5, 0.5]])),
    source="by hand: log 2 and 1000", optional=True,
)  # fmt: skip
