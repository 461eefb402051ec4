"""Convolution, pooling and batch norm beyond the table of test_ops: conventions, refusals, sizes, PyTorch."""

from itertools import product

import numpy as np
import pytest
import slow_conv as slow
from arrays import back, give
from effort import examples, some
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from minisparse import conv, nn, ops
from minisparse.autograd import Tensor, backward, value_and_grad
from minisparse.nn.normalize import batch_norm


def grads(f, **params):
    return value_and_grad(lambda p: f(**p), params)[1]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def pulled(f, weights, *arrays):
    """f's value at the arrays, and the gradients of sum(value · weights)."""
    named = {str(i): array for i, array in enumerate(arrays)}
    loss_fn = lambda p: ops.sum(f(*p.values()) * weights)
    return f(*arrays).value, *value_and_grad(loss_fn, named)[1].values()


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
        (lambda x, k: conv.conv2d(x, k, 1, "valid", 1, k[0, 0, 0, :1]), r"bias has shape \(1,\); expected \(4,\)"),
        (lambda x, k: conv.conv2d(x, k, padding="full"), "padding is 'full'; expected 'valid', 'same'"),
        (lambda x, k: conv.conv2d(x, k, padding=-1), "padding is -1"),
        (lambda x, k: conv.conv2d(x, k, stride=0), "stride is 0"),
        (lambda x, k: conv.conv2d(x[:, :2], k), "a window of 3 does not fit into 2 pixels with padding 'valid'"),
        (lambda x, k: conv.depthwise_conv2d(x, k[:, :, :1]), r"expected \(N, H, W, C\) and \(kh, kw, C, M\)"),
        (lambda x, k: conv.max_pool2d(x, 6), "size is 6"),
        (lambda x, k: conv.max_pool2d(x, 2, padding=2), "padding is 2, size is 2; expected padding below size"),
        (lambda x, k: nn.MaxPool2d(2, padding=2), "padding is 2, size is 2; expected padding below size"),
        (lambda x, k: nn.Conv2d(4, 3, 3, groups=2), "groups is 2, c_in 4, c_out 3; expected groups that divide"),
        (lambda x, k: conv.avg_pool2d(x, 2, stride=0), "stride is 0"),
        (lambda x, k: conv.global_avg_pool(x[0]), r"expected \(N, H, W, C\)"),
    ],
)
def test_what_does_not_fit_is_refused(xp, call, message):
    with pytest.raises(ValueError, match=message):
        call(give(xp, np.ones((1, 5, 5, 2))), give(xp, np.ones((3, 3, 2, 4))))


def test_the_padding_of_a_maximum_never_wins(xp):
    x = give(xp, -1 - np.arange(9.0).reshape(1, 3, 3, 1))
    for padding in (1, "same"):
        y = back(conv.max_pool2d(x, 3, 2, padding).value)[0, :, :, 0]
        assert y.tolist() == [[-1, -2], [-4, -5]]
    y = back(conv.max_pool2d(x, 2, 2, "same").value)[0, :, :, 0]
    assert y.tolist() == [[-1, -3], [-7, -9]]


@settings(max_examples=examples(50))
@given(data=st.data())
def test_a_maximum_is_a_pixel_and_every_window_that_it_wins_pays_it(xp, data):
    size = data.draw(st.integers(1, 4))
    stride, padding = data.draw(st.integers(1, 4)), data.draw(st.sampled_from(["same", *range(size // 2 + 1)]))
    x = normal(2, *(data.draw(st.integers(size, 9)) for _ in "hw"), 3) - 10
    pool = lambda x: conv.max_pool2d(x, size, stride, padding)
    y = back(pool(give(xp, x)).value)
    wins = {value: int((y == value).sum()) for value in x.ravel()}
    assert sum(wins.values()) == y.size
    g = back(grads(lambda x: ops.sum(pool(x)), x=give(xp, x))["x"])
    assert g.ravel().tolist() == [wins[value] for value in x.ravel()]


@pytest.mark.parametrize("padding", [1, "same"])
def test_ties_in_padded_windows_go_to_the_first_pixel(xp, padding):
    x = give(xp, np.full((1, 3, 3, 1), -2.0))
    g = back(grads(lambda x: ops.sum(conv.max_pool2d(x, 3, 2, padding)), x=x)["x"])
    assert g[0, :, :, 0].tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_a_constant_channel_normalises_to_the_shift_with_finite_gradients(xp):
    x, weights = normal(4, 3, 2, 3), normal(4, 3, 2, 3, seed=1)
    x[..., 1] = 2.5
    arrays = [give(xp, np.array(a)) for a in (x, [2.0, 3.0, -1.0], [0.5, -7.0, 1.0])]
    values, *gradients = pulled(lambda *arrays: batch_norm(*arrays, 1e-5), give(xp, weights), *arrays)
    assert (back(values)[..., 1] == -7).all()
    assert all(np.isfinite(back(g)).all() for g in gradients)
    to_x, to_scale, to_shift = (back(g)[..., 1] for g in gradients)
    push = weights[..., 1]
    np.testing.assert_allclose(to_x, 3 / np.sqrt(1e-5) * (push - push.mean()), rtol=1e-9)  # only the mean moves along
    assert to_scale == 0
    assert to_shift == pytest.approx(push.sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)])
def test_a_channels_only_value_becomes_the_shift(xp, shape):
    scale, shift = np.array([4.0, 5.0, 6.0]), np.array([1.0, -2.0, 3.0])
    y = batch_norm(give(xp, normal(*shape)), give(xp, scale), give(xp, shift), 1e-5)
    np.testing.assert_array_equal(back(y.value), np.broadcast_to(shift, shape))


def test_a_normalised_channel_has_mean_shift_and_deviation_scale(xp):
    x, scale, shift = 5 + 3 * normal(6, 7, 5, 4), np.array([1.0, 2, 0.5, -3]), np.array([0.0, -1, 2, 3])
    y = back(batch_norm(give(xp, x), give(xp, scale), give(xp, shift), 1e-12).value)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), shift, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), abs(scale), rtol=1e-9)


def test_a_large_mean_does_not_swallow_the_deviations_of_single_precision(xp):
    x, ones, zeros = (a.astype(np.float32) for a in (1000 + normal(8, 5, 5, 3), np.ones(3), np.zeros(3)))
    y = batch_norm(give(xp, x), give(xp, ones), give(xp, zeros), 1e-5)
    np.testing.assert_allclose(back(y.value), slow.batch_norm(x, ones, zeros, 1e-5), atol=1e-3)


VIEWS = {
    "turned": lambda x: x.swapaxes(1, 2),
    "every other": lambda x: x[::2, 1:, ::2],
    "mirrored": lambda x: x[:, ::-1, ::-1],
    "channels of more": lambda x: x[..., 1::2],
    "channels first": lambda x: x.transpose(0, 2, 3, 1),
}
OPERATIONS = {  # name: (operation, the shapes of its own arrays for images of c channels)
    "conv2d": (lambda x, k: conv.conv2d(x, k, 2, 1), lambda c: [(3, 2, c, 5)]),
    "conv2d unpadded": (lambda x, k: conv.conv2d(x, k), lambda c: [(2, 3, c, 5)]),
    "conv2d of size 1": (lambda x, k: conv.conv2d(x, k), lambda c: [(1, 1, c, 5)]),
    "depthwise_conv2d": (lambda x, k: conv.depthwise_conv2d(x, k, 1, "same"), lambda c: [(3, 2, c, 2)]),
    "max_pool2d": (lambda x: conv.max_pool2d(x, 3, 2, 1), lambda c: []),
    "max_pool2d of size 1": (lambda x: conv.max_pool2d(x, 1), lambda c: []),
    "avg_pool2d": (lambda x: conv.avg_pool2d(x, 3, 2), lambda c: []),
    "batch_norm": (lambda x, scale, shift: batch_norm(x, scale, shift, 1e-3), lambda c: [(c,), (c,)]),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_images_may_be_read_only_views_of_others(xp, name, view):
    f, shapes = OPERATIONS[name]
    seen = VIEWS[view](give(xp, normal(6, 6, 7, 8)))
    arrays = [give(xp, normal(*shape)) for shape in shapes(seen.shape[3])]
    plain = give(xp, np.ascontiguousarray(back(seen)))
    weights = give(xp, normal(*f(plain, *arrays).shape))
    for got, want in zip(pulled(f, weights, seen, *arrays), pulled(f, weights, plain, *arrays), strict=True):
        np.testing.assert_allclose(back(got), back(want), rtol=1e-12, atol=1e-12)


def test_kernels_may_be_views_too(xp):
    x, base = give(xp, normal(2, 6, 7, 4)), give(xp, normal(6, 6, 4, 4))
    for view in (base[::2, ::-3], base[:3, :2].transpose(1, 0, 3, 2), base[1:2, 1:2].swapaxes(2, 3)):
        for f in (conv.conv2d, conv.depthwise_conv2d):
            weights = give(xp, normal(*f(x, view).shape))
            plain = give(xp, np.ascontiguousarray(back(view)))
            for got, want in zip(pulled(f, weights, x, view), pulled(f, weights, x, plain), strict=True):
                np.testing.assert_allclose(back(got), back(want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_may_arrive_turned_or_as_one_stretched_number(xp, name):
    f, shapes = OPERATIONS[name]
    arrays = [give(xp, normal(*shape)) for shape in [(3, 6, 7, 4), *shapes(4)]]
    weights = normal(*f(*arrays).shape)
    turned = lambda *arrays: ops.transpose(f(*arrays), (3, 1, 0, 2))
    ways = pulled(turned, give(xp, weights.transpose(3, 1, 0, 2)), *arrays), pulled(f, give(xp, weights), *arrays)
    params = {str(i): array for i, array in enumerate(arrays)}
    stretched = value_and_grad(lambda p: ops.sum(f(*p.values())), params)[1].values()
    ones = pulled(f, give(xp, np.ones(weights.shape)), *arrays)
    for got, want in [*zip(ways[0][1:], ways[1][1:], strict=True), *zip(stretched, ones[1:], strict=True)]:
        np.testing.assert_allclose(back(got), back(want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
def test_going_back_twice_gives_the_same_gradients(xp, name):
    f, shapes = OPERATIONS[name]
    leaves = [Tensor(give(xp, normal(*shape))) for shape in [(3, 6, 7, 4), *shapes(4)]]
    y = f(*leaves)
    end = ops.sum(y * give(xp, normal(*y.shape)))
    once, again = backward(end), backward(end)
    for leaf in leaves:
        assert back(once[leaf.line]).tobytes() == back(again[leaf.line]).tobytes()


def spread(kernel, groups):
    """The kernel of one group that computes the same: each output has zeros for the channels that it does not see."""
    kh, kw, c_group, c_out = kernel.shape
    whole = np.zeros((kh, kw, c_group * groups, c_out))
    for o in range(c_out):
        first = o // (c_out // groups) * c_group
        whole[:, :, first : first + c_group, o] = kernel[..., o]
    return whole


def gathered(whole, groups):
    """`spread`, back again."""
    c_group, per_group = whole.shape[2] // groups, whole.shape[3] // groups
    own = [whole[:, :, o // per_group * c_group :][:, :, :c_group, o] for o in range(whole.shape[3])]
    return np.stack(own, axis=-1)


def by_taps(x, kernel, weights, stride, padding, groups):
    """The convolution and the two gradients of sum(convolution · weights), each a sum over windows or their entries."""
    whole, (kh, kw) = spread(kernel, groups), kernel.shape[:2]
    padded = slow.padded(x, kh, kw, stride, padding)
    windows = sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::stride, ::stride]
    y = np.einsum("nhwcij,ijco->nhwo", windows, whole, optimize=True)
    to_kernel = np.einsum("nhwcij,nhwo->ijco", windows, weights, optimize=True)
    to_padded = np.zeros(padded.shape)
    for i, j in np.ndindex(kh, kw):
        rows, columns = (slice(k, k + stride * (n - 1) + 1, stride) for k, n in zip((i, j), y.shape[1:3], strict=True))
        to_padded[:, rows, columns] += weights @ whole[i, j].T
    (top, _), (left, _) = (slow.sides(n, k, stride, padding) for n, k in zip(x.shape[1:3], (kh, kw), strict=True))
    to_x = to_padded[:, top : top + x.shape[1], left : left + x.shape[2]]
    return y, to_x, gathered(to_kernel, groups)


LARGE = {
    "37 images, 3x3": ((37, 17, 19, 5), (3, 3, 5, 7), 1, "valid", 1),
    "37 images, 5x5": ((37, 17, 19, 5), (5, 5, 5, 7), 2, "same", 1),
    "131 digits": ((131, 28, 28, 1), (5, 5, 1, 20), 1, "valid", 1),
    "131 digits, padded": ((131, 28, 28, 1), (5, 5, 1, 6), 1, 2, 1),
    "61 maps of 20 channels": ((61, 12, 12, 20), (5, 5, 20, 50), 1, "valid", 1),
    "one wide image": ((1, 151, 230, 3), (3, 3, 3, 4), 2, 1, 1),
    "1009 small images": ((1009, 5, 5, 2), (3, 2, 2, 3), 1, "same", 1),
    "groups": ((37, 17, 19, 6), (3, 3, 2, 9), 1, 1, 3),
    "1x1": ((71, 9, 11, 13), (1, 1, 13, 8), 2, "valid", 1),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_convolutions_and_their_gradients_are_sums_over_taps(xp, name):
    images, kernels, stride, padding, groups = LARGE[name]
    x, kernel = normal(*images), normal(*kernels)
    f = lambda x, kernel: conv.conv2d(x, kernel, stride, padding, groups)
    weights = normal(*f(give(xp, x), give(xp, kernel)).shape)
    want = by_taps(x, kernel, weights, stride, padding, groups)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        x_given, kernel_given, weights_given = (give(xp, a.astype(dtype)) for a in (x, kernel, weights))
        for a, b in zip(pulled(f, weights_given, x_given, kernel_given), want, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(back(a), b, rtol=0, atol=tolerance * abs(b).max())


@pytest.mark.parametrize(
    ("images", "size", "stride", "padding", "multiplier"),
    [
        ((37, 17, 19, 5), 3, 1, "same", 1),
        ((37, 17, 19, 5), 5, 2, 2, 2),
        ((131, 28, 28, 1), 5, 1, "valid", 3),
        ((1, 151, 230, 3), 3, 2, "same", 1),
    ],
)
def test_large_depthwise_convolutions_and_their_gradients_are_sums_over_taps(
    xp, images, size, stride, padding, multiplier
):
    c = images[3]
    x, kernel = normal(*images), normal(size, size, c, multiplier)
    f = lambda x, kernel: conv.depthwise_conv2d(x, kernel, stride, padding)
    weights = normal(*f(give(xp, x), give(xp, kernel)).shape)
    y, to_x, to_kernel = by_taps(x, kernel.reshape(size, size, 1, c * multiplier), weights, stride, padding, groups=c)
    want = y, to_x, to_kernel.reshape(kernel.shape)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        x_given, kernel_given, weights_given = (give(xp, a.astype(dtype)) for a in (x, kernel, weights))
        for a, b in zip(pulled(f, weights_given, x_given, kernel_given), want, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(back(a), b, rtol=0, atol=tolerance * abs(b).max())


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, "valid"), (3, 2, "same"), (3, 2, 1), (2, 1, 0)])
@pytest.mark.parametrize("images", [(37, 17, 19, 5), (131, 28, 28, 1), (1, 151, 230, 3)])
def test_large_maxima_are_maxima_over_windows_and_pay_back_to_where_they_were(xp, images, size, stride, padding):
    x = normal(*images) - 10
    border = [(0, 0), *(slow.sides(n, size, stride, padding) for n in images[1:3]), (0, 0)]

    def windows(image, outside):
        framed = np.pad(image, border, constant_values=outside)
        seen = sliding_window_view(framed, (size, size), axis=(1, 2))[:, ::stride, ::stride]
        return seen.reshape(*seen.shape[:4], size * size)

    values, places = windows(x, -1e9), windows(np.arange(x.size).reshape(x.shape), -1)
    weights = normal(*values.shape[:4])
    winners = np.take_along_axis(places, values.argmax(axis=-1)[..., None], axis=-1)
    to_x = np.bincount(winners.ravel(), weights.ravel(), minlength=x.size).reshape(x.shape)
    f = lambda x: conv.max_pool2d(x, size, stride, padding)
    y, got = pulled(f, give(xp, weights), give(xp, x))
    np.testing.assert_array_equal(back(y), values.max(axis=-1))
    np.testing.assert_allclose(back(got), to_x, rtol=1e-12, atol=1e-12)


def leaf(array, order=(0, 3, 1, 2)):
    """An array as PyTorch has it: images (N, C, H, W), kernels (C_out, C_in, kh, kw)."""
    torch = pytest.importorskip("torch")
    return torch.tensor(array.transpose(order).copy(), requires_grad=True)


def ours(image):
    """An image of PyTorch's, or its gradient, as (N, H, W, C)."""
    return image.detach().numpy().transpose(0, 2, 3, 1)


def agree(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def torch_conv2d(x, kernel, weights, stride, sides, groups=1):
    """conv2d behind explicit zeros on every side, and the gradients for x and kernel, in our layout."""
    torch = pytest.importorskip("torch")
    tx, tk = leaf(x), leaf(kernel, (3, 2, 0, 1))
    (top, bottom), (left, right) = sides
    padded = torch.nn.functional.pad(tx, (left, right, top, bottom))
    y = torch.nn.functional.conv2d(padded, tk, stride=stride, groups=groups)
    (y * leaf(weights)).sum().backward()
    return ours(y), ours(tx.grad), tk.grad.numpy().transpose(2, 3, 1, 0)


CASES = list(product(range(1, 6), range(1, 4), range(3)))


@pytest.mark.parametrize(("size", "stride", "padding"), some(CASES, every=2))
@pytest.mark.parametrize(
    ("n", "c_in", "c_out", "groups"), [(3, 3, 5, 1), (1, 7, 5, 1), (1, 13, 3, 1), (2, 6, 10, 2), (1, 9, 6, 3)]
)
def test_convolution_and_its_gradients_agree_with_torch(size, stride, padding, n, c_in, c_out, groups):
    x, kernel = normal(n, 7, 9, c_in), normal(size, max(1, size - 1), c_in // groups, c_out)
    f = lambda x, kernel: conv.conv2d(x, kernel, stride, padding, groups)
    weights = normal(*f(x, kernel).shape)
    agree(pulled(f, weights, x, kernel), torch_conv2d(x, kernel, weights, stride, [(padding, padding)] * 2, groups))


@pytest.mark.parametrize(("h", "w"), [(5, 8), (9, 7), (6, 11)])
@pytest.mark.parametrize(("size", "stride"), list(product(range(1, 6), range(1, 4))))
def test_same_padding_agrees_with_torch_behind_explicit_zeros(size, stride, h, w):
    x, kernel = normal(2, h, w, 3), normal(size, max(1, size - 1), 3, 4)
    sides = []
    for n, k in zip((h, w), kernel.shape[:2], strict=True):
        zeros = max(0, (-(-n // stride) - 1) * stride + k - n)  # what the last of ceil(n / stride) windows lacks
        sides.append((zeros // 2, zeros - zeros // 2))
    f = lambda x, kernel: conv.conv2d(x, kernel, stride, "same")
    weights = normal(*f(x, kernel).shape)
    assert weights.shape == (2, -(-h // stride), -(-w // stride), 4)
    agree(pulled(f, weights, x, kernel), torch_conv2d(x, kernel, weights, stride, sides))


@pytest.mark.parametrize(("size", "stride", "padding"), some(CASES, every=2))
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_convolution_agrees_with_torchs_groups_of_one_channel(size, stride, padding, multiplier):
    c = 5
    x, kernel = normal(2, 7, 9, c), normal(size, max(1, size - 1), c, multiplier)
    f = lambda x, kernel: conv.depthwise_conv2d(x, kernel, stride, padding)
    weights = normal(*f(x, kernel).shape)
    grouped = kernel.reshape(*kernel.shape[:2], 1, c * multiplier)
    y, to_x, to_kernel = torch_conv2d(x, grouped, weights, stride, [(padding, padding)] * 2, groups=c)
    agree(pulled(f, weights, x, kernel), (y, to_x, to_kernel.reshape(kernel.shape)))


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(k, s, p) for k, s in product(range(1, 6), range(1, 4)) for p in range(k // 2 + 1)]
)
@pytest.mark.parametrize("sign", [1, -1], ids=["around zero", "negative"])
def test_max_pooling_and_its_gradient_agree_with_torch_ties_included(sign, size, stride, padding):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng([size, stride]).integers(-2, 3, (2, 7, 9, 3)).astype(float)
    x -= 5 if sign < 0 else 0
    f = lambda x: conv.max_pool2d(x, size, stride, padding)
    weights, tx = normal(*f(x).shape), leaf(x)
    y = torch.nn.functional.max_pool2d(tx, size, stride, padding)
    (y * leaf(weights)).sum().backward()
    agree(pulled(f, weights, x), (ours(y), ours(tx.grad)))


@pytest.mark.parametrize(("size", "stride"), list(product(range(1, 5), range(1, 4))))
def test_average_pooling_and_its_gradient_agree_with_torch(size, stride):
    torch = pytest.importorskip("torch")
    x = normal(2, 7, 9, 3)
    f = lambda x: conv.avg_pool2d(x, size, stride)
    weights, tx = normal(*f(x).shape), leaf(x)
    y = torch.nn.functional.avg_pool2d(tx, size, stride)
    (y * leaf(weights)).sum().backward()
    agree(pulled(f, weights, x), (ours(y), ours(tx.grad)))


@pytest.mark.parametrize("shape", [(8, 5), (2, 1), (3, 7, 9, 4), (1, 5, 3, 6), (5, 3, 3, 1), (37, 17, 19, 5)])
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_batch_norm_and_its_three_gradients_agree_with_torch(shape, eps):
    torch = pytest.importorskip("torch")
    x, scale, shift = 2 + 3 * normal(*shape), normal(shape[-1]), normal(shape[-1], seed=1)
    weights = normal(*shape, seed=2)
    order, there = ((0, 3, 1, 2), (0, 2, 3, 1)) if len(shape) == 4 else ((0, 1), (0, 1))
    tx, ts, th = leaf(x, order), leaf(scale, (0,)), leaf(shift, (0,))
    y = torch.nn.functional.batch_norm(tx, None, None, ts, th, training=True, eps=eps)
    (y * leaf(weights, order)).sum().backward()
    want = [t.detach().numpy() for t in (y, tx.grad, ts.grad, th.grad)]
    want[:2] = [t.transpose(there) for t in want[:2]]
    agree(pulled(lambda *arrays: batch_norm(*arrays, eps), weights, x, scale, shift), want)
