import numpy as np
import pytest

from minisparse.checks import masks_fit, same_keys, same_shapes, whole


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_any_library_come_back_as_int(value):
    assert type(whole("k", value, 0)) is int
    assert whole("k", value, 3, 3) == 3


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float64(2), "2", None])
def test_what_is_not_a_whole_number_is_a_type_error_that_says_what_was_expected(value):
    with pytest.raises(TypeError, match=r"^k is .+; expected a whole number from 0 to 5$"):
        whole("k", value, 0, 5)


@pytest.mark.parametrize(
    ("value", "high", "expected"), [(0, None, "from 1$"), (-2, 4, "from 1 to 4$"), (5, 4, "to 4$")]
)
def test_a_whole_number_out_of_range_is_a_value_error_that_names_the_range(value, high, expected):
    with pytest.raises(ValueError, match=rf"^period is {value}; expected a whole number .*{expected}"):
        whole("period", value, 1, high)


def test_keys_that_differ_are_named_with_the_side_they_are_on():
    same_keys(params={"a": 1, "b": 2}, grads={"b": 3, "a": 4})
    with pytest.raises(ValueError, match=r"params and grads .* same keys; 'b' is only in params, 'c' is only in grads"):
        same_keys(params={"a": 1, "b": 2}, grads={"a": 1, "c": 2})


def test_shapes_that_differ_are_named_with_both_shapes(xp):
    same_shapes(weight=xp.zeros((2, 3)), mask=xp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"mask has shape \(3, 2\), weight has \(2, 3\)"):
        same_shapes(weight=xp.zeros((2, 3)), mask=xp.ones((3, 2)), other=xp.ones(1))


def test_a_mask_without_its_parameter_is_named():
    masks_fit({}, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"masks has 'fc9', which is no parameter; the parameters are \['fc1'\]"):
        masks_fit({"fc9": np.ones(2, bool)}, {"fc1": np.ones(2)})


def test_a_mask_of_another_shape_than_its_weight_is_named_with_both_shapes():
    with pytest.raises(ValueError, match=r"mask for 'fc1' has shape \(784, 300\), weight has \(300, 784\)"):
        masks_fit({"fc1": np.ones((784, 300), bool)}, {"fc1": np.ones((300, 784))})
