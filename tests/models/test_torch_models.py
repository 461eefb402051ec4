"""The networks of the benchmarks: trained by us and by PyTorch from the same weights, in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
steps = pytest.importorskip("benchmarks.steps", reason="a source distribution has no benchmarks")
peers = pytest.importorskip("benchmarks.peers", reason="a source distribution has no benchmarks")
torch.set_num_threads(1)

TASKS = {"W1": steps.W1, "W2": steps.W2, "W3": steps.W3}


@pytest.mark.long
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_few_steps_from_the_same_weights_lead_to_the_same_weights(task):
    start, ours, theirs = steps.compared(task, size=4)
    assert start.keys() == ours.keys() == theirs.keys()
    for name in start:
        assert ours[name].dtype == theirs[name].dtype == np.float64
        assert abs(theirs[name] - start[name]).max() > 1e-5
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("options", [{}, {"channels_last": True}], ids=["eager", "channels_last"])
@pytest.mark.parametrize("task", [steps.W2, steps.W3], ids=["one channel", "three channels"])
def test_channels_lie_side_by_side_in_memory_only_where_asked(task, options):
    """In images, kernels and what becomes of them: PyTorch takes its layout from the strides of the first two."""
    model, step = steps.torch_parts(task, size=2, **options)
    met = []
    model.conv1.register_forward_hook(lambda layer, inputs, out: met.extend([*inputs, layer.weight, out]))
    step()
    assert [x.stride(1) == 1 for x in met] == [bool(options)] * 3


def test_strided_convolutions_pad_on_both_sides_until_they_are_made_to_pad_at_the_end():
    """Ones, eight by eight, under windows of three by three: with stride 2 only the first or the last meets zeros."""
    model = peers.wide_resnet_10_1()
    conv = model.group2_1.conv1
    torch.nn.init.constant_(conv.weight, 1 / 16)
    seen = lambda: conv(torch.ones(1, 16, 8, 8))[0, 0].tolist()
    assert seen() == [[4, 6, 6, 6], [6, 9, 9, 9], [6, 9, 9, 9], [6, 9, 9, 9]]
    peers.pad_at_the_end(model)
    assert seen() == [[9, 9, 9, 6], [9, 9, 9, 6], [9, 9, 9, 6], [6, 6, 6, 4]]
