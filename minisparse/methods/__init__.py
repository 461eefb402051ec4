"""One file per paper: functions from arrays to masks, with nothing else in them.

during training, masks move:
    magnitude   drop the smallest weights, by rank or below a threshold (Han et al. 2015, Zhu & Gupta 2017)
    rigl        drop the smallest weights, grow where the gradient is largest (Evci et al. 2020)
"""
