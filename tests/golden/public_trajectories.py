"""What semantics.md tells of the loops of public code, as far as it decides: `other_trajectory` with their changes.

Weights are shown masked, slots as they are stored. Where a code takes numbers that the case has not, they are what
makes it most like the case: JAXPruner's updates begin at ΔT, rigl-torch ranks the gradient of one batch.
"""

from tests.golden import other_trajectory
from tests.golden.broken import rewritten
from tests.golden.wrong_trajectories import AFTER_STEP, AFTER_UPDATE, MASKED, UPDATES

DUE = "return 0 < t < last and t % method"
COUNT = 'k = int(fraction(method["alpha"], t, method["t_end"]) * mask.sum())\n            new'
STEP = "                g = grads[key] + decay * w"
SHOWN = 'path.append({"params": dict(params),'
BEFORE = "            masks = next_masks("
LOOP = 'if start:\n        slots = start["slots"]'
RATE = 'optimizer["lr"] if isinstance(optimizer["lr"], float) else optimizer["lr"][t]'
TIME = "        time = is_time(t, method, name)\n"


def told(*changes):
    return rewritten(other_trajectory, "trajectory", *changes)


MOMENTUM_UNMASKED = (AFTER_STEP, AFTER_STEP.replace(MASKED, "params[key] = params[key] * mask"))
# 1.1 JP: the trace is zeroed where something grows and kept where it is dropped (R7); n_keep is rounded, one at least
JAXPRUNER = [
    MOMENTUM_UNMASKED,
    (BEFORE, f"            before = masks\n{BEFORE}"),
    (AFTER_UPDATE, AFTER_UPDATE.replace(
        MASKED,
        "old = before[key] | ~mask\n                params[key] = params[key] * mask\n"
        "                first[key], second[key] = first[key] * old, second[key] * old",
    )),
    (DUE, "return 0 < t <= last and t % method"),
    (COUNT, 'n = int(mask.sum())\n            k = n - max(round(n * (1 - fraction(method["alpha"], t, '
     'method["t_end"]))), 1)\n            new'),
]  # fmt: skip
# 1.1 RG: updates at 0, ΔT, … of a counter that they do not move, T_end included; k truncated in float32
RIGL_TF1 = [
    (LOOP, f"done, last_update = 0, -method.get('period', 0)\n    raw = dict(case['params'])\n    {LOOP}"),
    (TIME, "        time = name == 'rigl' and last_update + method['period'] <= done <= method['t_end']\n"
     "        last_update = done if time else last_update\n"),
    (RATE, RATE.replace("[t]", "[done]")),
    (f'{UPDATES}"rigl"):', f'{UPDATES}"rigl"):\n            done += 1\n            params = raw'),
    (STEP, "                g = grads[key] * masks.get(key, 1) + decay * w"),
    (AFTER_STEP, "        if time:"),
    ("masks = next_masks(t, name, method, params,",
     "before = masks\n            params = {key: w * masks.get(key, 1) for key, w in raw.items()}\n"
     "            masks = next_masks(done, name, method, params,"),
    (COUNT, 'k = int(np.float32(mask.sum()) * np.float32(fraction(method["alpha"], t, method["t_end"])))\n'
     "            new"),
    (AFTER_UPDATE, AFTER_UPDATE.replace(
        MASKED,
        "old = before[key] | ~mask\n"
        "                raw[key], first[key], second[key] = raw[key] * old, first[key] * old, second[key] * old",
    )),
    (SHOWN, 'path.append({"params": {key: w * masks.get(key, 1) for key, w in raw.items()},'),
]  # fmt: skip
# 1.1 TO: the counter is a step ahead; gradients are masked, and of the optimizer's slots the momentum alone
RIGL_TORCH = [
    (DUE, "return t + 1 < last and (t + 1) % method"),
    (COUNT, COUNT.replace("t, method", "t + 1, method")),
    (STEP, "                g = grads[key] * masks.get(key, 1) + decay * w"),
    (AFTER_STEP, AFTER_STEP.replace(
        MASKED, "params[key], first[key] = params[key] * mask, first[key] * (1 if is_adam else mask)")),
    (AFTER_UPDATE, AFTER_UPDATE.replace(
        MASKED, "params[key], first[key] = params[key] * mask, first[key] * (1 if is_adam else mask)")),
]  # fmt: skip
# 1.3 JP: the update skips SGD, T_end is included
JAXPRUNER_SET = [
    *(change for change in JAXPRUNER if change[0] != COUNT),
    (f'{UPDATES}"rigl"):', f'{UPDATES}"set"):'),
    ('move(params[key], mask, noise[key], int(method["zeta"] * mask.sum()))',
     'move(params[key], mask, noise[key], int(mask.sum()) - round(int(mask.sum()) * (1 - method["zeta"])))'),
]  # fmt: skip
# 1.7 TP: gradients are masked, weight_orig and its velocity are not
TORCH_PRUNE = [
    (LOOP, f"raw = dict(case['params'])\n    {LOOP}"),
    ("            updates += 1\n", "            updates += 1\n            params = raw\n"),
    (STEP, "                g = grads[key] * masks.get(key, 1) + decay * w"),
    (AFTER_STEP, "        if time:"),
    (SHOWN, 'path.append({"params": {key: w * masks.get(key, 1) for key, w in raw.items()},'),
]
# 1.3 SETs: w += pdw - wd w, on biases too
SET_OFFICIAL = [
    (STEP + ' if key.endswith("weight") else grads[key]', "                g = grads[key]"),
    ("params[key] = w - rate * change", "params[key] = w - rate * change - decay * w"),
]
# 1.6 L0: the bias of a filter takes no part in training, and λ of its group has the other sign
L0_OFFICIAL = [
    ("    grads = {key: g.copy() for key, g in grads.items()}",
     "    grads = {key: g * (not (key == 'conv.bias')) for key, g in grads.items()}"),
    ("p * (1 - p) * (cost + decay", "p * (1 - p) * ((cost if own == key else -cost) + decay"),
]  # fmt: skip

CHANGES = {
    "static-momentum": {"jaxpruner": [MOMENTUM_UNMASKED], "sparse-learning": [MOMENTUM_UNMASKED],
                        "torch-prune": TORCH_PRUNE, "rigl-reproducibility": []},
    "static-nesterov-decay": {"torch-prune": TORCH_PRUNE},
    "static-momentum-decay": {"set-official": SET_OFFICIAL},
    "rigl-cadence": {"rigl-tf1": RIGL_TF1, "rigl-torch": RIGL_TORCH, "jaxpruner": JAXPRUNER},
    "rigl-end-off-the-grid": {"rigl-tf1": RIGL_TF1, "rigl-torch": RIGL_TORCH, "jaxpruner": JAXPRUNER},
    "rigl-adam": {"rigl-tf1": RIGL_TF1, "rigl-torch": RIGL_TORCH, "jaxpruner": JAXPRUNER},
    "rigl-learning-rates": {"rigl-tf1": RIGL_TF1},
    "set-by-magnitude": {"jaxpruner": JAXPRUNER_SET},
    "l0": {"l0-official": L0_OFFICIAL},
}  # fmt: skip


def told_of(name, run):
    """{profile: its path} of the case called `name`."""
    return {profile: told(*changes)(case=run) for profile, changes in CHANGES.get(name, {}).items()}
