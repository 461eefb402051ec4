"""One file per paper: functions from arrays to masks, with nothing else in them.

during training, masks move:
    rigl        drop the smallest weights, grow where the gradient is largest (Evci et al. 2020)

within the objective:
    l0          gates on groups of weights, trained with them, that close exactly (Louizos et al. 2018)
"""
