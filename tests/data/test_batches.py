"""Images as network inputs. What batches hold is in test_data."""

import numpy as np
import pytest
from arrays import back, give

from minisparse.data import as_inputs


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_inputs_are_the_nearest_numbers_to_pixels_over_255(xp, dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1)
    inputs = as_inputs(give(xp, pixels), dtype)
    assert inputs.dtype == dtype
    assert (back(inputs) == (pixels.reshape(2, 128) / 255).astype(dtype)).all()
