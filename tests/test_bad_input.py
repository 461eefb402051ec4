"""Bad input, as a table: what is called, what it raises, and the three things that its sentence says.

    the argument, the value that was given, and what was expected

What other tests ask of one function or another is not repeated here; this is the promise for all that is public.
"""
# ruff: noqa: E501 - a row of a table is a line

import gzip
import hashlib
import io
import json
import math
import os
import subprocess
import sys
import tarfile
import zipfile
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
from effort import some

import minisparse as ms
from minisparse import autograd, data, files, flops, models, nn, ops, optim, recipes, schedule, sparse, train
from minisparse.allocate import density_of
from minisparse.cli import main
from minisparse.data import download
from minisparse.golden import cases, check, values
from minisparse.methods import l0, magnitude, snip
from minisparse.methods import set as set_
from minisparse.models import pytorch as exchange
from minisparse.models import shrink as compact
from minisparse.runs import folder as runs
from minisparse.runs.plan import Plan
from minisparse.runs.prepare import prepare
from minisparse.sparse.positions import Positions
from minisparse.streams import draw_key

SHAPES = {"fc1.weight": (6, 4), "fc2.weight": (4, 3)}
DENSITIES = {"fc1.weight": 0.5, "fc2.weight": 0.5}
NET = nn.mlp(6, 4, 3)
GATED = nn.gated(NET, {"fc1": 0.5})
INF, NAN = math.inf, math.nan
FRACTION = "a drop fraction from 0 to 1"


class Row(NamedTuple):
    of: str
    call: object
    error: type
    argument: str
    value: str
    expected: str

    def __str__(self):
        return f"{self.of}: {self.argument} {self.value}"


def rng():
    return np.random.default_rng(0)


def params(model=NET):
    return model.init(rng())


def masks():
    return ms.random_masks(SHAPES, DENSITIES, rng())


def batch():
    return np.ones((5, 6), np.float32), np.arange(5) % 3


def loss(p, batch, rng):
    return ops.softmax_cross_entropy(NET(p, batch[0]), batch[1])


def one_step(loss_fn=loss, own=None, at=None, method=None, generator=None, optimizer=None, start=None):
    own, at = params() if own is None else own, masks() if at is None else at
    return list(
        train.train(
            loss_fn,
            own,
            at,
            [batch()],
            method or recipes.static(),
            generator or rng(),
            optimizer or optim.sgd(0.1),
            start,
        )
    )


def ones(*shape):
    return np.ones(shape)


def true(*shape):
    return np.ones(shape, bool)


PUBLIC = [
    # which layer gets how much
    Row("uniform", lambda: ms.uniform(SHAPES, "0.5"), TypeError, "density", "'0.5'", "a number in (0, 1]"),
    Row("uniform", lambda: ms.uniform(SHAPES, True), TypeError, "density", "True", "a number in (0, 1]"),
    Row("uniform", lambda: ms.uniform({"a": (0, 3)}, 0.5), ValueError, "shape of 'a'", "(0, 3)", "length 1 or more"),
    Row("erdos_renyi", lambda: ms.erdos_renyi(SHAPES, None), TypeError, "density", "None", "a number in (0, 1]"),
    Row("erdos_renyi", lambda: ms.erdos_renyi(SHAPES, -INF), ValueError, "density", "-inf", "a number in (0, 1]"),
    Row("erdos_renyi_kernel", lambda: ms.erdos_renyi_kernel(SHAPES, 1j), TypeError, "density", "1j", "(0, 1]"),
    Row("erdos_renyi_kernel", lambda: ms.erdos_renyi_kernel(SHAPES, 0.5, ["fc9"]), ValueError, "dense", "fc9", "fc1.weight"),
    Row("from_epsilon", lambda: ms.from_epsilon(SHAPES, "20"), TypeError, "eps", "'20'", "a positive finite number"),
    Row("from_epsilon", lambda: ms.from_epsilon({"b": (3,)}, 2), ValueError, "shape", "(3,)", "an input and an output"),
    Row("apportion", lambda: ms.apportion(2, {"a": "1"}, {"a": 3}), TypeError, "share of 'a'", "'1'", "a finite number from 0"),
    Row("apportion", lambda: ms.apportion("2", {"a": 1}, {"a": 3}), TypeError, "total", "'2'", "from 0 to 3"),
    Row("apportion", lambda: ms.apportion(2, {"a": 1}, {"a": True}), TypeError, "room of 'a'", "True", "a whole number"),
    Row("counts", lambda: ms.counts(SHAPES, DENSITIES | {"fc2.weight": "x"}), TypeError, "density of 'fc2.weight'", "'x'", "0 to 1"),
    Row("counts", lambda: ms.counts(SHAPES, DENSITIES | {"fc9": 1}), ValueError, "densities", "fc9", "same keys"),
    Row("density_of", lambda: density_of("most"), TypeError, "sparsity", "'most'", "a fraction in [0, 1)"),
    # masks
    Row("top_k", lambda: ms.top_k("scores", 1), TypeError, "got", "str", "a NumPy or CuPy array"),
    Row("top_k", lambda: ms.top_k(ones(3), "1"), TypeError, "k", "'1'", "from 0 to 3"),
    Row("top_k", lambda: ms.top_k(ones(3), 4), ValueError, "k", "4", "from 0 to 3"),
    Row("top_k", lambda: ms.top_k(ones(3), 1, true(4)), ValueError, "among", "(4,)", "(3,)"),
    Row("Masks", lambda: ms.Masks({"a": "1101"}), TypeError, "got", "str", "a NumPy or CuPy array"),
    Row("Masks", lambda: ms.Masks({"a": 0.3 * ones(2)}), ValueError, "mask for 'a'", "values other", "true and false"),
    Row("project", lambda: ms.project(params(), {"fc9": true(1)}), ValueError, "masks", "'fc9'", "the parameters are"),
    Row("project", lambda: ms.project({"w": ones(2)}, {"w": true(3)}), ValueError, "mask for 'w'", "(3,)", "(2,)"),
    Row("random_masks", lambda: ms.random_masks(SHAPES, DENSITIES, 0), TypeError, "rng", "int", "numpy.random.Generator"),
    Row("random_masks", lambda: ms.random_masks(SHAPES, {"fc1.weight": 1}, rng()), ValueError, "densities", "fc2.weight", "same keys"),
    Row("draw_key", lambda: draw_key(np.random.RandomState(0)), TypeError, "rng", "RandomState", "default_rng(seed)"),
    Row("namespace", lambda: ms.namespace({}), TypeError, "got", "dict", "a NumPy or CuPy array"),
    Row("to_device", lambda: ms.to_device(ones(2), "tpu"), ValueError, "device", "'tpu'", "'cpu' or 'cuda'"),
    # methods
    Row("magnitude_mask", lambda: ms.magnitude_mask(ones(3), 1.0), TypeError, "n_keep", "1.0", "from 0 to 3"),
    Row("magnitude_mask", lambda: ms.magnitude_mask(ones(3), -1), ValueError, "n_keep", "-1", "from 0 to 3"),
    Row("magnitude_mask", lambda: ms.magnitude_mask(ones(3), 1, ones(3)), TypeError, "mask", "float64", "bool"),
    Row("magnitude_mask", lambda: ms.magnitude_mask(ones(3), 1, true(2)), ValueError, "mask", "(2,)", "(3,)"),
    Row("global_magnitude_masks", lambda: ms.global_magnitude_masks({}, 0), ValueError, "weights", "empty", "at least one layer"),
    Row("global_magnitude_masks", lambda: ms.global_magnitude_masks({"a": ones(2)}, 3), ValueError, "n_keep", "3", "0 to 2"),
    Row("global_magnitude_masks", lambda: ms.global_magnitude_masks({"a": ones(2)}, 1, {"b": true(2)}), ValueError, "masks", "'b'", "same keys"),
    Row("threshold_mask", lambda: ms.threshold_mask(ones(3), "1"), TypeError, "quality", "'1'", "a finite number from 0"),
    Row("threshold_mask", lambda: ms.threshold_mask(ones(3) * INF, 1), ValueError, "weight", "3 of 3", "thresholds need numbers"),
    Row("retrain_dropout", lambda: ms.retrain_dropout(1.0, 1, 2), ValueError, "rate", "1.0", "a dropout rate in [0, 1)"),
    Row("retrain_dropout", lambda: ms.retrain_dropout("0.5", 1, 2), TypeError, "rate", "'0.5'", "a dropout rate in [0, 1)"),
    Row("retrain_dropout", lambda: ms.retrain_dropout(0.5, 3, 2), ValueError, "n_kept", "3", "from 0 to 2"),
    Row("retrain_dropout", lambda: ms.retrain_dropout(0.5, 0, 0), ValueError, "n_original", "0", "from 1"),
    Row("remove_dead_units", lambda: ms.remove_dead_units({"a": ones(2, 2)}, ["a"]), TypeError, "mask for 'a'", "float64", "bool (…, inputs, outputs)"),
    Row("remove_dead_units", lambda: ms.remove_dead_units({"a": true(2, 2)}, ["b"]), ValueError, "order", "'b'", "same keys"),
    Row("leading_on", lambda: magnitude.leading_on({"a": true(2, 3), "b": true(4, 1)}, ["a", "b"]), ValueError, "'b'", "4 inputs", "a whole multiple"),
    Row("rigl_count", lambda: ms.rigl_count(0, 10, 1.5, 100), ValueError, "alpha", "1.5", FRACTION),
    Row("rigl_count", lambda: ms.rigl_count(0, 10, "0.3", 100), TypeError, "alpha", "'0.3'", FRACTION),
    Row("rigl_count", lambda: ms.rigl_count(0, -1, 0.3, 100), ValueError, "n_active", "-1", "from 0"),
    Row("rigl_count", lambda: ms.rigl_count(0, 10, 0.3, 0), ValueError, "t_end", "0", "must come after begin"),
    Row("rigl_update", lambda: ms.rigl_update(ones(4), true(4), ones(3), 1), ValueError, "dense_grad", "(3,)", "(4,)"),
    Row("rigl_update", lambda: ms.rigl_update(ones(4), true(4), ones(4), 5), ValueError, "k", "5", "from 0 to 4"),
    Row("rigl_update", lambda: ms.rigl_update(ones(4), ones(4), ones(4), 1), TypeError, "among", "float64", "bool"),
    Row("rigl_update", lambda: ms.rigl_update(ones(4), true(4), NAN * ones(4), 1), ValueError, "score", "NaN", "ranks need numbers"),
    Row("set_counts", lambda: ms.set_counts(ones(4), true(4), -0.1), ValueError, "zeta", "-0.1", FRACTION),
    Row("set_counts", lambda: ms.set_counts(ones(4), true(4), None), TypeError, "zeta", "None", FRACTION),
    Row("set_counts", lambda: ms.set_counts(ones(4), true(2), 0.1), ValueError, "mask", "(2,)", "(4,)"),
    Row("set_update", lambda: ms.set_update(ones(4), true(4), ones(2), 0, 1), ValueError, "noise", "(2,)", "(4,)"),
    Row("set_update", lambda: ms.set_update(ones(4), true(4), ones(4), 1, 0), ValueError, "k", "1", "from 0 to 0"),
    Row("set_update_by_magnitude", lambda: set_.set_update_by_magnitude(ones(4), true(4), ones(4), 2.5), TypeError, "k", "2.5", "a whole number"),
    Row("snfs_update", lambda: ms.snfs_update({"a": ones(2)}, {"a": true(2)}, {"a": ones(2)}, {"a": 3}), ValueError, "n_drop of 'a'", "3", "from 0 to 2"),
    Row("snfs_update", lambda: ms.snfs_update({"a": ones(2)}, {"a": true(2)}, {"a": ones(3)}, {"a": 1}), ValueError, "its momentum", "(3,)", "(2,)"),
    Row("snip_masks", lambda: ms.snip_masks({"a": ones(2)}, {"a": ones(2)}, 3), ValueError, "n_keep", "3", "from 0 to 2"),
    Row("snip_masks", lambda: ms.snip_masks({"a": ones(2)}, {"a": INF * ones(2)}, 1), ValueError, "weight × gradient of 'a'", "2 of 2", "not finite"),
    Row("sensitivity", lambda: snip.sensitivity({"a": ones(2)}, {"b": ones(2)}), ValueError, "grads", "'b'", "same keys"),
    Row("l0.gate", lambda: l0.gate(ones(2), np.array([0.5, 1.0])), ValueError, "u", "not inside", "(0, 1)"),
    Row("l0.gate", lambda: l0.gate(ones(1), 0.5 * ones(1), beta=0), ValueError, "beta", "0", "a finite temperature above 0"),
    Row("l0.gate", lambda: l0.gate(ones(1), 0.5 * ones(1), beta="2/3"), TypeError, "beta", "'2/3'", "a finite temperature above 0"),
    Row("l0.gate_at_test", lambda: l0.gate_at_test(ones(1), gamma=0.1), ValueError, "gamma", "0.1", "gamma < 0 and zeta > 1"),
    Row("l0.prob_open", lambda: l0.prob_open(ones(1), zeta=INF), ValueError, "zeta", "inf", "both finite"),
    Row("l0.log_alpha_of", lambda: l0.log_alpha_of("0.5"), TypeError, "drop_rate", "'0.5'", "a rate inside (0, 1)"),
    Row("l0.penalty", lambda: l0.penalty(params(GATED), "0.1"), TypeError, "the penalty of 'fc1'", "'0.1'", "a finite number from 0"),
    Row("l0.penalty", lambda: l0.penalty(params(GATED), 0.1, INF), ValueError, "the penalty of 'weight_decay'", "inf", "a finite number from 0"),
    Row("l0.penalty", lambda: l0.penalty(params(GATED), {"fc2": 1}), ValueError, "lambda_", "fc2", "the gated layers, ['fc1']"),
    # schedules
    Row("every", lambda: schedule.every("10", 100), TypeError, "period", "'10'", "a whole number from 1"),
    Row("every", lambda: schedule.every(10, NAN), ValueError, "until", "nan", "a number"),
    Row("every", lambda: schedule.every(10, "100"), TypeError, "until", "'100'", "a number"),
    Row("every", lambda: schedule.every(10, 100, -1), ValueError, "begin", "-1", "a whole number from 0"),
    Row("linear", lambda: schedule.linear(3, 0.3, NAN), ValueError, "t_end", "nan", "must come after begin"),
    Row("cosine", lambda: schedule.cosine(3, 0.3, 5, begin=5), ValueError, "t_end", "5", "must come after begin"),
    Row("cubic", lambda: schedule.cubic(3, 9, 5, 0.9), ValueError, "end", "5", "must come after begin"),
    Row("step_rate", lambda: schedule.step_rate(0.1, 2.0, 0.5), TypeError, "period", "2.0", "a whole number from 1"),
    # recipes
    Row("recipes.rigl", lambda: recipes.rigl(alpha=2), ValueError, "alpha", "2", FRACTION),
    Row("recipes.rigl", lambda: recipes.rigl(alpha="0.3"), TypeError, "alpha", "'0.3'", FRACTION),
    Row("recipes.rigl", lambda: recipes.rigl(period=0), ValueError, "period", "0", "a whole number from 1"),
    Row("recipes.rigl", lambda: recipes.rigl(t_end=-5), ValueError, "t_end", "-5", "a number above 0"),
    Row("recipes.rigl", lambda: recipes.rigl(t_end=NAN), ValueError, "t_end", "nan", "a number above 0"),
    Row("recipes.set", lambda: recipes.set(1.1, 5, 2), ValueError, "zeta", "1.1", FRACTION),
    Row("recipes.set", lambda: recipes.set(NAN, 5, 2), ValueError, "zeta", "nan", FRACTION),
    Row("recipes.set", lambda: recipes.set(0.3, 2.5, 2), TypeError, "epoch", "2.5", "a whole number from 1"),
    Row("recipes.snfs", lambda: recipes.snfs("0.5", 5, 2), TypeError, "rate", "'0.5'", FRACTION),
    Row("recipes.snfs", lambda: recipes.snfs(0.5, 5, 2, beta=1), ValueError, "beta", "1", "a number in [0, 1)"),
    Row("recipes.smoothed", lambda: recipes.smoothed("0.9"), TypeError, "beta", "'0.9'", "a number in [0, 1)"),
    Row("recipes.snip", lambda: recipes.snip(loss, params(), [batch()], 0, rng()), ValueError, "density", "0", "(0, 1]"),
    Row("recipes.snip", lambda: recipes.snip(loss, params(), [], 0.5, rng()), ValueError, "batches", "empty", "at least one batch"),
    Row("recipes.snip", lambda: recipes.snip(loss, params(), [batch()], 0.5, 0), TypeError, "rng", "int", "Generator"),
    Row("recipes.snip", lambda: recipes.snip(loss, params(), [batch()], 0.5, rng(), lambda name: False), ValueError, "include", "no parameter", "expected at least one"),
    Row("recipes.gradual", lambda: recipes.gradual("0.9", 0, 10, 1), TypeError, "final", "'0.9'", "a number"),
    Row("recipes.gradual", lambda: recipes.gradual(1.1, 0, 10, 1), ValueError, "final", "1.1", "0 ≤ initial ≤ final ≤ 1"),
    Row("recipes.gradual", lambda: recipes.gradual(0.9, -1, 10, 1), ValueError, "begin", "-1", "a whole number from 0"),
    Row("recipes.l0_loss", lambda: recipes.l0_loss(GATED, 10, "0.1"), TypeError, "lambda_", "'0.1'", "a finite number"),
    Row("recipes.l0_loss", lambda: recipes.l0_loss(GATED, 10, {"fc1": NAN}), ValueError, "lambda_", "nan", "a finite number"),
    Row("recipes.l0_loss", lambda: recipes.l0_loss(GATED, 0), ValueError, "n_examples", "0", "a whole number from 1"),
    Row("recipes.clamped", lambda: recipes.clamped(optim.sgd(0.1), "4.6"), TypeError, "limit", "'4.6'", "a number above 0"),
    Row("recipes.averaged", lambda: recipes.averaged({}, {}, 0, "0.9"), TypeError, "beta", "'0.9'", "a number in [0, 1)"),
    Row("recipes.mnist_densities", lambda: recipes.mnist_densities(None), TypeError, "sparsity", "None", "[0, 1)"),
    Row("recipes.small_dense", lambda: recipes.small_dense(lambda f: models.lenet_300_100(width=f), -1, lambda m: 0), ValueError, "target", "-1", "no network"),
    Row("recipes.lottery", lambda: list(recipes.lottery(loss, params(), lambda start: [batch()], 2, 1, rng(), optim.sgd(0.1))), ValueError, "share of 'fc1.weight'", "2", "0 to 1"),
    Row("recipes.lottery", lambda: list(recipes.lottery(loss, params(), lambda start: [batch()], "half", 1, rng(), optim.sgd(0.1))), TypeError, "share of 'fc1.weight'", "'half'", "0 to 1"),
    # layers and networks
    Row("Linear", lambda: nn.Linear(-1, 3), ValueError, "n_in of Linear", "-1", "a whole number from 0"),
    Row("Linear", lambda: nn.Linear(2.5, 3), TypeError, "n_in of Linear", "2.5", "a whole number from 0"),
    Row("Linear", lambda: nn.Linear(3, "10"), TypeError, "n_out of Linear", "'10'", "a whole number from 0"),
    Row("Linear", lambda: nn.Linear(3, 2)({}, ones(5, 4)), ValueError, "Linear(3, 2)", "(4,)", "(3,)"),
    Row("GatedLinear", lambda: nn.GatedLinear(-3, 2), ValueError, "n_in of GatedLinear", "-3", "a whole number from 0"),
    Row("GatedLinear", lambda: nn.GatedLinear(3, 2, drop_rate="0.5"), TypeError, "drop_rate", "'0.5'", "inside (0, 1)"),
    Row("Conv2d", lambda: nn.Conv2d(-3, 4, 3), ValueError, "c_in of Conv2d", "-3", "a whole number from 0"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 0), ValueError, "size of Conv2d", "0", "a whole number from 1"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 3, stride=0), ValueError, "stride of Conv2d", "0", "a whole number from 1"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups", "2", "groups that divide both"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 3, groups=1.0), TypeError, "groups of Conv2d", "1.0", "a whole number from 1"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 3, padding="full").cost((8, 8, 3)), ValueError, "padding", "'full'", "'valid', 'same'"),
    Row("Conv2d", lambda: nn.Conv2d(3, 4, 9).cost((8, 8, 3)), ValueError, "window", "9", "fit into 8 pixels"),
    Row("DepthwiseConv2d", lambda: nn.DepthwiseConv2d(1.5, 3), TypeError, "channels of DepthwiseConv2d", "1.5", "whole"),
    Row("DepthwiseConv2d", lambda: nn.DepthwiseConv2d(3, -3), ValueError, "size of DepthwiseConv2d", "-3", "from 1"),
    Row("BatchNorm", lambda: nn.BatchNorm(-1), ValueError, "channels of BatchNorm", "-1", "a whole number from 0"),
    Row("BatchNorm", lambda: nn.BatchNorm(3, eps=-1), ValueError, "eps", "-1", "a finite number from 0"),
    Row("BatchNorm", lambda: nn.BatchNorm(3, eps="tiny"), TypeError, "eps", "'tiny'", "a finite number from 0"),
    Row("MaxPool2d", lambda: nn.MaxPool2d(0), ValueError, "size of MaxPool2d", "0", "a whole number from 1"),
    Row("MaxPool2d", lambda: nn.MaxPool2d(2, 0), ValueError, "stride of MaxPool2d", "0", "a whole number from 1"),
    Row("MaxPool2d", lambda: nn.MaxPool2d(2, 1, 2), ValueError, "padding", "2", "padding below size"),
    Row("AvgPool2d", lambda: nn.AvgPool2d(2.0), TypeError, "size of AvgPool2d", "2.0", "a whole number from 1"),
    Row("Dropout", lambda: nn.Dropout("0.5"), TypeError, "rate", "'0.5'", "a dropout rate in [0, 1)"),
    Row("Dropout", lambda: nn.Dropout(INF), ValueError, "rate", "inf", "a dropout rate in [0, 1)"),
    Row("Chain", lambda: nn.Chain([nn.Linear(3, 2)]), TypeError, "layers", "list", "a dict of layers by name"),
    Row("Chain", lambda: nn.Chain({"fc1": ones(3)}), TypeError, "layer 'fc1'", "array", "a layer"),
    Row("Chain", lambda: nn.Chain({"a.b": nn.Relu()}), ValueError, "layers", "a.b", "names without a dot"),
    Row("Residual", lambda: nn.Residual(nn.mlp(3, 2)).sites((3,)), ValueError, "Residual", "(2,)", "must be equal"),
    Row("mlp", lambda: nn.mlp(3), ValueError, "widths", "(3,)", "an input and an output width"),
    Row("mlp", lambda: nn.mlp(3, 2.5, 2), TypeError, "n_out of Linear", "2.5", "a whole number from 0"),
    Row("gated", lambda: nn.gated(NET, {"relu1": 0.5}), ValueError, "drop_rates", "relu1", "not Linear or Conv2d"),
    Row("gated", lambda: nn.gated(NET, {"fc1": 0}), ValueError, "drop_rate", "0", "a rate inside (0, 1)"),
    Row("init", lambda: NET.init(np.random), TypeError, "rng", "module", "numpy.random.Generator"),
    Row("recalibrate", lambda: nn.recalibrate(NET, params(), []), ValueError, "batches", "empty", "one batch"),
    Row("lenet_300_100", lambda: models.lenet_300_100(width="2"), TypeError, "width", "'2'", "a positive finite number"),
    Row("lenet_300_100", lambda: models.lenet_300_100(width=NAN), ValueError, "width", "nan", "a positive finite number"),
    Row("lenet_300_100", lambda: models.lenet_300_100(784.0), TypeError, "n_in of Linear", "784.0", "a whole number"),
    Row("lenet_300_100", lambda: models.lenet_300_100(classes=-1), ValueError, "n_out of Linear", "-1", "a whole number"),
    Row("lenet_5", lambda: models.lenet_5(width=0), ValueError, "width", "0", "a positive finite number"),
    Row("lenet_5", lambda: models.lenet_5((8, 8, 1)), ValueError, "window", "5", "fit into 2 pixels"),
    Row("resnet_50", lambda: models.resnet_50(width=-1), ValueError, "width", "-1", "a positive finite number"),
    Row("mobilenet_v1", lambda: models.mobilenet_v1(width=INF), ValueError, "width", "inf", "a positive finite number"),
    Row("wide_resnet", lambda: models.wide_resnet(11, 1), ValueError, "depth", "11", "10, 16, 22, 28"),
    Row("wide_resnet", lambda: models.wide_resnet(10, "2"), TypeError, "width", "'2'", "a whole number from 1"),
    # differentiation
    Row("Tensor", lambda: ms.Tensor(np.arange(3)), TypeError, "a Tensor", "int64", "floating-point arrays"),
    Row("Tensor", lambda: ms.Tensor("3"), TypeError, "got", "str", "a NumPy or CuPy array"),
    Row("backward", lambda: ms.backward(ms.Tensor(ones(3))), ValueError, "the result", "(3,)", "scalar"),
    Row("value_and_grad", lambda: ms.value_and_grad(lambda p: 3.0, {}), TypeError, "loss_fn", "float", "a scalar Tensor"),
    Row("value_and_grad", lambda: ms.value_and_grad(lambda p: p["a"], {"a": ones(2)}), ValueError, "the loss", "(2,)", "a scalar"),
    Row("gradcheck", lambda: autograd.gradcheck(ops.abs, np.zeros(3)), ValueError, "the slope", "ahead", "move the point off"),
    Row("matmul", lambda: ops.matmul(ones(2, 3), ones(2, 3)), ValueError, "matmul", "(2, 3)", "do not match"),
    Row("softmax_cross_entropy", lambda: ops.softmax_cross_entropy(ones(2, 3), np.array([0, 3])), ValueError, "labels", "3", "0 to 2"),
    Row("softmax_cross_entropy", lambda: ops.softmax_cross_entropy(ones(2, 3), ones(2)), TypeError, "labels", "float64", "expected integers"),
    # optimizers and the loop
    Row("sgd", lambda: optim.sgd("0.1"), TypeError, "lr", "'0.1'", "a finite number from 0"),
    Row("sgd", lambda: optim.sgd(-0.1), ValueError, "lr", "-0.1", "a finite number from 0"),
    Row("sgd", lambda: optim.sgd(0.1, momentum=1), ValueError, "momentum", "1", "a number in [0, 1)"),
    Row("sgd", lambda: optim.sgd(0.1, True), TypeError, "momentum", "True", "a number in [0, 1)"),
    Row("sgd", lambda: optim.sgd(0.1, weight_decay="1e-4"), TypeError, "weight_decay", "'1e-4'", "a finite number from 0"),
    Row("sgd", lambda: one_step(optimizer=optim.sgd(lambda step: "fast")), TypeError, "lr", "'fast' at step 0", "finite"),
    Row("adam", lambda: optim.adam(INF), ValueError, "lr", "inf", "a finite number from 0"),
    Row("adam", lambda: optim.adam(0.1, betas=0.9), TypeError, "betas", "0.9", "two numbers in [0, 1)"),
    Row("adam", lambda: optim.adam(0.1, betas=(0.9, 1.0)), ValueError, "beta2", "1.0", "a number in [0, 1)"),
    Row("adam", lambda: optim.adam(0.1, eps=NAN), ValueError, "eps", "nan", "a finite number from 0"),
    Row("frozen", lambda: optim.frozen(optim.sgd(0.1), "fc1.weight"), TypeError, "names", "'fc1.weight'", "a collection"),
    Row("frozen", lambda: optim.frozen(optim.sgd(0.1), ["fc9"]).init(params()), ValueError, "names", "fc9", "expected names in"),
    Row("train", lambda: one_step(method=recipes.rigl), TypeError, "method", "rigl", "such as recipes.rigl()"),
    Row("train", lambda: one_step(method="rigl"), TypeError, "method", "'rigl'", "Method"),
    Row("train", lambda: one_step(optimizer=optim.sgd), TypeError, "optimizer", "sgd", "such as sgd(0.1)"),
    Row("train", lambda: one_step(start="checkpoint.npz"), TypeError, "start", "str", "the state of a Step"),
    Row("train", lambda: one_step(generator=7), TypeError, "rng", "int", "numpy.random.Generator"),
    Row("train", lambda: one_step(at={"fc9": true(2)}), ValueError, "masks", "'fc9'", "the parameters are"),
    Row("train", lambda: one_step(at={"fc1.weight": true(4, 6)}), ValueError, "mask for 'fc1.weight'", "(4, 6)", "(6, 4)"),
    Row("train", lambda: one_step(at={"fc1.weight": 0.5 * ones(6, 4)}), ValueError, "mask for 'fc1.weight'", "values other", "true and false"),
    Row("train", lambda: one_step(lambda p, batch, rng: 1.0), TypeError, "loss_fn", "float", "a scalar Tensor"),
    Row("train", lambda: one_step(own=params() | {"n": np.arange(3)}), TypeError, "parameter 'n'", "int64", "floating-point"),
    # costs
    Row("forward", lambda: flops.forward({"a": 10}, {"b": 1}), ValueError, "masks", "'b'", "expected names in ['a']"),
    Row("forward", lambda: flops.forward({"a": 10}, {"a": 1.5}), ValueError, "density of 'a'", "1.5", "0 to 1"),
    Row("forward", lambda: flops.forward({"a": 10}, {"a": NAN}), ValueError, "density of 'a'", "nan", "0 to 1"),
    Row("forward", lambda: flops.forward({"a": 10}, {"a": "0.1"}), TypeError, "density of 'a'", "'0.1'", "0 to 1"),
    Row("count", lambda: flops.count(nn.sites(NET, (6,)), {"fc1.weight": "1"}), TypeError, "density of 'fc1.weight'", "'1'", "0 to 1"),
    Row("count", lambda: flops.count(nn.sites(NET, (6,)), {"fc9": 1}), ValueError, "densities", "fc9", "expected names in"),
    Row("count", lambda: flops.count(nn.sites(NET, (6,)), {}, "han"), ValueError, "convention", "'han'", "clean, rigl"),
    Row("training_cost", lambda: flops.training_cost("adam", 1, 1), ValueError, "method", "'adam'", "dense, static"),
    Row("training_cost", lambda: flops.training_cost("rigl", 1, 1), ValueError, "period", "None", "ΔT"),
    Row("training_cost", lambda: flops.training_cost("rigl", 1, 1, 0), ValueError, "period", "0", "a whole number from 1"),
    Row("pruning_cost", lambda: flops.pruning_cost(2, 1, 5, 5, 10), ValueError, "end", "5", "must come after begin"),
    Row("storage", lambda: flops.storage((2, 3), 7), ValueError, "n_active", "7", "from 0 to 6"),
    Row("storage", lambda: flops.storage((2, 3), 6, "coo"), ValueError, "kind", "'coo'", "dense, bitmask, csr"),
    Row("training_memory", lambda: sparse.training_memory(SHAPES, {"fc1.weight": 99}), ValueError, "n_active of 'fc1.weight'", "99", "0 to 24"),
    Row("training_memory", lambda: sparse.training_memory(SHAPES, {}, alpha=2), ValueError, "alpha", "2", "from 0 to 1"),
    Row("training_memory", lambda: sparse.training_memory(SHAPES, {}, storage="csr"), ValueError, "storage", "'csr'", "masked or sparse"),
    # storage that follows the connections
    Row("Positions", lambda: Positions([0, 1], (2, 2)), TypeError, "got", "list", "a NumPy or CuPy array"),
    Row("Positions", lambda: Positions(np.array([1, 0]), (2, 2)), ValueError, "flat", "rise", "0 to 3"),
    Row("Positions", lambda: Positions(np.array([0.0]), (2, 2)), TypeError, "flat", "float64", "integers of shape (n,)"),
    Row("random_positions", lambda: sparse.random_positions({"a": (3, 3, 1, 2)}, {"a": 0.5}, rng()), ValueError, "shape", "(3, 3, 1, 2)", "(n_in, n_out)"),
    Row("compressed", lambda: sparse.compressed(params(), {"fc9": true(2, 2)}), ValueError, "masks", "'fc9'", "the parameters are"),
    Row("compressed", lambda: sparse.compressed({"a": ones(2, 2)}, {"a": true(2, 3)}), ValueError, "mask for 'a'", "(2, 3)", "(2, 2)"),
    Row("everywhere", lambda: sparse.everywhere({"a": (3,)}), ValueError, "shape", "(3,)", "(n_in, n_out)"),
    Row("compacted", lambda: compact.compacted(nn.Linear(6, 4), {}, {}), TypeError, "model", "Linear(n_in=6", "a Chain"),
    Row("compacted", lambda: compact.compacted(NET, params(), {"fc1.bias": true(4)}), ValueError, "masks", "fc1.bias", "masks of the weights"),
    Row("architecture", lambda: compact.architecture(masks(), ["fc1.weight"]), ValueError, "order", "'fc2.weight'", "same keys"),
    # data in memory
    Row("batches", lambda: next(data.batches(ones(5, 2), ones(4), 2, 0)), ValueError, "labels", "4", "5 examples"),
    Row("batches", lambda: next(data.batches(ones(5, 2), ones(5), 6, 0)), ValueError, "size", "6", "from 1 to 5"),
    Row("batches", lambda: next(data.batches(ones(5, 2), ones(5), 2, -1)), ValueError, "seed", "-1", "a whole number from 0"),
    Row("batches", lambda: next(data.batches(ones(5, 2), ones(5), 2, "0")), TypeError, "seed", "'0'", "a whole number from 0"),
    Row("batches", lambda: next(data.batches(ones(5, 2), ones(5), 2, 0, -1)), ValueError, "start", "-1", "from 0"),
    Row("load", lambda: data.load("imagenet"), ValueError, "data set", "'imagenet'", "digits, mnist"),
    Row("load", lambda: data.load("digits", split="valid"), ValueError, "split", "'valid'", "'train' or 'test'"),
    # weights elsewhere
    Row("to_torch", lambda: exchange.to_torch(NET, {"fc9.weight": ones(2)}, (6,)), ValueError, "params", "fc9.weight", "expected names in"),
    Row("from_torch", lambda: exchange.from_torch(NET, {"fc1.weight": ones(4, 6)}, (6,)), ValueError, "model", "'fc1.bias'", "same keys"),
    # golden answers
    Row("decode", lambda: values.decode({"shape": [-1], "dtype": "bool", "data": [1]}), ValueError, "shape", "[-1]", "whole numbers from 0"),
    Row("decode", lambda: values.decode({"shape": [2.0], "dtype": "bool", "data": [1, 1]}), ValueError, "shape", "[2.0]", "whole numbers from 0"),
    Row("decode", lambda: values.decode({"shape": 2, "dtype": "bool", "data": [1, 1]}), ValueError, "shape", "2", "a list of whole"),
    Row("decode", lambda: values.decode({"shape": [2], "dtype": "int64", "data": [[1, 2]]}), ValueError, "data", "1 values", "flat list of 2"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": "int64", "data": [1.5]}), ValueError, "data", "1.5", "whole numbers of 64 bits"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": "int64", "data": [2**63]}), ValueError, "data", str(2**63), "64 bits"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": "int64", "data": ["1"]}), ValueError, "data", "1", "whole numbers of 64 bits"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": "float64", "data": ["1"]}), ValueError, "data", "1", "inf, -inf and nan"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": "bool", "data": "1"}), ValueError, "data", "1", "a flat list of 1"),
    Row("decode", lambda: values.decode({"shape": [1], "dtype": ["bool"], "data": [1]}), ValueError, "['bool']", "dtype", "README.md"),
    Row("decode", lambda: values.decode({"pairs": 3}), ValueError, "pairs", "3", "not a value of a vector"),
    Row("decode", lambda: values.decode({"pairs": [["a", 1], ["a", 2]]}), ValueError, "pairs", "['a', 2]", "not a value of a vector"),
    Row("decode", lambda: values.decode({"pairs": [["a"]]}), ValueError, "pairs", "[['a']]", "not a value of a vector"),
    Row("decode", lambda: values.decode({"items": "ab"}), ValueError, "items", "ab", "not a value of a vector"),
    Row("find", lambda: cases.find("rigl_updat", cases.load()), ValueError, "'rigl_updat'", "not a function or case", "rigl_update"),
    Row("found", lambda: check.found("minisparse"), ValueError, "'minisparse'", "not name a callable", "module:callable"),
    Row("Door", lambda: check.Door("mxnet"), ValueError, "--arrays", "'mxnet'", "numpy, torch, jax"),
]  # fmt: skip


def refused(call, error, *said):
    """The sentence of a call's refusal, which is of this very type and says all of `said`."""
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert caught.type is error, f"{caught.type.__name__}: {sentence}"
    for words in said:
        assert words in sentence, f"{words!r} is not in: {sentence}"
    return sentence


@pytest.mark.parametrize("row", some(PUBLIC, every=2), ids=str)
def test_a_call_is_refused_with_its_argument_the_value_and_what_is_expected(row):
    refused(row.call, row.error, row.argument, row.value, row.expected)


# Files: what is written, how it is read, and what its refusal says besides the file's name.


def idx(*shape, content=None, magic=8):
    body = bytes(math.prod(shape)) if content is None else content
    return bytes([0, 0, magic, len(shape)]) + np.array(shape, ">u4").tobytes() + body


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def changed(content, at, to=None):
    """The bytes with one of them flipped, or replaced."""
    place = at % len(content)
    return content[:place] + bytes([content[place] ^ 255 if to is None else to]) + content[place + 1 :]


def tar(**members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return file.getvalue()


GOOD_IDX = gzip.compress(idx(2, 3, 3))
GOOD_NPZ = npz(x=np.arange(40.0).reshape(20, 2), y=np.arange(20) % 2)
read_images = partial(data.read_idx, axes=3)
DATA = [
    ("empty.gz", b"", read_images, ("begins with ;", "00000803")),
    ("text.gz", b"hello", read_images, ("not a gzip file", "damaged")),
    ("short.gz", GOOD_IDX[:-5], read_images, ("truncated",)),
    ("header.gz", GOOD_IDX[:6], read_images, ("truncated",)),
    ("flipped.gz", changed(GOOD_IDX, -6), read_images, ("damaged",)),
    ("length.gz", changed(GOOD_IDX, -1), read_images, ("damaged",)),
    ("twice.gz", GOOD_IDX * 2, read_images, ("has more than 34 bytes", "says 34")),
    ("garbage.gz", GOOD_IDX + b"garbage", read_images, ("damaged",)),
    ("labels.gz", gzip.compress(idx(4)), read_images, ("00000801", "00000803")),
    ("floats.gz", gzip.compress(idx(2, 3, 3, magic=13)), read_images, ("00000d03", "00000803")),
    ("cut.gz", gzip.compress(idx(2, 3, 3)[:-1]), read_images, ("has 33 bytes", "says 34")),
    ("long.gz", gzip.compress(idx(2, 3, 3) + b"x"), read_images, ("has more than 34 bytes", "says 34")),
    ("magic.gz", gzip.compress(b"\0\0\x08"), read_images, ("begins with 000008;",)),
    (
        "huge.gz",
        gzip.compress(idx(2**32 - 1, 2**32 - 1, 2**32 - 1, content=b"")),
        read_images,
        ("has at most", "its header says 79228162458924105385300197391"),
    ),
    ("other.gz", GOOD_IDX, partial(data.read_idx, axes=3, known="0" * 64), ("SHA-256", "expected 0000000000000000")),
    ("data.txt", b"1,2", data.from_file, ("neither a .npz nor a .csv",)),
    ("empty.npz", b"", data.from_file, ("not a .npz file of arrays",)),
    ("text.npz", b"1,2,3", data.from_file, ("not a .npz file of arrays",)),
    ("array.npz", b"\x93NUMPY\x01\x00", data.from_file, ("not a .npz file of arrays",)),
    ("half.npz", GOOD_NPZ[: len(GOOD_NPZ) // 2], data.from_file, ("not a .npz file of arrays",)),
    (
        "flipped.npz",
        changed(GOOD_NPZ, GOOD_NPZ.index(b"(20, 2)") + 1, ord("1")),
        data.from_file,
        ("x.npy in it does not match its checksum",),
    ),
    ("members.npz", archive(x="hello", y="world"), data.from_file, ("not a .npz file of arrays",)),
    ("pickle.npz", npz(x=np.array([None, {}]), y=np.arange(2)), data.from_file, ("not a .npz file of arrays",)),
    ("only-x.npz", npz(x=np.ones((4, 2))), data.from_file, ("has x;", "expected x, y")),
    (
        "no-y_test.npz",
        npz(x=np.ones((4, 2)), y=np.arange(4), x_test=np.ones((4, 2))),
        data.from_file,
        ("x_test", "expected x, y"),
    ),
    ("unlike.npz", npz(x=np.ones((4, 2)), y=np.arange(3)), data.from_file, ("(4, 2)", "(3,)", "(N, …) and (N,)")),
    ("flat.npz", npz(x=np.ones(4), y=np.arange(4)), data.from_file, ("(4,)", "(N, …) and (N,)")),
    ("words.npz", npz(x=np.array([["a"], ["b"]]), y=np.arange(2)), data.from_file, ("not finite numbers",)),
    ("nan.npz", npz(x=np.array([[NAN], [1.0]]), y=np.arange(2)), data.from_file, ("not finite numbers",)),
    ("one-class.npz", npz(x=np.ones((4, 2)), y=np.zeros(4)), data.from_file, ("labels of 1 class", "at least two")),
    (
        "new-class.npz",
        npz(x=np.ones((4, 2)), y=np.arange(4) % 2, x_test=np.ones((1, 2)), y_test=np.array([7])),
        data.from_file,
        ("labels in y_test that are not in y",),
    ),
    ("empty.csv", b"", data.from_file, ("0 columns", "at least one column of numbers")),
    ("names.csv", b"label,a\n", data.from_file, ("cannot be read as columns",)),
    ("one.csv", b"1\n2\n", data.from_file, ("1 columns",)),
    ("ragged.csv", b"0,1\n1,2\n1\n", data.from_file, ("cannot be read as columns",)),
    ("words.csv", b"label,a\n0,1\n1,two\n", data.from_file, ("cannot be read as columns", "two")),
    ("binary.csv", bytes(range(256)), data.from_file, ("not text in columns",)),
    ("inf.csv", b"0,1\n1,inf\n", data.from_file, ("not finite numbers",)),
    ("column.csv", b"label,a\n0,1\n1,2\n", partial(data.from_file, label="class"), ("no column 'class'", "label, a")),
    ("weights.npz", b"PK", exchange.load, ("damaged",)),
    ("pickle.npz", npz(w=np.array([None])), exchange.load, ("something other than tensors",)),
    (
        "flipped.npz",
        changed(GOOD_NPZ, GOOD_NPZ.index(b"(20, 2)") + 1, ord("1")),
        exchange.load,
        ("x.npy in it does not match its checksum",),
    ),
    ("weights.safetensors", b"\xff" * 20, exchange.load, ("damaged",)),
    ("weights.h5", b"", exchange.load, ("'.h5'", ".npz, .safetensors, .pt or .pth")),
    ("config.json", b"{", lambda path: runs.read_json(path), ("no JSON",)),
    ("config.json", b"\xff\xfe", lambda path: runs.read_json(path), ("no JSON",)),
    ("config.json", b"[" * 10**5, lambda path: runs.read_json(path), ("no JSON",)),
    ("config.json", b"[1]", lambda path: runs.claim(path.parent, {}), ("list", "a dict")),
    ("metrics.jsonl", b"{}\n{", lambda path: runs.metrics(path.parent), ("line 2", "no JSON")),
]


@pytest.mark.parametrize(("name", "content", "read", "said"), DATA, ids=[f"{i}-{row[0]}" for i, row in enumerate(DATA)])
def test_a_file_that_is_damaged_or_another_is_refused_by_its_name(tmp_path, name, content, read, said):
    (tmp_path / name).write_bytes(content)
    refused(lambda: read(tmp_path / name), ValueError, name if read is not DATA[-2][2] else "config.json", *said)


def test_the_files_from_which_the_damaged_ones_were_made_are_read(tmp_path):
    (tmp_path / "good.gz").write_bytes(GOOD_IDX)
    (tmp_path / "good.npz").write_bytes(GOOD_NPZ)
    assert read_images(tmp_path / "good.gz").shape == (2, 3, 3)
    assert data.from_file(tmp_path / "good.npz")[0].shape == (16, 2)


FOLDERS = [
    ("mnist", {}, FileNotFoundError, ("train-images-idx3-ubyte.gz", "--data-dir")),
    (
        "fashion_mnist",
        {"train-images-idx3-ubyte.gz": gzip.compress(idx(2, 3, 3))},
        FileNotFoundError,
        ("train-labels-idx1", "--data-dir"),
    ),
    (
        "fashion_mnist",
        {
            "train-images-idx3-ubyte.gz": gzip.compress(idx(2, 3, 3)),
            "train-labels-idx1-ubyte.gz": gzip.compress(idx(3)),
        },
        ValueError,
        ("train-labels-idx1", "3 labels for 2 images"),
    ),
    (
        "fashion_mnist",
        {
            "train-images-idx3-ubyte.gz": gzip.compress(idx(0, 3, 3)),
            "train-labels-idx1-ubyte.gz": gzip.compress(idx(0)),
        },
        ValueError,
        ("0 labels", "at least one"),
    ),
    (
        "fashion_mnist",
        {
            "train-images-idx3-ubyte.gz": gzip.compress(idx(1, 3, 3)),
            "train-labels-idx1-ubyte.gz": gzip.compress(idx(1, content=b"\x0a")),
        },
        ValueError,
        ("label 10", "0 to 9"),
    ),
    (
        "mnist",
        {"train-images-idx3-ubyte.gz": GOOD_IDX},
        ValueError,
        ("train-images-idx3", "SHA-256", "not the expected file"),
    ),
    ("cifar10", {"cifar-10-binary.tar.gz": b"no archive"}, ValueError, ("cifar-10-binary.tar.gz", "damaged")),
    (
        "cifar10",
        {"cifar-10-binary.tar.gz": tar(test_batch=b"x")},
        ValueError,
        ("cifar-10-binary.tar.gz", "data_batch_1.bin"),
    ),
    (
        "cifar10",
        {"cifar-10-binary.tar.gz": tar(**{f"data_batch_{i}": b"x" for i in range(1, 6)})},
        ValueError,
        ("data_batch_1.bin", "1 bytes", "30730000"),
    ),
]


@pytest.mark.parametrize(("name", "files", "error", "said"), FOLDERS, ids=range(len(FOLDERS)))
def test_a_data_set_with_a_file_that_is_missing_or_wrong_is_refused(tmp_path, name, files, error, said, monkeypatch):
    (tmp_path / name).mkdir()
    for file, content in files.items():
        if name == "fashion_mnist":  # as if its authors had published this file
            known = hashlib.sha256(gzip.decompress(content)).hexdigest()
            monkeypatch.setitem(download.SHA256, f"{name}/{file.removesuffix('.gz')}", known)
        (tmp_path / name / file).write_bytes(content)
    refused(lambda: data.load(name, tmp_path), error, *said)


# Checkpoints.


@cache
def checkpoint():
    """The bytes of a checkpoint after one step of RigL with Adam."""
    return written(one_step(method=recipes.rigl(0.5, 1, 5), optimizer=optim.adam(0.01))[-1].state)


def written(state):
    with TemporaryDirectory() as folder:
        runs.save_state(Path(folder) / "checkpoint.npz", state)
        return (Path(folder) / "checkpoint.npz").read_bytes()


def outlined(change, **arrays):
    """The checkpoint with another outline, or other arrays."""
    with np.load(io.BytesIO(checkpoint())) as file:
        known = dict(file)
    outline = json.loads(str(known.pop("outline")))
    flat = change({"format": outline["format"]} | outline["state"])
    if isinstance(flat, dict):
        state = {key: own for key, own in flat.items() if key != "format"}
        flat = {key: own for key, own in flat.items() if key == "format"} | {"state": state}
    return sealed(**known | arrays, outline=np.array(json.dumps(flat)))


def sealed(**arrays):
    """An archive of arrays that ends in the checksum of all before it, as a checkpoint does."""
    with TemporaryDirectory() as folder:
        files.write_arrays(Path(folder) / "a.npz", arrays, comment=bytes(runs.SUM))
        content = (Path(folder) / "a.npz").read_bytes()[: -runs.SUM]
    return content + sha256(content).hexdigest().encode()


def without(name):
    return lambda outline: {key: own for key, own in outline.items() if key != name}


CHECKPOINTS = {
    **{
        f"cut after {share:.0%}": (lambda share=share: checkpoint()[: int(share * len(checkpoint()))], "")
        for share in (0, 0.01, 0.1, 0.5, 0.9, 0.99)
    },
    "cut by a byte": (lambda: checkpoint()[:-1], ""),
    "a byte of a weight": (
        lambda: changed(checkpoint(), checkpoint().index(b"params/fc1.weight.npy") + 200),
        "SHA-256",
    ),
    "the shape of a weight": (lambda: changed(checkpoint(), checkpoint().index(b"(6, 4)") + 1, ord("5")), "SHA-256"),
    "a byte of the outline": (
        lambda: changed(checkpoint(), checkpoint().index("number".encode("utf-32-le"))),
        "SHA-256",
    ),
    "text": (lambda: b"weights", ""),
    "one array": (lambda: b"\x93NUMPY\x01\x00v\x00", ""),
    "another zip": (lambda: archive(**{"readme.txt": "hello"}), "SHA-256"),
    "another npz": (lambda: GOOD_NPZ, "SHA-256"),
    "weights alone": (lambda: sealed(**params()), "outline"),
    "an outline with code": (lambda: npz(outline=np.array([print])), ""),
    "an outline that is no JSON": (lambda: sealed(outline=np.array("{")), ""),
    "an outline that is a list": (lambda: outlined(lambda outline: [1]), ""),
    "an outline that never ends": (lambda: sealed(outline=np.array("[" * 10**5)), ""),
    "a newer format": (
        lambda: outlined(lambda outline: outline | {"format": 2}),
        "is a checkpoint of format 2; this minisparse reads 1 only",
    ),
    "a format in words": (
        lambda: outlined(lambda outline: outline | {"format": "new"}),
        "is a checkpoint of format 'new'; this minisparse reads 1 only",
    ),
    **{
        f"without its {name}": (lambda name=name: outlined(without(name)), name)
        for name in ("format", "number", "params", "masks", "slots", "memory", "key")
    },
    "with more than it should": (lambda: outlined(lambda outline: outline | {"epoch": 3}), "epoch"),
    "without an array": (lambda: outlined(lambda outline: outline | {"params": {"w": "params/w"}}), "params/w"),
    "a number below zero": (lambda: outlined(lambda outline: outline | {"number": -1}), "number is -1"),
    "a number that is none": (lambda: outlined(lambda outline: outline | {"number": "many"}), ""),
    "a number that is true": (lambda: outlined(lambda outline: outline | {"number": True}), "number is True"),
    "a key out of range": (lambda: outlined(lambda outline: outline | {"key": 2**128}), "key is"),
    "parameters that are none": (lambda: outlined(lambda outline: outline | {"params": None}), "params is NoneType"),
    "slots that are none": (lambda: outlined(lambda outline: outline | {"slots": 3}), "slots is int"),
    "a mask of no parameter": (
        lambda: outlined(lambda outline: outline | {"masks": {"fc9": "masks/fc1.weight"}}),
        "'fc9'",
    ),
    "a mask of another shape": (
        lambda: outlined(lambda outline: outline, **{"masks/fc1.weight": true(2, 2)}),
        "(2, 2)",
    ),
    "a mask of numbers": (
        lambda: outlined(lambda outline: outline, **{"masks/fc1.weight": 0.5 * ones(6, 4)}),
        "float64; expected bool",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_is_damaged_foreign_or_newer_is_refused_whole(tmp_path, name):
    make, said = CHECKPOINTS[name]
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(make())
    refused(lambda: runs.load_state(path), ValueError, "checkpoint.npz is ", said)


def test_the_checkpoint_from_which_the_damaged_ones_were_made_is_read(tmp_path):
    for content in (checkpoint(), outlined(lambda outline: outline)):
        (tmp_path / "checkpoint.npz").write_bytes(content)
        assert runs.load_state(tmp_path / "checkpoint.npz").number == 1


# Golden answers.

ANSWERS = [
    (b"", "is not JSON"),
    (b"\xff\xfe", "is not JSON"),
    (b'{"version": 1', "is not JSON"),
    (b"[" * 10**5, "is not JSON"),
    (b"[]", "is not of the form"),
    (b"null", "is not of the form"),
    (b'{"version": 2, "answers": {}}', '"version": 1'),
    (b'{"version": "1", "answers": {}}', '"version": 1'),
    (b'{"version": 1, "answers": [1]}', "is not of the form"),
    (b'{"version": 1, "answers": {"rigl/nothing": 1}}', "'rigl/nothing', which is not a case"),
]


@pytest.mark.parametrize(("content", "said"), some(ANSWERS), ids=some(range(len(ANSWERS))))
def test_answers_that_are_none_are_refused_by_their_file(tmp_path, content, said):
    (tmp_path / "answers.json").write_bytes(content)
    refused(lambda: check.checked(str(tmp_path)), ValueError, "answers.json", said)


# The command line: exit status 2 and one sentence, on standard error, without a traceback.

SLIM = ("--model", "mlp-8", "--epochs", "1")
COMMANDS = [
    ("train --method slim", "--method is 'slim'; expected dense"),
    ("train --model lenet-6", "--model is 'lenet-6'; expected lenet-300-100"),
    ("train --model wrn-11-2", "depth is 11"),
    ("train --data imagenet", "--data is 'imagenet'; expected digits"),
    ("train --data nowhere.csv", "nowhere.csv"),
    ("train --data nowhere.npz", "nowhere.npz"),
    ("train --data cifar10", "cifar10"),
    ("train --data mnist --data-dir nowhere", "nowhere"),
    ("train --label digit", "--label is 'digit'"),
    ("train --sparsity 1", "sparsity is 1.0; expected a fraction in [0, 1)"),
    ("train --sparsity nan", "sparsity is nan; expected a fraction in [0, 1)"),
    ("train --sparsity=-0.1", "sparsity is -0.1"),
    ("train --sparsity high", "--sparsity"),
    ("train --distribution normal", "--distribution is 'normal'; expected uniform"),
    ("train --dense fc9", "--dense is 'fc9'; expected conv"),
    ("train --epochs 0", "--epochs"),
    ("train --epochs 1.5", "--epochs"),
    ("train --batch 0", "--batch"),
    ("train --batch 2000", "--batch is 2000; expected a whole number from 1 to 1500"),
    ("train --optimizer lion", "--optimizer is 'lion'; expected sgd, adam"),
    ("train --lr=-0.1", "--lr is -0.1; expected a finite number from 0"),
    ("train --lr nan", "--lr is nan; expected a finite number from 0"),
    ("train --lr-drops 1,ten", "--lr-drops is '1,ten'; expected numbers such as 25,40"),
    ("train --lr-drops nan", "--lr-drops is nan; expected a finite number from 0"),
    ("train --lr-factor nan", "--lr-factor is nan; expected a finite number from 0"),
    ("train --momentum 1", "momentum is 1.0; expected a number in [0, 1)"),
    ("train --weight-decay=-1", "weight_decay is -1.0"),
    ("train --alpha 2", "alpha is 2.0; expected a drop fraction"),
    ("train --delta-t 0", "--delta-t"),
    ("train --t-end 0", "--t-end"),
    ("train --method set --zeta 2", "zeta is 2.0; expected a drop fraction"),
    ("train --method snfs --prune-rate=-1", "rate is -1.0; expected a drop fraction"),
    ("train --method l0 --penalty nan", "lambda_ is nan; expected a finite number"),
    ("train --method lottery --rounds 0", "--rounds"),
    ("train --method static --alpha 0.2", "--alpha is given for static"),
    ("train --seed=-1", "--seed"),
    ("train --storage csr", "--storage is 'csr'; expected masked, sparse"),
    ("train --method snfs --storage sparse", "--storage is 'sparse'"),
    ("train --device tpu", "device is 'tpu'; expected 'cpu' or 'cuda'"),
    ("train --resume", "--resume is given without --out"),
    ("train --out FILE", "FILE"),
    ("train --wings 2", "--wings"),
    ("compare --method slim", "--method is 'slim'; expected dense"),
    ("compare --jobs 0", "--jobs"),
    ("evaluate", "RUN"),
    ("evaluate nowhere", "nowhere holds no run"),
    ("evaluate BROKEN", "config.json is no JSON"),
    ("evaluate FOREIGN", "config.json is damaged, or another kind of file"),
    ("evaluate OTHER", "checkpoint.npz is of another run"),
    ("inspect nowhere", "nowhere holds no run"),
    ("inspect OTHER", "checkpoint.npz is of another run"),
    ("export nowhere", "nowhere holds no run"),
    ("export nowhere --to onnx", "--to is 'onnx'; expected npz, safetensors, torch"),
    ("cost", "--model"),
    ("cost --model lenet-6", "--model is 'lenet-6'"),
    ("cost --model lenet-5 --sparsity 1", "sparsity is 1.0"),
    ("cost --model lenet-5 --shape 28", "--shape is '28'; expected a shape like 28x28x1"),
    ("cost --model lenet-5 --shape 0x28x1", "--shape is '0x28x1'"),
    ("cost --model lenet-5 --shape 4x4x1", "does not fit into"),
    ("cost --model lenet-5 --classes 0", "--classes"),
    ("cost --model lenet-5 --width=-1", "--width is -1.0"),
    ("cost --model alexnet --width 2", "--width is 2.0 for alexnet; expected a positive number for"),
    ("cost --model lenet-5 --method adam", "method is 'adam'; expected dense"),
    ("cost --model lenet-5 --convention han", "convention is 'han'; expected clean"),
    ("cost --model lenet-5 --period 0", "--period"),
    ("cost --model lenet-5 --distribution rigl-mnist", "'rigl-mnist'"),
    ("reproduce nothing", "NAME is 'nothing'; expected all"),
    ("demo --data imagenet", "--data is 'imagenet'; expected digits, mnist"),
    ("golden show rigl_updat", "'rigl_updat' is not a function or case"),
    ("golden export OUT --function rigl_updat", "did you mean rigl_update"),
    ("golden check top_k", "top_k"),
    ("golden check top_k nowhere:f", "nowhere cannot be imported"),
    ("golden check top_k minisparse:nothing", "minisparse has no nothing"),
    ("golden check top_k minisparse:top_k --ties most", "--ties is 'most'; expected any, pinned"),
    ("golden check top_k minisparse:top_k --arrays mxnet", "--arrays is 'mxnet'; expected numpy"),
    ("golden check top_k minisparse:top_k --profile mine", "--profile is 'mine'; expected reference"),
    ("golden check BROKEN", "answers.json is not JSON"),
]  # fmt: skip


@cache
def other_network():
    """(config, checkpoint) of a run on the digits whose checkpoint is another network's."""
    task = prepare(Plan(method="dense", model="mlp-8", epochs=1))
    return task.config, written(one_step()[-1].state)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in, with files and runs that are not what they should be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINISPARSE_DATA", raising=False)
    (tmp_path / "FILE").write_text("a file")
    for name, config in {"BROKEN": "{", "FOREIGN": '{"data": "digits"}', "OTHER": None}.items():
        (tmp_path / name).mkdir()
        if config is not None:
            (tmp_path / name / "config.json").write_text(config)
    (tmp_path / "BROKEN" / "answers.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(("line", "said"), some(COMMANDS, every=2), ids=some((line for line, _ in COMMANDS), every=2))
def test_a_command_is_refused_with_status_2_and_one_sentence(folder, monkeypatch, capsys, line, said):
    if "OTHER" in line:
        config, content = other_network()
        (folder / "OTHER" / "config.json").write_text(json.dumps(config))
        (folder / "OTHER" / "checkpoint.npz").write_bytes(content)
    slim = SLIM if line.startswith(("train", "compare")) else ()
    given = [word for pair in zip(slim[::2], slim[1::2], strict=True) if pair[0] not in line for word in pair]
    monkeypatch.setattr(sys, "argv", ["minisparse", *line.split(), *given])
    with pytest.raises(SystemExit) as left:
        main()
    words = capsys.readouterr()
    assert left.value.code == 2, words
    assert said in words.err
    assert "Traceback" not in words.out + words.err
    assert not (folder / "runs").exists(), "a refused run leaves no folder"


@pytest.mark.long
@pytest.mark.parametrize("line", ["train --lr nan", "evaluate nowhere", "golden check top_k nowhere:f"])
def test_the_process_itself_ends_with_status_2(folder, line):
    package = str(Path(ms.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", "from minisparse.cli import main; main()", *line.split()],
        env=os.environ | {"PYTHONPATH": package, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("minisparse: ")
    assert "Traceback" not in done.stderr


def test_the_tables_have_at_least_150_rows_and_no_row_twice():
    lines = [line for line, _ in COMMANDS]
    assert len(set(lines)) == len(lines)
    assert len(PUBLIC) + len(DATA) + len(FOLDERS) + len(CHECKPOINTS) + len(ANSWERS) + len(COMMANDS) >= 150
