"""Wrong training loops, and the case that is to notice each. No single update shows most of them."""

from tests.golden import other_trajectory
from tests.golden.broken import Wrong, broken

MASKED = "params[key], first[key], second[key] = params[key] * mask, first[key] * mask, second[key] * mask"
AFTER_STEP = f"            for key, mask in masks.items():\n                {MASKED}\n        if time:"
AFTER_UPDATE = f"memory)\n            for key, mask in masks.items():\n                {MASKED}"
UPDATES = "if not (time and name == "


def wrong(name, text, replacement, line, case):
    call = broken(other_trajectory, "trajectory", text, replacement, anywhere=True)
    return Wrong(name, "trajectory", call, line, f"trajectory/{case}")


WRONG = [
    # the loop
    wrong("mask not re-applied", AFTER_STEP, "        if time:", "4.4: mask not re-applied", "static-momentum"),
    wrong("weights alone are masked", AFTER_STEP,
          AFTER_STEP.replace(MASKED, "params[key] = params[key] * mask"), "TP: pruned weights' momentum moves on",
          "static-momentum"),
    wrong("Adam slots unmasked", AFTER_UPDATE, AFTER_UPDATE.replace(
          MASKED, "params[key], first[key] = params[key] * mask, first[key] * (1 if is_adam else mask)"),
          "4.4: Adam slots unmasked", "rigl-adam"),
    wrong("Adam's second moment unmasked", AFTER_UPDATE, AFTER_UPDATE.replace(
          MASKED, "params[key], first[key] = params[key] * mask, first[key] * mask"), "4.4: Adam slots unmasked",
          "rigl-adam"),
    wrong("momentum of dropped kept", AFTER_UPDATE,
          AFTER_UPDATE.replace(MASKED, "params[key] = params[key] * mask"), "4.4: momentum of dropped kept",
          "rigl-cadence"),
    wrong("weights of dropped kept", AFTER_UPDATE,
          AFTER_UPDATE.replace(MASKED, "first[key], second[key] = first[key] * mask, second[key] * mask"),
          "R7: stored weight", "rigl-cadence"),
    wrong("momentum of grown kept", AFTER_STEP,
          AFTER_STEP.replace(MASKED, "params[key] = params[key] * mask"),
          "4.4: momentum of grown kept", "set-by-sign"),
    wrong("regrown starts at zero", AFTER_UPDATE, "memory)\n            kept_before = case['masks'] if not path else "
          "path[-1]['masks']\n            for key, mask in masks.items():\n                if name == 'rigl':\n"
          "                    n = int((mask & ~kept_before[key]).sum())\n"
          "                    k = int(fraction(method['alpha'], t, method['t_end']) * mask.sum())\n"
          "                    dropped = smallest(abs(params[key]), k, kept_before[key])\n"
          "                    params[key] = params[key] * ~(dropped & mask)\n"
          f"                {MASKED}", "R5: RR resets the value", "rigl-nesterov-decay"),
    wrong("regrown forgets its momentum", AFTER_UPDATE, "memory)\n            kept_before = case['masks'] if not path "
          "else path[-1]['masks']\n            for key, mask in masks.items():\n                if name == 'rigl':\n"
          "                    k = int(fraction(method['alpha'], t, method['t_end']) * mask.sum())\n"
          "                    dropped = smallest(abs(params[key]), k, kept_before[key])\n"
          "                    first[key] = first[key] * ~(dropped & mask)\n"
          f"                {MASKED}", "R5: momentum", "rigl-nesterov-decay"),
    wrong("grown momentum starts at the gradient", AFTER_UPDATE, AFTER_UPDATE.replace(
          MASKED, "params[key], second[key] = params[key] * mask, second[key] * mask\n"
          "                first[key] = first[key] * mask + grads[key] * (mask & (params[key] == 0))"),
          "R6: initial_acc_scale", "rigl-cadence"),
    wrong("optimizer made anew at an update", AFTER_UPDATE, AFTER_UPDATE.replace(
          MASKED, "params[key], first[key], second[key] = params[key] * mask, first[key] * 0, second[key] * 0"),
          "1.3: SETk loses all momentum", "set-by-magnitude"),
    wrong("the masks of the network are never used", "masks = next_masks(", "next_masks(",
          "finding 8: trained mask not used", "set-by-sign"),
    # order and schedule
    wrong("update also does SGD", f'{UPDATES}"rigl"):', "if True:", "4.4: update also does SGD", "rigl-cadence"),
    wrong("SET skips SGD", f'{UPDATES}"rigl"):', 'if not (time and name in ("rigl", "set")):', "B1: JP SET",
          "set-by-sign"),
    wrong("SNFS skips SGD", f'{UPDATES}"rigl"):', 'if not (time and name in ("rigl", "snfs")):', "B1", "snfs"),
    wrong("pruning skips SGD", f'{UPDATES}"rigl"):', 'if not (time and name in ("rigl", "gradual")):', "B1",
          "gradual"),
    wrong("T_end inclusive", "return 0 < t < last and", "return 0 < t <= last and", "4.4: T_end inclusive",
          "rigl-cadence"),
    wrong("first update at 0", "return 0 < t < last and", "return 0 <= t < last and", "4.4: first update at 0",
          "rigl-cadence"),
    wrong("updates one batch early", 't % method["period"] == 0\n\n', '(t + 1) % method["period"] == 0\n\n',
          "R10: RR (step+1) % ΔT", "rigl-end-off-the-grid"),
    wrong("a count of 0 lets the optimizer step", '    return 0 < t < last and t % method["period"] == 0',
          '    due = 0 < t < last and t % method["period"] == 0\n'
          '    return due and not (name == "rigl" and fraction(method["alpha"], t, last) < 0.1)', "R8, R13",
          "rigl-end-off-the-grid"),
    wrong("SET after the last epoch too", ' and t < method["epoch"] * method["epochs"] - 1', "", "B8", "set-by-sign"),
    wrong("epochs rewire on their first batch", 't % method["epoch"] == method["epoch"] - 1',
          't % method["epoch"] == 0 and t', "1.3: end of every epoch", "set-by-sign"),
    wrong("counter frozen", 'rate = optimizer["lr"] if isinstance(optimizer["lr"], float) else optimizer["lr"][t]',
          'rate = optimizer["lr"] if isinstance(optimizer["lr"], float) else optimizer["lr"][updates]',
          "4.4: counter frozen", "rigl-learning-rates"),
    wrong("Adam counts batches", "            updates += 1\n", "            updates = t + 1\n", "A17: Adam's count",
          "rigl-adam"),
    wrong("updates ΔT optimizer steps apart", 'last = method["t_end"] if name == "rigl" else method["until"]\n',
          'last = method["t_end"] if name == "rigl" else method["until"]\n    if name == "rigl":\n'
          '        return 0 < t < last and t % (method["period"] + 1) == method["period"]\n',
          "4.4: counter frozen (RG)", "rigl-learning-rates"),
    wrong("the end off the grid is missed", "return t == end or (", "return (", "C5: TM, JP miss the target",
          "gradual"),
    wrong("polynomial at step + 1", "(1 - (t - begin) / (end - begin)) ** 3",
          "(1 - (t + 1 - begin) / (end - begin)) ** 3",
          "4.4: polynomial at step+1", "gradual"),
    wrong("pruning from 0, whatever begin says", "(t - begin) % method", "t % method", "R10: JP not relative to start",
          "gradual"),
    wrong("initial sparsity left out", "last + (first - last) *", "last + (0 - last) *", "C4: JP s_i fixed at 0",
          "gradual-from-a-quarter"),
    wrong("pruned weights come back", "new[key] = smallest(-abs(params[key]), keep, mask)",
          "new[key] = smallest(-abs(params[key] - grads[key] * ~mask), keep, mask | True)",
          "C6: contrib revives", "gradual-from-a-quarter"),
    wrong("sparsity of what is left", "keep = min(int(mask.sum()), mask.size - round(s * mask.size))",
          "keep = int(mask.sum()) - round(s * int(mask.sum()))", "1.7: TP on the remaining", "gradual"),
    wrong("a mask sparser than asked grows back", "keep = min(int(mask.sum()), mask.size - round(s * mask.size))",
          "keep = mask.size - round(s * mask.size)", "C6: masks nested", "gradual-from-a-quarter"),
    # what is ranked
    wrong("grow pool excludes just-dropped", "return kept | smallest(-growth, k, ~kept)",
          "return kept | smallest(-growth, k, ~mask)", "4.4: grow pool excludes just-dropped", "rigl-cadence"),
    wrong("growth by the signed gradient", "move(params[key], mask, abs(grads[key]), k)",
          "move(params[key], mask, grads[key], k)", "A18: signed grow", "rigl-cadence"),
    wrong("growth by the gradient with weight decay", "move(params[key], mask, abs(grads[key]), k)",
          'move(params[key], mask, abs(grads[key] + method.get("decay", 0.25) * params[key]), k)', "R12, B4",
          "rigl-nesterov-decay"),
    wrong("growth by the last batch's gradient", "params, masks, grads, noise, memory)\n            for",
          "params, masks, case['grads'][t - 1], noise, memory)\n            for", "R12: this batch", "rigl-cadence"),
    wrong("growth by the gradient of the masked network", "move(params[key], mask, abs(grads[key]), k)",
          "move(params[key], mask, abs(grads[key] * mask), k)", "1.9: gradients of inactive weights", "rigl-cadence"),
    wrong("SET by |w|", 'if name == "set" and method.get("by_sign", True):', 'if name == "never":',
          "4.4: SET by |w|", "set-by-sign"),
    wrong("SET by sign where magnitude is asked", 'method.get("by_sign", True)', "True", "G9", "set-by-magnitude"),
    wrong("SET +1 per sign", 'int(method["zeta"] * below.sum()), int(',
          'int(method["zeta"] * below.sum() + 1), int(1 + ',
          "4.4: SET +1 per sign", "set-by-sign"),
    wrong("constant drop fraction", "    return alpha / 2 * (1 + math.cos(math.pi * t / end))", "    return alpha",
          "4.4: unshifted anneal", "rigl-end-off-the-grid"),
    wrong("half the drop fraction", "    return alpha / 2 * (1 +", "    return alpha / 2 * (0.5 +", "R11",
          "rigl-cadence"),
    wrong("k rounded up", 'k = int(fraction(method["alpha"], t, method["t_end"]) * mask.sum())\n            new',
          'k = math.ceil(fraction(method["alpha"], t, method["t_end"]) * mask.sum())\n            new',
          "4.4: floor->ceil", "rigl-end-off-the-grid"),
    wrong("k rounded", 'k = int(fraction(method["alpha"], t, method["t_end"]) * mask.sum())\n            new',
          'k = round(fraction(method["alpha"], t, method["t_end"]) * mask.sum())\n            new',
          "4.4: floor->round", "rigl-cadence"),
    wrong("SNFS watches the optimizer's momentum", "noise, memory)\n            for", "noise, first)\n            for",
          "1.4: momentum buffer", "snfs"),
    wrong("SNFS watches this batch alone", "beta * memory[key] + (1 - beta) * g for", "g for", "1.4: statistics",
          "snfs"),
    wrong("gradients not scaled by 1 − β", "beta * memory[key] + (1 - beta) * g for",
          "beta * memory[key] + (1 - beta * (t == 0)) * g for", "1.4: M from zero", "snfs"),
    wrong("momentum masked", "(1 - beta) * g for key, g", "(1 - beta) * g * masks.get(key, 1) for key, g",
          "F8: momentum contains dense gradient", "snfs"),
    wrong("shares of the sum, not of the mean", "abs(memory[key][mask]).mean()", "abs(memory[key][mask]).sum()",
          "1.4: share = mean |m|", "snfs"),
    wrong("shares over all entries", "abs(memory[key][mask]).mean()", "abs(memory[key]).mean()",
          "1.4: of active weights", "snfs"),
    wrong("SNFS ceil shares", "whole = {name: int(q) for", "whole = {name: math.ceil(q) for", "4.4: SNFS ceil shares",
          "snfs"),
    wrong("redistribution where none is asked", 'method.get("redistribute", True)', "True", "1.4: redistribution none",
          "snfs-without-redistribution"),
    wrong("near-dense layers drop p", "if sparsity < 0.2 and", "if False and", "F9", "snfs-near-dense-layer"),
    wrong("eta_min .005", 'rate, sparsity = fraction(method["rate"], t, end)',
          'rate, sparsity = 0.1 + fraction(method["rate"] - 0.1, t, end)', "4.4: eta_min", "snfs"),
    # the optimizers
    wrong("weight decay on biases", 'g = grads[key] + decay * w if key.endswith("weight") else grads[key]',
          "g = grads[key] + decay * w", "contract: weight decay on .weight", "static-nesterov-decay"),
    wrong("decoupled weight decay", 'g = grads[key] + decay * w if key.endswith("weight") else grads[key]',
          'g, w = grads[key], w * (1 - rate * decay) if key.endswith("weight") else w', "G8: decoupled decay",
          "static-adam-decay"),
    wrong("Nesterov as plain momentum", 'if optimizer["nesterov"] else', "if False else", "B6",
          "static-nesterov-decay"),
    wrong("dampening", 'first[key] = optimizer["momentum"] * first[key] + g',
          'first[key] = optimizer["momentum"] * first[key] + (1 - optimizer["momentum"]) * g',
          "contract: no dampening", "static-momentum"),
    wrong("the learning rate inside the velocity",
          '                    first[key] = optimizer["momentum"] * first[key] + g\n',
          '                    first[key] = optimizer["momentum"] * first[key] + g * rate\n'
          "                    g, rate = g * rate, 1.0\n", "B3", "static-learning-rates"),
    wrong("Adam without bias correction", "root = np.sqrt(second[key] / (1 - b2**updates))",
          "root = np.sqrt(second[key])",
          "contract: bias-corrected", "static-adam-decay"),
    wrong("ε inside the root", '/ (root + optimizer["eps"])', "/ np.sqrt(root**2 + 1e-4)",
          "contract: eps outside the root", "static-adam-decay"),
    # L0
    wrong("a slope where the gate is clipped", "np.where((stretched > 0) & (stretched < 1), 1.8 * s * (1 - s), 0)",
          "1.8 * s * (1 - s)", "H5: zero gradient where z is clamped", "l0"),
    wrong("slope without the temperature", "1.8 * s * (1 - s)", "1.2 * s * (1 - s)", "H5", "l0"),
    wrong("the penalty not over N", " / n_examples", "", "H9", "l0"),
    wrong("wd/N twice", "decay = weight_decay if own == key else 0",
          "decay = weight_decay / n_examples if own == key else 0", "4.4: wd/N twice", "l0-adam-decay"),
    wrong("bias sign", "p * (1 - p) * (cost + decay / 2", "p * (1 - p) * (cost * (1 if own == key else -1) + decay / 2",
          "4.4: bias sign", "l0"),
    wrong("the bias not switched in training", "if params[b].shape == log_alpha.shape]", "if False]",
          "1.6: conv bias forward", "l0"),
    wrong("L2 not weighted by P", "grads[own] = grads[own] * z + p * decay", "grads[own] = grads[own] * z + decay",
          "H10",
          "l0-adam-decay"),
    wrong("one for each group, whatever its size", "each = each.sum(axis=tuple(range(each.ndim - log_alpha.ndim)))",
          "each = each.mean(axis=tuple(range(each.ndim - log_alpha.ndim)))", "H11", "l0"),
    wrong("decay of biases", "decay = weight_decay if own == key else 0", "decay = weight_decay", "1.6: bias L2",
          "l0-adam-decay"),
    wrong("log α not held", 'if key.endswith("log_alpha"):', 'if key == "never":', "1.6: clamp", "l0"),
    wrong("clamped at log 10", "np.clip(params[key], -math.log(100), math.log(100))",
          "np.clip(params[key], -math.log(10), math.log(10))", "1.6: clamp", "l0"),
]  # fmt: skip
