"""tensorflow-model-optimization: a mask by `pruning_impl.Pruning`, and the schedule `PolynomialDecay`."""

import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl


def magnitude_mask(weight, n_keep, mask=None):
    w = tf.Variable(weight if mask is None else weight * mask, dtype="float32")
    schedule = tfmot.sparsity.keras.ConstantSparsity(1 - max(n_keep, 0.25) / weight.size, 0)
    variables = [(w, tf.Variable(tf.ones_like(w)), tf.Variable(0.0))]
    pruning = pruning_impl.Pruning(lambda: tf.constant(0), variables, schedule, (1, 1), "AVG")
    return pruning._update_mask(w)[1].numpy()


def cubic(step, begin, end, final, initial=0.0):
    if final >= 1:
        raise NotImplementedError("a final sparsity of 1 is refused")
    schedule = tfmot.sparsity.keras.PolynomialDecay(initial, final, begin, end, power=3)
    return float(schedule(tf.constant(step, "int64"))[1])
