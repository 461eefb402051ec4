"""An independent implementation of weight sharing and coding, in other words than the package's and the twins'."""

import numpy as np


def linear_centroids(values, k):
    low, high = values.min(), values.max()
    return low + (high - low) * np.arange(k) / max(k - 1, 1)


def density_centroids(values, k):
    ascending = np.sort(values)
    cdf = np.arange(1, len(values) + 1) * 2 * k  # in parts of 2 k n
    return np.array([ascending[(cdf >= (2 * i + 1) * len(values)).argmax()] for i in range(k)], float)


def random_centroids(values, k, noise):
    return np.sort(values[np.argsort(-noise, kind="stable")[:k]])


def kmeans_step(values, centroids):
    by_size = np.lexsort((np.arange(len(centroids)), centroids))
    far = abs(values[:, None] - centroids[by_size])
    index = by_size[far.argmin(axis=1)]
    means = [values[index == i].mean() if (index == i).any() else c for i, c in enumerate(centroids)]
    return index, np.array(means)


def shared_gradient(grad, index, k):
    total = np.zeros(k)
    np.add.at(total, index, grad)
    return total


def relative_index(places, bits):
    span = 2**bits
    steps, real = [], []
    for far in np.diff(np.append(-1, places)).tolist():
        more = -(-far // span) - 1
        steps += [span] * more + [far - more * span]
        real += [False] * more + [True]
    return np.array(steps, np.int64), np.array(real, bool)


def huffman_lengths(counts):
    """Two queues, of leaves and of joined trees, each in ascending order."""
    leaves = sorted((int(n), i) for i, n in enumerate(counts) if n)
    joined, parent, tag = [], {}, len(counts)
    first = leaves[:]
    while len(leaves) + len(joined) > 1:
        pair = []
        for _ in range(2):
            use = leaves if leaves and (not joined or leaves[0][0] <= joined[0][0]) else joined
            pair.append(use.pop(0))
        for _, child in pair:
            parent[child] = tag
        joined.append((pair[0][0] + pair[1][0], tag))
        tag += 1
    lengths = np.zeros(len(counts), np.int64)
    for _, leaf in first:
        at = leaf
        while at in parent:
            lengths[leaf] += 1
            at = parent[at]
    if len(first) == 1:
        lengths[first[0][1]] = 1
    return lengths
