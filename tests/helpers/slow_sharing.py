"""Slow, obviously right twins of weight sharing and coding: plain loops, exact fractions, trees of pairs."""

from fractions import Fraction
from math import fsum

import numpy as np


def slow_linear_centroids(values, k):
    low, high = Fraction(min(values.tolist())), Fraction(max(values.tolist()))
    return np.array([float(low + i * (high - low) / max(1, k - 1)) for i in range(k)])


def slow_density_centroids(values, k):
    """The first weight, in ascending order, up to which the share (2 i + 1) / 2 k of all weights lies."""
    ascending = sorted(values.tolist())
    n = len(ascending)
    reach = lambda share: next(w for place, w in enumerate(ascending, 1) if Fraction(place, n) >= share)
    return np.array([reach(Fraction(2 * i + 1, 2 * k)) for i in range(k)])


def slow_random_centroids(values, k, noise):
    drawn = sorted(range(len(values)), key=lambda i: (-noise[i], i))[:k]
    return np.array(sorted(float(values[i]) for i in drawn))


def slow_kmeans_step(values, centroids):
    centres = [Fraction(c) for c in centroids.tolist()]
    index = []
    for w in map(Fraction, values.tolist()):
        far = [abs(w - c) for c in centres]
        index.append(min(range(len(far)), key=lambda i: (far[i], centres[i], i)))
    means = []
    for i, centre in enumerate(centroids.tolist()):
        own = [w for w, at in zip(values.tolist(), index, strict=True) if at == i]
        means.append(fsum(own) / len(own) if own else centre)
    return np.array(index), np.array(means, dtype=float)


def slow_shared_gradient(grad, index, k):
    return np.array([fsum(g for g, at in zip(grad.tolist(), index.tolist(), strict=True) if at == i) for i in range(k)])


def slow_relative_index(places, bits):
    """Walk from weight to weight; where one is too far, stop at a filler on the way."""
    steps, real, at = [], [], -1
    for place in places.tolist():
        while place - at > 2**bits:
            steps.append(2**bits)
            real.append(False)
            at += 2**bits
        steps.append(place - at)
        real.append(True)
        at = place
    return np.array(steps, np.int64), np.array(real, bool)


def slow_huffman_lengths(counts):
    """Join the two rarest trees, again and again; the depth of a leaf is its length."""
    trees = [(n, age, (symbol,)) for age, (symbol, n) in enumerate((s, n) for s, n in enumerate(counts) if n)]
    lengths = [0] * len(counts)
    age = len(trees)
    while len(trees) > 1:
        trees.sort()
        (a, _, some), (b, _, others), *trees = trees
        for symbol in some + others:
            lengths[symbol] += 1
        trees.append((a + b, age, some + others))
        age += 1
    if sum(map(bool, counts)) == 1:
        lengths[next(s for s, n in enumerate(counts) if n)] = 1
    return np.array(lengths, np.int64)


def slow_lookup(values, mask, index):
    weight, left = np.zeros(mask.shape), iter(index.tolist())
    for place in np.ndindex(mask.shape):
        if mask[place]:
            weight[place] = float(values[next(left)])
    return weight
