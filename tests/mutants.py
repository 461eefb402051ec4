"""Ways to get a method wrong, each with the test that must notice: the mutation list, as data.

To add one, append a Mutant. `file` is a path in minisparse/, `text` stands in it exactly once, `test` is a node id in
tests/ without parameters, or with the ones that see it. test_mutants.py does the rest.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    breaks: str
    file: str
    text: str
    replacement: str
    test: str


RIGL, SET, SNFS, SNIP = (f"methods/{name}.py" for name in ("rigl", "set", "snfs", "snip"))
OF_RIGL, OF_SET, OF_SNFS, OF_SNIP = (f"methods/test_{name}.py" for name in ("rigl", "set", "snfs", "snip"))
TRAIN, SCHEDULE, ALLOCATE, MASKS, RECIPES = (
    f"{name}.py" for name in ("train", "schedule", "allocate", "masks", "recipes")
)
OF_TRAIN, OF_SCHEDULE, OF_ALLOCATE, OF_MASKS, OF_RECIPES = (
    f"test_{name}" for name in (TRAIN, SCHEDULE, ALLOCATE, MASKS, RECIPES)
)

MUTANTS = [
    # RigL
    Mutant("floor -> ceil", RIGL, "math.floor(cosine", "math.ceil(cosine",
           f"{OF_RIGL}::test_the_count_is_the_floor_in_float64"),
    Mutant("floor -> round", RIGL, "math.floor(cosine", "round(cosine",
           f"{OF_RIGL}::test_the_count_is_the_floor_in_float64"),
    Mutant("keep pool all entries", RIGL, "top_k(-abs(weight), n_update, among=mask)",
           "~mask | ~top_k(abs(weight), int(mask.sum()) - n_update)",
           f"{OF_RIGL}::test_rigl_update_by_hand[numpy-active zeros are the ones to go-float64]"),
    Mutant("grow pool excludes just-dropped", RIGL, "among=~kept", "among=~mask",
           f"{OF_RIGL}::test_rigl_update_by_hand[numpy-a dropped connection returns at once-float64]"),
    Mutant("signed grow", RIGL, "top_k(abs(dense_grad)", "top_k(dense_grad",
           f"{OF_RIGL}::test_rigl_update_by_hand[numpy-infinite gradients of either sign-float64]"),
    Mutant("ties kept at the lower index", RIGL, "drop = top_k(-abs(weight), n_update, among=mask)",
           "drop = mask & ~top_k(abs(weight), int(mask.sum()) - n_update, among=mask)",
           f"{OF_RIGL}::test_rigl_update_by_hand[numpy-equal weights drop at the lowest-float64]"),
    # the step
    Mutant("grown value stale", TRAIN, "params = project(params, masks)\n", "params = dict(params)\n",
           f"{OF_TRAIN}::test_absent_weights_are_zero_in_the_very_first_loss"),
    Mutant("grown value stale after a step that saw its gradient", TRAIN,
           "params, slots = _restore(params, slots, masks, in_place=True)",
           "params, slots = (params, slots) if rewired else _restore(params, slots, masks, in_place=True)",
           f"{OF_RECIPES}::test_what_set_grows_starts_at_zero_after_a_step_that_saw_its_gradient"),
    Mutant("momentum of grown kept", TRAIN, "project(s, masks, in_place) if isinstance(s, Mapping)",
           "project(s, masks) if isinstance(s, Mapping) and not in_place",
           f"{OF_TRAIN}::test_grown_weights_start_at_zero_with_zero_slots_though_their_gradient_was_seen"),
    Mutant("momentum of dropped kept", TRAIN, "project(s, masks, in_place) if isinstance(s, Mapping)",
           "project(s, masks) if isinstance(s, Mapping) and in_place",
           f"{OF_TRAIN}::test_weights_and_slots_are_zero_wherever_the_mask_is_false_after_every_step"),
    Mutant("update also does SGD", TRAIN, "if not (rewired and method.pauses):", "if True:",
           f"{OF_TRAIN}::test_an_update_takes_the_place_of_the_optimizer_step"),
    Mutant("SET and SNFS do not step", TRAIN, "if not (rewired and method.pauses):", "if not rewired:",
           f"{OF_TRAIN}::test_a_method_that_does_not_pause_steps_first_then_rewires"),
    Mutant("counter frozen", TRAIN, "    for number, batch in enumerate(batches, first):\n",
           "    number, rewired = first - 1, False\n    for batch in batches:\n        number += not rewired\n",
           f"{OF_TRAIN}::test_updates_come_at_dt_2dt_and_end_before_t_end"),
    Mutant("mask not re-applied", TRAIN, "return project(params, masks, in_place), slots", "return params, slots",
           f"{OF_TRAIN}::test_weights_and_slots_are_zero_wherever_the_mask_is_false_after_every_step"),
    Mutant("Adam slots unmasked", TRAIN, "if isinstance(s, Mapping) else s", 'if name == "velocity" else s',
           f"{OF_TRAIN}::test_weights_and_slots_are_zero_wherever_the_mask_is_false_after_every_step"),
    Mutant("momentum of kept lost", TRAIN, "            params, slots = _restore(params, slots, masks, in_place=False)",
           "            params, slots = _restore(params, slots, masks, in_place=False)\n"
           "            slots = optimizer.init(params)",
           f"{OF_TRAIN}::test_a_connection_dropped_and_regrown_at_once_keeps_value_and_slots"),
    Mutant("gradients masked", TRAIN, "{name: grads[name] for name in masks}, rng)",
           "{name: grads[name] * masks[name] for name in masks}, rng)",
           f"{OF_TRAIN}::test_a_method_watches_dense_gradients_of_every_batch_before_it_decides"),
    # schedules
    Mutant("T_end inclusive", SCHEDULE, "first <= step < until", "first <= step <= until",
           f"{OF_TRAIN}::test_t_end_itself_is_no_update"),
    Mutant("first update at 0", SCHEDULE, "first = period if begin is None", "first = 0 if begin is None",
           f"{OF_TRAIN}::test_updates_come_at_dt_2dt_and_end_before_t_end"),
    Mutant("unshifted anneal", SCHEDULE, "math.cos(math.pi * (step - begin)", "math.cos(math.pi * (step - 0)",
           f"{OF_SCHEDULE}::test_cosine_starts_to_fall_at_begin"),
    Mutant("unclamped cosine", SCHEDULE, "if step >= t_end:\n        return 0.0\n    return alpha if step < begin else",
           "return alpha if step < begin else",
           f"{OF_SCHEDULE}::test_cosine_falls_from_alpha_to_zero_and_stays_there"),
    Mutant("unclamped linear", SCHEDULE,
           "if step >= t_end:\n        return 0.0\n    return alpha if step <= begin else alpha * (1 - (step - begin) "
           "/ (t_end - begin))\n",
           "return alpha if step <= begin else alpha * (1 - (step - begin) / (t_end - begin))\n",
           f"{OF_SCHEDULE}::test_linear_falls_to_zero_and_stays_there"),
    Mutant("eta_min .005", SCHEDULE, "return 0.0\n    return alpha if step < begin",
           "return 0.005\n    return alpha if step < begin",
           f"{OF_RECIPES}::test_the_drop_fraction_of_snfs_falls_to_zero_at_the_end_and_stays_there"),
    Mutant("polynomial at step+1", SCHEDULE, "(1 - (step - begin) / (end - begin)) ** 3",
           "(1 - (step + 1 - begin) / (end - begin)) ** 3",
           f"{OF_SCHEDULE}::test_cubic_is_the_sparsity_of_zhu_and_gupta"),
    Mutant("the last epoch rewires", RECIPES, "every(epoch, until=length - 1, begin=epoch - 1)",
           "every(epoch, until=length, begin=epoch - 1)",
           f"{OF_RECIPES}::test_epoch_methods_rewire_after_every_epoch_but_the_last"),
    Mutant("the first batch of an epoch rewires", RECIPES, "every(epoch, until=length - 1, begin=epoch - 1)",
           "every(epoch, until=length - 1)",
           f"{OF_RECIPES}::test_epoch_methods_rewire_after_every_epoch_but_the_last"),
    # densities and starting masks
    Mutant("ERK without cap", ALLOCATE, "if scale * highest <= 1:", "if highest:",
           f"{OF_ALLOCATE}::test_two_layers_by_hand_with_one_full"),
    Mutant("ER with shape[:2]", ALLOCATE, "return shape[-2:]", "return shape[:2]",
           f"{OF_ALLOCATE}::test_erdos_renyi_ignores_the_kernel_and_its_kernel_form_does_not"),
    Mutant("floor per layer", ALLOCATE, "for _ in range(total - sum(units.values())):", "for _ in range(0):",
           f"{OF_ALLOCATE}::test_the_total_of_the_counts_is_exact"),
    Mutant("Bernoulli masks", MASKS,
           "mask[stream(key, name).choice(mask.size, n_active[name], replace=False, shuffle=False)] = True",
           "mask[stream(key, name).random(mask.size) < n_active[name] / mask.size] = True",
           f"{OF_MASKS}::test_random_masks_have_exactly_the_counts"),
    Mutant("drawn with replacement", MASKS, "replace=False, shuffle=False", "shuffle=False",
           f"{OF_MASKS}::test_random_masks_have_exactly_the_counts"),
    Mutant(">= keeps all ties", MASKS, "level = xp.flatnonzero(candidates == threshold)[: k - above.size]",
           "level = xp.flatnonzero(candidates == threshold)",
           f"{OF_MASKS}::test_top_k_equals_its_slow_twin"),
    Mutant("> drops all ties", MASKS, "level = xp.flatnonzero(candidates == threshold)[: k - above.size]",
           "level = above[:0]",
           f"{OF_MASKS}::test_top_k_equals_its_slow_twin"),
    Mutant("seeds from hash()", "streams.py", "crc32(name.encode())", "hash(name) % 2**32",
           f"{OF_RECIPES}::test_every_method_runs_bit_for_bit_alike_in_processes_with_different_hash_seeds"),
    Mutant("one stream for all layers", RECIPES, "stream(memory, name).random", "stream(memory, 0).random",
           f"{OF_RECIPES}::test_layers_that_are_alike_grow_in_places_of_their_own"),
    Mutant("grown values in the order of layers", TRAIN, "grads, stream(key, name))", "grads, rng)",
           f"{OF_RECIPES}::test_the_order_of_layers_changes_no_random_number"),
    # SET
    Mutant("SET by |w|", SET, "top_k(weight, n_negative, among=negative) | top_k(-weight, n_positive, among=mask "
           "& ~negative)", "top_k(-abs(weight), n_negative + n_positive, among=mask)",
           f"{OF_SET}::test_removal_by_sign_differs_from_removal_by_magnitude_where_one_sign_is_larger"),
    Mutant("SET +1 per sign", SET, "math.floor(zeta * n_negative), math.floor(zeta * (int(mask.sum()) - n_negative))",
           "min(n_negative, math.floor(zeta * n_negative) + 1), math.floor(zeta * (int(mask.sum()) - n_negative))",
           f"{OF_SET}::test_of_either_sign_zeta_go_and_they_are_the_nearest_zero"),
    Mutant("SET keeps only the most negative", SET, "top_k(-weight, n_positive", "top_k(weight, n_positive",
           f"{OF_SET}::test_of_either_sign_zeta_go_and_they_are_the_nearest_zero"),
    Mutant("SET loses active zeros", SET, "among=mask & ~negative", "among=mask & (weight > 0)",
           f"{OF_SET}::test_set_update_by_hand[numpy-active zeros go with the positive-float64]"),
    Mutant("SET excludes just-dropped", SET, "grow = top_k(noise, n_negative + n_positive, among=~kept)",
           "grow = top_k(noise, n_negative + n_positive, among=~mask)",
           f"{OF_SET}::test_set_update_by_hand[numpy-a dropped connection returns at once-float64]"),
    Mutant("SET grows over active", SET, "grow = top_k(noise, n_negative + n_positive, among=~kept)",
           "grow = top_k(noise, n_negative + n_positive)",
           f"{OF_SET}::test_the_number_of_connections_stays_and_as_many_go_as_were_asked_for"),
    # SNFS
    Mutant("SNFS ceil shares", SNFS, "top_k(abs(momentum[name]), n_grow[name], among=~k)",
           "top_k(abs(momentum[name]), min(room[name], "
           "math.ceil(sum(n_drop.values()) * shares(momentum, masks)[name])), among=~k)",
           f"{OF_SNFS}::test_all_that_is_dropped_is_regrown_where_the_shares_are"),
    Mutant("cap without re-spread", ALLOCATE, "        if not full:\n            return",
           "        if True:\n            quotas = {n: min(q, room[n]) for n, q in quotas.items()}\n"
           "            left = int(sum(quotas.values()))\n            return",
           f"{OF_SNFS}::test_what_a_full_layer_cannot_take_goes_to_the_others"),
    Mutant("growth over active", SNFS, "top_k(abs(momentum[name]), n_grow[name], among=~k)",
           "top_k(abs(momentum[name]), n_grow[name])",
           f"{OF_SNFS}::test_snfs_update_by_hand[numpy-growth never lands on an active weight-float64]"),
    Mutant("SNFS excludes just-dropped", SNFS, "top_k(abs(momentum[name]), n_grow[name], among=~k)",
           "top_k(abs(momentum[name]), n_grow[name], among=~masks[name])",
           f"{OF_SNFS}::test_snfs_update_by_hand[numpy-a dropped connection returns at once-float64]"),
    Mutant("shares after dropping", SNFS, "shares(momentum, masks), room)", "shares(momentum, kept), room)",
           f"{OF_SNFS}::test_snfs_update_equals_its_slow_twin"),
    Mutant("shares of all positions", SNFS, "active = abs(momentum[name])[mask]", "active = abs(momentum[name])",
           f"{OF_SNFS}::test_shares_are_mean_momenta_of_active_weights_over_their_sum"),
    Mutant("shares are sums", SNFS, 'active.mean(dtype="float64")', 'active.sum(dtype="float64")',
           f"{OF_SNFS}::test_shares_of_float32_are_taken_in_float64"),
    Mutant("momentum of the sparse gradient", TRAIN, "{name: grads[name] for name in masks}, rng)",
           "{name: grads[name] * masks[name] for name in masks}, rng)",
           f"{OF_RECIPES}::test_smoothed_gradients_are_dense_and_never_reset"),
    Mutant("the latest gradient for momentum", RECIPES, "{name: beta * memory[name] + m for name, m in new.items()}",
           "new",
           f"{OF_RECIPES}::test_smoothed_gradients_are_dense_and_never_reset"),
    Mutant("near-dense layers drop as all do", RECIPES, "return min(p, sparsity) if grows and sparsity < 0.2 else p",
           "return p",
           f"{OF_RECIPES}::test_a_nearly_dense_layer_that_would_grow_drops_at_most_its_sparsity"),
    Mutant("a layer alone does not keep its number", RECIPES, "if redistribute:", "if True:",
           f"{OF_RECIPES}::test_every_method_keeps_its_connections_and_zeros_and_moves_masks_only_when_it_rewires"),
    # SNIP
    Mutant("SNIP |g|", SNIP, "abs(w * grads[name])", "abs(grads[name])",
           f"{OF_SNIP}::test_snip_masks_by_hand[numpy-weight and gradient count alike]"),
    Mutant("SNIP per layer", SNIP, "masks[name] = kept[start : start + e.size].reshape(e.shape)",
           "masks[name] = top_k(e, round(n_keep * e.size / kept.size))",
           f"{OF_SNIP}::test_snip_masks_by_hand[numpy-one ranking of all layers]"),
    Mutant("SNIP with L2", RECIPES, "{n: g / n_batches for n, g in total.items()}",
           "{n: g / n_batches + 0.1 * params[n] for n, g in total.items()}",
           f"{OF_RECIPES}::test_snip_keeps_the_highest_of_weight_times_mean_gradient"),
    Mutant("SNIP per-tensor norm", SNIP, "xp.concatenate([e.ravel() for e in effect.values()])",
           "xp.concatenate([(e / xp.sqrt((e * e).sum())).ravel() for e in effect.values()])",
           f"{OF_SNIP}::test_snip_masks_by_hand[numpy-one ranking of all layers]"),
    Mutant("SNIP on the last batch alone", RECIPES, "grads[name] + total[name] if total else grads[name]",
           "grads[name]",
           f"{OF_RECIPES}::test_snip_keeps_the_highest_of_weight_times_mean_gradient"),
    Mutant("SNIP prunes biases", RECIPES, "include: Callable[[str], bool] = is_weight,",
           "include: Callable[[str], bool] = bool,",
           f"{OF_RECIPES}::test_snip_keeps_the_highest_of_weight_times_mean_gradient"),
    Mutant("SNIP rounds half up", RECIPES, "round(round(density *", "int(0.5 + round(density *",
           f"{OF_RECIPES}::test_snip_rounds_its_count_half_to_even_and_prunes_biases_that_are_zero_first"),
    # "LayerNorm pruned" and "sigma'(a)" have no counterpart: no layer is pruned unless it has a mask, and there is
    # one derivative of each function, checked against differences in test_ops.py.
]  # fmt: skip
