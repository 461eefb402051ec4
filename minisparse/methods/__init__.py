"""One file per paper: functions from arrays to masks, with nothing else in them.

before training, masks are born:
    snip        keep the connections whose removal would change the loss most (Lee et al. 2019)

during training, masks move:
    magnitude   drop the smallest weights, by rank or below a threshold (Han et al. 2015, Zhu & Gupta 2017)
    set         drop the weights nearest zero on either side, grow at random (Mocanu et al. 2018)
    snfs        drop the smallest weights, grow where smoothed gradients are largest (Dettmers & Zettlemoyer 2019)
    rigl        drop the smallest weights, grow where the gradient is largest (Evci et al. 2020)

within the objective:
    l0          gates on groups of weights, trained with them, that close exactly (Louizos et al. 2018)
"""
