"""Functions for gradient checks: a result, and the vector-Jacobian product of its gradient."""

from ..autograd import Tensor, value_and_grad
from ..backend import Array
from ..conv import conv2d
from ..ops import softmax_cross_entropy
from ..ops import sum as total
from ..windows import Padding


def conv2d_vjp(x: Array, kernel: Array, grad: Array, stride: int, padding: Padding) -> tuple[Array, Array, Array]:
    """(y, grad_x, grad_kernel) for y = conv.conv2d(x, kernel, stride, padding), with `grad` the gradient of y."""

    def along(params: dict[str, Tensor]) -> Tensor:
        return total(conv2d(params["x"], params["kernel"], stride=stride, padding=padding) * grad)

    grads = value_and_grad(along, {"x": x, "kernel": kernel})[1]
    return conv2d(x, kernel, stride=stride, padding=padding).value, grads["x"], grads["kernel"]


def softmax_cross_entropy_vjp(logits: Array, labels: Array) -> tuple[float, Array]:
    """(loss, gradient of the loss with respect to the logits) of ops.softmax_cross_entropy."""
    loss, grads = value_and_grad(lambda params: softmax_cross_entropy(params["logits"], labels), {"logits": logits})
    return float(loss), grads["logits"]
