"""One file per paper: functions from arrays to masks.

before training, initial masks:
    snip        keep the connections whose removal would change the loss most (Lee et al. 2019)
    grasp       keep the connections whose removal would reduce the gradient's norm most (Wang et al. 2020)
    synflow     keep the connections that carry the most flow from inputs to outputs (Tanaka et al. 2020)

during training, changing masks:
    magnitude   drop the smallest weights, by rank or below a threshold (Han et al. 2015, Zhu & Gupta 2017)
    deep_r      drop weights that would change sign, grow at random (Bellec et al. 2018)
    set         drop the positive and negative weights nearest zero, grow at random (Mocanu et al. 2018)
    snfs        drop the smallest weights, grow where smoothed gradients are largest (Dettmers & Zettlemoyer 2019)
    dsr         drop below one threshold, grow at random, more where more weights survive (Mostafa & Wang 2019)
    rigl        drop the smallest weights, grow where the gradient is largest (Evci et al. 2020)
    granet      prune the whole network step by step, regrowing some by gradient each time (Liu et al. 2021)
    ac_dc       prune the whole network, restore all weights, and so on in turn (Peste et al. 2021)
    srigl       as rigl, with as many inputs for every neuron, and without some neurons (Lasby et al. 2024)

after training:
    obd         drop the weights of smallest h w² / 2, h the error's second derivative (LeCun et al. 1989)
    obs         one weight at a time, adjusting the others by the inverse Hessian (Hassibi & Stork 1992)
    share       the same value for many weights, by k-means, trained by summed gradients (Han et al. 2016); it begins
                at `centroids`

within the objective:
    l0          gates on groups of weights, trained with them, that can be exactly zero (Louizos et al. 2018)
    top_kast    the largest weights forward, more of them backward (Jayakumar et al. 2020)
    straight_through    the largest weights, or random ones, forward, all backward (Bengio et al. 2013)

of groups in place of single weights:
    structure   n of every m inputs, blocks, whole units
"""
