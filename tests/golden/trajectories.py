"""Golden cases of whole runs: what order, momentum and schedule do, which no single update shows.

Numbers are multiples of 1/64, no two of a step's scores in a layer of equal size, so that every rank has a margin.
"""

import numpy as np

from tests.golden.case import Function, Numbers
from tests.golden.public_trajectories import told_of
from tests.golden.slow_trajectory import slow_trajectory

TRAJECTORY = Function("trajectory", "case", slow_trajectory)
FUNCTIONS = [TRAJECTORY]

SHAPES = {"fc1.weight": (3, 4), "fc1.bias": (4,), "fc2.weight": (4, 2)}
GATED = {
    "conv.weight": (1, 2, 1, 2),
    "conv.bias": (2,),
    "conv.log_alpha": (2,),
    "fc.weight": (3, 2),
    "fc.bias": (2,),
    "fc.log_alpha": (3, 1),
    "out.weight": (2, 2),
}


def run(seed, steps, method, optimizer, active=(7, 5), noise=False, shapes=SHAPES, targets=False):
    draw = Numbers(seed)
    masks = {name: draw.mask(shapes[name], n) for name, n in zip(("fc1.weight", "fc2.weight"), active, strict=False)}
    whole = {
        "params": {name: draw.signed(shape, 6) for name, shape in shapes.items()},
        "masks": masks,
        "grads": [{name: draw.signed(shape) for name, shape in shapes.items()} for _ in range(steps)],
        "noise": [{name: draw.between(shapes[name]) for name in masks} for _ in range(steps)] if noise else None,
        "optimizer": optimizer,
        "method": method,
    }
    return whole | ({"targets": {name: draw.signed(shapes[name], 4) for name in masks}} if targets else {})


def louder(case, name, times):
    """The case with larger gradients in one layer."""
    return case | {"grads": [g | {name: times * g[name]} for g in case["grads"]]}


def heavier(case, name, times):
    """The case with larger weights in one layer."""
    return case | {"params": case["params"] | {name: times * case["params"][name]}}


def gated_run(seed, steps, method, optimizer, log_alpha, without=()):
    draw, shapes = Numbers(seed), {name: shape for name, shape in GATED.items() if name not in without}
    params = {name: draw.signed(shape, 6) for name, shape in shapes.items()}
    params |= {name: np.array(a, dtype=float).reshape(shapes[name]) for name, a in log_alpha.items()}
    switched = [name for name in shapes if not name.endswith("log_alpha")]
    return {
        "params": params,
        "masks": {},
        "grads": [{name: draw.signed(GATED[name], 4) for name in switched} for _ in range(steps)],
        "noise": [{name: draw.between(GATED[name]) for name in log_alpha} for _ in range(steps)],
        "optimizer": optimizer,
        "method": {"name": "l0", **method},
    }


def sgd(lr=0.25, momentum=0.5, nesterov=False, weight_decay=0.0):
    return {"name": "sgd", "lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}


def adam(lr=0.0625, weight_decay=0.0):
    return {"name": "adam", "lr": lr, "betas": (0.75, 0.875), "eps": 1e-8, "weight_decay": weight_decay}


STATIC = {"name": "static"}
BY_TORCH = "twin; torch.optim of PyTorch 2.13 gives the same"

TRAJECTORY.case(
    "static-momentum",
    "masks stay, gradients are dense: after every step weights and velocity of absent connections are zero again, and "
    "the bias, which has no mask, is trained as ever",
    run(11, 12, STATIC, sgd()),
    pin="B6, R7", source=BY_TORCH,
)  # fmt: skip
TRAJECTORY.case(
    "static-nesterov-decay",
    "Nesterov's step is g + λw + m v with the v of this step; weight decay is inside g, acts on weights and not on "
    "biases",
    run(12, 12, STATIC, sgd(nesterov=True, weight_decay=0.125)),
    pin="B6", source=BY_TORCH,
)  # fmt: skip
TRAJECTORY.case(
    "static-adam-decay",
    "Adam corrects the bias of both moments, has ε outside the root and weight decay in the gradient; both moments of "
    "absent connections are zero",
    run(13, 12, STATIC, adam(weight_decay=0.125)),
    pin="B6, A17", source=BY_TORCH,
)  # fmt: skip
TRAJECTORY.case(
    "static-learning-rates",
    "the learning rate of a step is that of its batch's number, counted from 0, and the velocity does not contain it",
    run(14, 12, STATIC, sgd(lr=np.array([0.5] * 4 + [0.25] * 3 + [0.0625] * 5))),
    pin="B3", source=BY_TORCH,
)  # fmt: skip
TRAJECTORY.case(
    "static-momentum-decay",
    "weight decay is part of the gradient, scaled by the learning rate and kept in the velocity, and biases have none",
    run(15, 12, STATIC, sgd(weight_decay=0.125)),
    pin="G8, B6", source=BY_TORCH,
)  # fmt: skip
TRAJECTORY.case(
    "rigl-cadence",
    "ΔT = 4 and T_end = 12: steps 4 and 8 move connections and leave out the optimizer; steps 0 and 12 are ordinary",
    run(100, 14, {"name": "rigl", "alpha": 0.5, "period": 4, "t_end": 12}, sgd(), active=(9, 5)),
    pin="R8, R10, B1, B2",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-end-off-the-grid",
    "T_end = 18 is no multiple of ΔT = 5: updates at 5, 10 and 15; at 15 the count is 0, and the step is yet no "
    "optimizer step",
    run(22, 20, {"name": "rigl", "alpha": 0.5, "period": 5, "t_end": 18}, sgd(momentum=0.75)),
    pin="R8, R10, R13, B2",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-nesterov-decay",
    "growth ranks the gradient as it is, without weight decay and without momentum; a connection that is dropped and "
    "grown in one update keeps its velocity, one grown anew starts at 0",
    run(23, 14, {"name": "rigl", "alpha": 0.75, "period": 3, "t_end": 13}, sgd(nesterov=True, weight_decay=0.25)),
    pin="R5, R6, R12, B4",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-adam",
    "both of Adam's moments are zero where connections are dropped or grown; its own count of updates leaves out the "
    "steps that moved connections",
    run(100, 14, {"name": "rigl", "alpha": 0.5, "period": 4, "t_end": 14}, adam()),
    pin="R6, R7, A17",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-learning-rates",
    "every batch counts, also one that moved connections: the learning rate that falls at steps 6 and 10 does so "
    "there, and updates are ΔT batches apart",
    run(100, 14, {"name": "rigl", "alpha": 0.5, "period": 3, "t_end": 11},
        sgd(lr=np.array([0.5] * 6 + [0.25] * 4 + [0.125] * 4))),
    pin="R9, B3",
)  # fmt: skip
TRAJECTORY.case(
    "set-by-sign",
    "after epochs of 4 batches the optimizer steps and then connections move, the smallest positive and the largest "
    "negative ones; after the last epoch nothing moves",
    run(100, 16, {"name": "set", "zeta": 0.45, "epoch": 4, "epochs": 4}, sgd(), active=(8, 5), noise=True),
    pin="B1, B8, G1",
)  # fmt: skip
TRAJECTORY.case(
    "set-by-magnitude",
    "with ΔT = 5 below 15: after the steps 5 and 10 the smallest weights go, whatever their sign; what is kept keeps "
    "its velocity, and what is new starts at 0",
    run(100, 16, {"name": "set", "zeta": 0.45, "period": 5, "until": 15, "by_sign": False}, sgd(nesterov=True),
        active=(8, 5), noise=True),
    pin="B1, G7, G9",
)  # fmt: skip
TRAJECTORY.case(
    "set-adam",
    "Adam steps on every batch, on those that move connections too, and counts them all",
    run(33, 12, {"name": "set", "zeta": 0.35, "epoch": 3, "epochs": 4}, adam(weight_decay=0.125), active=(9, 6),
        noise=True),
    pin="B1, B8, A17",
)  # fmt: skip
TRAJECTORY.case(
    "snfs",
    "gradients are smoothed over every batch, dense and never reset, whatever the optimizer's momentum; connections "
    "move between layers, and as many grow in all as go",
    run(106, 16, {"name": "snfs", "rate": 0.5, "epoch": 4, "epochs": 4, "beta": 0.75}, sgd(momentum=0.25)),
    pin="B8, F2, F4",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-near-dense-layer",
    "a layer less than a fifth sparse with more than an equal share of the momentum drops its sparsity's part, not p; "
    "p falls on a cosine to 0 at the run's end",
    run(100, 16, {"name": "snfs", "rate": 0.5, "period": 4, "until": 14, "beta": 0.5},
        sgd(nesterov=True, weight_decay=0.125), active=(5, 7)),
    pin="F2, F9",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-without-redistribution",
    "every layer regrows what it lost",
    run(101, 12, {"name": "snfs", "rate": 0.5, "epoch": 3, "epochs": 4, "beta": 0.75, "redistribute": False}, adam()),
    pin="F4, B8",
)  # fmt: skip
TRAJECTORY.case(
    "gradual",
    "begin 2, period 5, end 11: the steps 2 and 7 prune, and 11, off the grid, too, so that a quarter is left exactly; "
    "at 2 the formula's 0 removes nothing; the optimizer steps first",
    run(51, 14, {"name": "gradual", "begin": 2, "end": 11, "period": 5, "initial": 0.0, "final": 0.75}, sgd(),
        active=(12, 8)),
    pin="C4, C5, C6",
)  # fmt: skip
TRAJECTORY.case(
    "gradual-from-a-quarter",
    "an initial sparsity of 0.25 is reached at step `begin`, and a mask that is sparser than asked stays as it is",
    run(52, 14, {"name": "gradual", "begin": 3, "end": 12, "period": 3, "initial": 0.25, "final": 0.875},
        adam(), active=(12, 4)),
    pin="C4, C6",
)  # fmt: skip
TRAJECTORY.case(
    "three-step",
    "train, prune what is below quality times the deviation of the survivors, retrain at another rate, and again: what "
    "survives keeps its value, the velocity starts anew, and a unit without a way in or out goes with its connections",
    run(98, 13, {"name": "three_step", "steps": (5, 4, 4), "retrain_lr": 0.0625,
                 "qualities": tuple({"fc1.weight": q, "fc2.weight": 0.75} for q in (0.5, 0.75))},
        sgd(), active=(12, 8)),
    pin="I1, I3, 1.7 Han",
)  # fmt: skip
TRAJECTORY.case(
    "three-step-adam",
    "every round has a new Adam, moments and count at 0, and its own qualities: a layer of quality 0 loses nothing",
    run(74, 12, {"name": "three_step", "steps": (4, 4, 4), "retrain_lr": 0.125,
                 "qualities": ({"fc1.weight": 1.0, "fc2.weight": 0.0}, {"fc1.weight": 0.0, "fc2.weight": 1.0})},
        adam(), active=(12, 8)),
    pin="I3, 1.7 Han",
)  # fmt: skip
TRAJECTORY.case(
    "lottery",
    "a quarter of what is left is pruned by its trained size, the rest goes back to its first value, velocity and "
    "learning rate, and trains on its mask",
    run(81, 15, {"name": "lottery", "steps": 5, "rounds": 2, "share": 0.25, "rewind": 0},
        sgd(lr=np.array([0.5, 0.5, 0.25, 0.25, 0.125])), active=(12, 8)),
    pin="I6, I7",
)  # fmt: skip
TRAJECTORY.case(
    "lottery-rewound-to-step-2",
    "tickets go back to step 2 of the first round, in weights, in both of Adam's moments and in its count; .375 of 12, "
    "4.5, is rounded to 4",
    run(82, 14, {"name": "lottery", "steps": 6, "rounds": 2, "share": 0.375, "rewind": 2}, adam(), active=(12, 8)),
    pin="I6, I7",
)  # fmt: skip
TRAJECTORY.case(
    "l0",
    "the way back goes through the gates, with slope 0 where one is clipped, and P (1 − P) λ/N |g| is the penalty's; "
    "gates of outputs switch the bias too and count it; log α stays within log 100",
    gated_run(61, 12, {"n_examples": 8, "lambda_": 0.5, "weight_decay": 0.0}, sgd(lr=0.5),
              {"conv.log_alpha": [4.5, -0.5], "fc.log_alpha": [-4.59375, 1, 0]}),
    pin="H5, H6, H11",
)  # fmt: skip
TRAJECTORY.case(
    "l0-adam-decay",
    "each layer has its own λ, over N; L2 is weighted by P, not divided by N, and acts on weights alone, those without "
    "a gate in full",
    gated_run(62, 12, {"n_examples": 16, "lambda_": {"conv": 2.0, "fc": 0.25}, "weight_decay": 0.125}, adam(lr=0.125),
              {"conv.log_alpha": [1.5, 0], "fc.log_alpha": [2, -1, 0.5]}),
    pin="H9, H10",
)  # fmt: skip
SMALL = {"fc1.weight": (2, 3), "fc1.bias": (3,), "fc2.weight": (3, 2)}
FIFTHS = {"fc1.weight": (2, 5), "fc2.weight": (5, 2)}
TRAJECTORY.case(
    "static-without-masks",
    "an empty dict of masks is dense training",
    run(201, 12, STATIC, sgd(), active=(), shapes=SMALL),
    pin="B6, no masks",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-towards-a-target",
    "a gradient that depends on the weights is that of the masked ones; with ΔT = 1 connections move on every batch "
    "but the first, and no weight is trained until T_end",
    run(203, 12, {"name": "rigl", "alpha": 0.75, "period": 1, "t_end": 5}, sgd(), active=(3, 3), shapes=SMALL,
        targets=True),
    pin="R12, 1.9, period 1",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-every-batch-towards-a-target",
    "epochs of one batch: connections move after every step but the last, the first included, where the smoothed "
    "gradient is already that of the masked weights: what absent weights held at the start pulls at nothing",
    run(217, 12, {"name": "snfs", "rate": 0.75, "epoch": 1, "epochs": 12, "beta": 0.75}, sgd(), active=(3, 4),
        shapes=SMALL, targets=True),
    pin="R7, B8, epoch 1",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-without-memory",
    "beta may be 0, for this batch's gradient alone; the fraction may be another function of the step, and grown "
    "weights may start against the gradient",
    run(219, 12, {"name": "snfs", "epoch": 4, "epochs": 3, "beta": 0.0,
                  "fill": {"name": "along_gradient", "rate": 0.25},
                  "fraction": {"name": "linear", "alpha": 0.75, "t_end": 14, "begin": 4}}, sgd(), active=(4, 4),
        shapes=SMALL),
    pin="F2, beta 0",
)  # fmt: skip
TRAJECTORY.case(
    "rigl-straight-and-filled",
    "another drop fraction, here a line, replaces the cosine; grown weights start at a small step against this "
    "batch's gradient, and what was there already does not",
    run(205, 12, {"name": "rigl", "period": 3, "t_end": 11, "fraction": {"name": "linear", "alpha": 0.75, "t_end": 20},
                  "fill": {"name": "along_gradient", "rate": 0.125}}, sgd(nesterov=True), active=(3, 3), shapes=SMALL),
    pin="C3, 1.1 grad_scale",
)  # fmt: skip
TRAJECTORY.case(
    "set-every-batch",
    "epochs of one batch, and a fraction of its own: connections move after every step but the last",
    run(207, 12, {"name": "set", "epoch": 1, "epochs": 12, "by_sign": False,
                  "fraction": {"name": "inverse_power", "alpha": 0.75, "t_end": 40, "k": 2}}, sgd(), active=(4, 3),
        noise=True, shapes=SMALL),
    pin="B8, C3, epoch 1",
)  # fmt: skip
TRAJECTORY.case(
    "set-constant-fraction",
    "a constant fraction of each sign, and no cosine; grown weights start against the gradient, after the step that "
    "saw it",
    run(209, 12, {"name": "set", "epoch": 4, "epochs": 3, "fraction": {"name": "constant", "alpha": 0.75},
                  "fill": {"name": "along_gradient", "rate": 0.25}}, sgd(),
        active=(5, 5), noise=True, shapes=SMALL),
    pin="G1, constant",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-a-fifth-sparse",
    "a layer exactly a fifth sparse drops p, whatever its share; so does one less sparse whose share is not above "
    "equal",
    louder(run(212, 12, {"name": "snfs", "period": 9, "until": 12, "beta": 0.5, "redistribute": False,
                         "fraction": {"name": "constant", "alpha": 0.75}}, sgd(), active=(8, 9), shapes=FIFTHS),
           "fc1.weight", 4),
    pin="F9, a fifth",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-three-tenths-sparse",
    "a layer three tenths sparse drops p, though most of the momentum is its own",
    louder(run(213, 12, {"name": "snfs", "period": 9, "until": 12, "beta": 0.5, "redistribute": False,
                         "fraction": {"name": "constant", "alpha": 0.75}}, sgd(), active=(7, 4), shapes=FIFTHS),
           "fc1.weight", 4),
    pin="F9, three tenths",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-one-layer",
    "a layer alone has an equal share, which is not above equal: nearly dense, it drops p",
    run(215, 12, {"name": "snfs", "rate": 0.875, "period": 5, "until": 12, "beta": 0.5}, sgd(), active=(9,),
        shapes={"fc1.weight": (2, 5)}),
    pin="F9, one layer",
)  # fmt: skip
TRAJECTORY.case(
    "snfs-p-below-the-sparsity",
    "a nearly dense layer with more than its share drops p where p is below its sparsity",
    louder(run(227, 12, {"name": "snfs", "period": 9, "until": 12, "beta": 0.5,
                         "fraction": {"name": "constant", "alpha": 0.078125}}, sgd(), active=(17, 4),
               shapes={"fc1.weight": (4, 5), "fc2.weight": (5, 2)}), "fc1.weight", 8),
    pin="F9, p below",
)  # fmt: skip
TRAJECTORY.case(
    "gradual-to-nothing",
    "begin 0, a period of 1 and a final sparsity of 1: the first step is asked too, and nothing is left at the end",
    run(223, 12, {"name": "gradual", "begin": 0, "end": 4, "period": 1, "initial": 0.0, "final": 1.0}, sgd(),
        active=(6, 6), shapes=SMALL),
    pin="C4, C5, final 1",
)  # fmt: skip
TRAJECTORY.case(
    "three-step-with-dropout",
    "retraining is at a tenth of the rate if no other is given, and at dropout D times the root of what is left of the "
    "layer's first connections",
    run(225, 12, {"name": "three_step", "steps": (4, 4, 4), "dropout": {"fc1.weight": 0.5},
                  "qualities": ({"fc1.weight": 0.75, "fc2.weight": 0.0}, {"fc1.weight": 0.75, "fc2.weight": 0.5})},
        sgd(), active=(6, 6), shapes=SMALL),
    pin="I2, 1.7 Han, dropout",
)  # fmt: skip
TRAJECTORY.case(
    "lottery-shares",
    "each layer may have a share of its own: a half of one, a sixth of the other",
    run(227, 12, {"name": "lottery", "steps": 6, "rounds": 1, "share": {"fc1.weight": 0.5, "fc2.weight": 0.1875},
                  "rewind": 0}, sgd(), active=(6, 6), shapes=SMALL),
    pin="I6, shares",
)  # fmt: skip
TRAJECTORY.case(
    "lottery-globally",
    "one ranking of all layers takes the smallest trained weights, wherever they are, and rewinds the rest",
    run(229, 12, {"name": "lottery", "steps": 6, "rounds": 2, "share": 0.375, "rewind": 3, "globally": True}, adam(),
        active=(6, 6), shapes=SMALL),
    pin="I9, I6, globally",
)  # fmt: skip
TRAJECTORY.case(
    "lottery-without-rounds",
    "no rounds: the whole network is trained once",
    run(231, 12, {"name": "lottery", "steps": 12, "rounds": 0, "share": 0.5, "rewind": 0}, sgd(), active=(6, 6),
        shapes=SMALL),
    pin="I6, rounds 0",
)  # fmt: skip
TRAJECTORY.case(
    "l0-without-bias",
    "gates of outputs where there is no bias; weights may grow beyond log 100, which bounds log α alone",
    heavier(gated_run(63, 12, {"n_examples": 4, "lambda_": 0.25, "weight_decay": 0.0}, sgd(lr=1.0),
                      {"conv.log_alpha": [1.5, -0.5], "fc.log_alpha": [0.5, 1, 0]}, without=("conv.bias", "fc.bias")),
            "out.weight", 16),
    pin="H11, no bias",
)  # fmt: skip
for case in TRAJECTORY.cases:
    case.profiles.update(told_of(case.id.removeprefix("trajectory/"), case.inputs["case"]))
