"""Convolution and pooling beyond the table of test_ops: conventions, refusals, PyTorch."""

from itertools import product

import numpy as np
import pytest
import slow_conv as slow
from arrays import back, give

from minisparse import conv, ops
from minisparse.autograd import Tensor, value_and_grad


def grads(f, **params):
    return value_and_grad(lambda p: f(**p), params)[1]


def test_same_padding_gives_ceil_of_n_over_stride_and_puts_the_odd_zero_at_the_end(xp):
    x, kernel = give(xp, np.ones((1, 4, 5, 1))), give(xp, np.ones((2, 2, 1, 1)))
    y = back(conv.conv2d(x, kernel, padding="same").value)[0, :, :, 0]
    assert y.shape == (4, 5)
    assert y[0].tolist() == [4, 4, 4, 4, 2]
    assert y[-1].tolist() == [2, 2, 2, 2, 1]
    assert conv.conv2d(x, kernel, stride=3, padding="same").shape == (1, 2, 2, 1)


def test_groups_see_their_own_channels_only(xp):
    x = give(xp, np.arange(4.0).reshape(1, 1, 1, 4))
    kernel = give(xp, np.ones((1, 1, 2, 2)))
    assert back(conv.conv2d(x, kernel, groups=2).value).ravel().tolist() == [1, 5]


def test_ties_in_max_pooling_go_to_the_first_entry_of_the_window(xp):
    x = give(xp, np.zeros((1, 2, 4, 1)))
    g = back(grads(lambda x: ops.sum(conv.max_pool2d(x, 2)), x=x)["x"])
    assert g[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_overlapping_windows_add_up_their_gradients(xp):
    x = give(xp, np.array([[1.0, 9, 2], [3, 4, 5]])[None, :, :, None])
    g = back(grads(lambda x: ops.sum(conv.max_pool2d(x, 2, stride=1)), x=x)["x"])
    assert g[0, :, :, 0].tolist() == [[0, 2, 0], [0, 0, 0]]


def test_global_average_is_the_mean_over_pixels(xp):
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
    y = conv.global_avg_pool(give(xp, x))
    assert isinstance(y, Tensor)
    np.testing.assert_allclose(back(y.value), x.mean(axis=(1, 2)))


def test_the_images_gradient_is_not_computed_for_constant_images(monkeypatch):
    x, kernel = np.ones((1, 3, 3, 1)), Tensor(np.ones((2, 2, 1, 1)))
    assert conv.conv2d(x, kernel).parents == (kernel,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, k: conv.conv2d(x, k[..., :1, :]), r"x has shape \(1, 5, 5, 2\), kernel \(3, 3, 1, 4\), groups 1"),
        (lambda x, k: conv.conv2d(x, k, groups=3), "groups 3"),
        (lambda x, k: conv.conv2d(x[0], k), r"x has shape \(5, 5, 2\)"),
        (lambda x, k: conv.conv2d(x, k[0]), r"kernel has shape \(3, 2, 4\)"),
        (lambda x, k: conv.conv2d(x, k, padding="full"), "padding is 'full'; accepted are 'valid', 'same'"),
        (lambda x, k: conv.conv2d(x, k, padding=-1), "padding is -1"),
        (lambda x, k: conv.conv2d(x, k, stride=0), "stride is 0"),
        (lambda x, k: conv.conv2d(x[:, :2], k), "a window of 3 does not fit into 2 pixels with padding 'valid'"),
        (lambda x, k: conv.depthwise_conv2d(x, k[:, :, :1]), r"accepted are \(N, H, W, C\) and \(kh, kw, C, M\)"),
        (lambda x, k: conv.max_pool2d(x, 6), "size is 6"),
        (lambda x, k: conv.avg_pool2d(x, 2, stride=0), "stride is 0"),
        (lambda x, k: conv.global_avg_pool(x[0]), r"accepted is \(N, H, W, C\)"),
    ],
)
def test_what_does_not_fit_is_refused(xp, call, message):
    with pytest.raises(ValueError, match=message):
        call(give(xp, np.ones((1, 5, 5, 2))), give(xp, np.ones((3, 3, 2, 4))))


CASES = list(product(range(1, 6), range(1, 4), range(3)))


@pytest.mark.parametrize(("size", "stride", "padding"), CASES)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_and_its_gradients_agree_with_torch(size, stride, padding, groups):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([size, stride, padding, groups])
    n = 1 if stride == 2 else 3
    x, kernel = rng.standard_normal((n, 7, 9, 3 * groups)), rng.standard_normal((size, max(1, size - 1), 3, 5 * groups))
    weights = rng.standard_normal(slow.conv2d(x, kernel, stride, padding, groups).shape)
    ours = grads(lambda x, k: ops.sum(conv.conv2d(x, k, stride, padding, groups) * weights), x=x, k=kernel)

    tx = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    tk = torch.tensor(kernel.transpose(3, 2, 0, 1).copy(), requires_grad=True)
    y = torch.nn.functional.conv2d(tx, tk, stride=stride, padding=padding, groups=groups)
    (y * torch.tensor(weights.transpose(0, 3, 1, 2).copy())).sum().backward()
    mine = conv.conv2d(x, kernel, stride, padding, groups).value
    np.testing.assert_allclose(mine, y.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours["x"], tx.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours["k"], tk.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("size", "stride"), list(product(range(1, 5), range(1, 4))))
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_and_its_gradient_agree_with_torch_ties_included(kind, size, stride):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng([size, stride]).integers(-2, 3, (2, 7, 9, 3)).astype(float)
    weights = np.random.default_rng(1).standard_normal(slow.max_pool2d(x, size, stride).shape)
    ours = grads(lambda x: ops.sum(getattr(conv, f"{kind}_pool2d")(x, size, stride) * weights), x=x)["x"]
    tx = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    y = getattr(torch.nn.functional, f"{kind}_pool2d")(tx, size, stride)
    (y * torch.tensor(weights.transpose(0, 3, 1, 2).copy())).sum().backward()
    np.testing.assert_allclose(ours, tx.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-9)
