"""The adapters of the golden page, run on code of the form that they are for: right code passes, a fault is shown."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from minisparse.golden import cases
from minisparse.golden.check import checked

pytestmark = pytest.mark.usefixtures("starts")  # the threads of these libraries do not survive a fork
README = (Path(cases.__file__).parent / "README.md").read_text(encoding="utf-8")
PROJECTS = {
    "torch": """
import torch

def first(score, k):
    chosen = torch.zeros(score.numel(), dtype=torch.bool)
    chosen[torch.sort(score.flatten(), descending=True, stable=True).indices[:k]] = True
    return chosen.reshape(score.shape)

def move(layer, score, fraction):
    k = int(fraction * layer.mask.sum())
    kept = layer.mask & ~first(torch.where(layer.mask, -layer.weight.abs(), -torch.inf), k)
    layer.mask.copy_(kept | first(torch.where(kept, -torch.inf, score), k))

def rigl_step(layer, grad, fraction):
    move(layer, grad.abs(), fraction)

def set_step(layer, fraction):
    move(layer, torch.rand_like(layer.weight), fraction)
""",
    "jax": """
import jax
import jax.numpy as jnp

def first(score, k):
    flat = score.ravel()
    order = jnp.argsort(-flat, stable=True)
    return jnp.zeros(flat.shape, bool).at[order[:k]].set(True).reshape(score.shape)

def move(layer, score, fraction):
    k = int(fraction * layer.mask.sum())
    kept = layer.mask & ~first(jnp.where(layer.mask, -abs(layer.weight), -jnp.inf), k)
    layer.mask = kept | first(jnp.where(kept, -jnp.inf, score), k)

def rigl_step(layer, grad, fraction):
    move(layer, abs(grad), fraction)

@jax.jit
def noise(key, like):
    return jax.random.uniform(key, like.shape)

def set_step(layer, fraction):
    move(layer, noise(jax.random.PRNGKey(0), layer.weight), fraction)
""",
    "tensorflow": """
import numpy as np
import tensorflow as tf

def first(score, k):
    order = tf.argsort(tf.reshape(score, [-1]), direction="DESCENDING", stable=True)[:k]
    chosen = tf.scatter_nd(order[:, None], tf.ones_like(order), [tf.size(score)])
    return tf.reshape(tf.cast(chosen, bool), score.shape)

def move(layer, score, fraction):
    mask = layer.mask.read_value()
    k = int(fraction * tf.reduce_sum(tf.cast(mask, tf.float64)))
    kept = mask & ~first(tf.where(mask, -tf.abs(layer.weight), -np.inf), k)
    layer.mask.assign(kept | first(tf.where(kept, tf.constant(-np.inf, tf.float64), score), k))

def rigl_step(layer, grad, fraction):
    move(layer, tf.abs(grad), fraction)

def set_step(layer, fraction):
    move(layer, tf.random.uniform(layer.weight.shape, dtype=tf.float64), fraction)
""",
}
ARRAYS = {"torch": "torch", "jax": "jax", "tensorflow": "numpy"}


@pytest.fixture(params=PROJECTS)
def adapter(request, tmp_path, monkeypatch):
    """A function of my_project's source to the verdict on the page's adapter for it."""
    library = request.param
    pytest.importorskip(library)
    source = re.search(rf"```python\n(# adapter_{library}\.py\n.*?)```", README, re.S)[1]
    (tmp_path / f"adapter_{library}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    def verdict(change=lambda source: source):
        (tmp_path / "my_project.py").write_text(change(PROJECTS[library]))
        for name in ("my_project", f"adapter_{library}"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        functions = [name for name in cases.load() if f"def {name}(" in source]
        return checked(f"adapter_{library}", only=functions, arrays=ARRAYS[library])

    yield verdict
    for name in ("my_project", f"adapter_{library}"):
        sys.modules.pop(name, None)


@pytest.mark.long
def test_an_adapter_of_the_page_passes_with_right_code(adapter):
    verdict = adapter()
    assert verdict.passes, verdict.sentence()
    assert len({outcome.case.function for outcome in verdict.outcomes}) >= 2


@pytest.mark.long
def test_an_adapter_of_the_page_shows_a_fault(adapter):
    wrong = adapter(lambda source: source.replace("int(fraction", "1 + int(fraction"))
    assert not wrong.passes
    assert {outcome.case.function for outcome in wrong.failed} >= {"rigl_update", "set_update_by_magnitude"}


def test_the_adapters_differ_only_in_their_library():
    blocks = re.findall(r"```python\n# adapter_\w+\.py\n(.*?)```", README, re.S)
    assert len(blocks) == 3
    fractions = {re.search(r"def fraction_for.*?\n\n", block, re.S)[0] for block in blocks}
    assert len(fractions) == 1
