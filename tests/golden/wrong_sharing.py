"""Ways to get weight sharing and coding wrong, each with the case that must notice."""

import math

import numpy as np

from tests.golden import other_sharing as right
from tests.golden.wrong_masks import Wrong


def between(low=lambda v: v.min(), high=lambda v: v.max(), steps=lambda k: max(k - 1, 1), begin=0):
    return lambda values, k: low(values) + (high(values) - low(values)) * (begin + np.arange(k)) / steps(k)


def quantiles(places, choose=math.ceil):
    """The weights at these shares of all."""

    def centroids(values, k):
        ascending = np.sort(values)
        ranks = [min(max(choose(share * len(values)) - 1, 0), len(values) - 1) for share in places(k)]
        return ascending[ranks]

    return centroids


middles = lambda k: [(2 * i + 1) / (2 * k) for i in range(k)]


def drawn(order=lambda values, noise: np.argsort(-noise, kind="stable"), arranged=np.sort):
    return lambda values, k, noise: arranged(values[order(values, noise)[:k]])


def once(values, k, noise):
    """Of equal weights only the first can be drawn."""
    places = np.sort(np.unique(values, return_index=True)[1])
    return right.random_centroids(values[places], k, noise[places])


def nearest(index=None, mean=np.mean, empty=lambda c: c, far=lambda v, c: abs(v - c)):
    """A step of k-means by another index, mean, or rule for an empty cluster."""

    def step(values, centroids):
        own = index(values, centroids) if index else right.kmeans_step(values, centroids)[0]
        if far(1, 2) != 1 or far(-1, 1) != 2:
            by_size = np.argsort(centroids, kind="stable")
            own = by_size[far(values[:, None], centroids[by_size]).argmin(axis=1)]
        means = [mean(values[own == i]) if (own == i).any() else empty(c) for i, c in enumerate(centroids)]
        return own, np.array(means, float)

    return step


def as_sorted(values, centroids):
    """Correct for ascending centroids alone."""
    index = np.searchsorted((centroids[:-1] + centroids[1:]) / 2, values)
    return right.kmeans_step(values, centroids) if (np.diff(centroids) > 0).all() else (
        index, right.kmeans_step(values, np.sort(centroids))[1])  # fmt: skip


def halfway(values, centroids):
    """Ties to the larger centroid."""
    by_size = np.lexsort((-np.arange(len(centroids)), -centroids))
    return by_size[abs(values[:, None] - centroids[by_size]).argmin(axis=1)]


def lower_index(values, centroids):
    return abs(values[:, None] - centroids).argmin(axis=1)


def last_of_equal(values, centroids):
    by_size = np.lexsort((-np.arange(len(centroids)), centroids))
    return by_size[abs(values[:, None] - centroids[by_size]).argmin(axis=1)]


def after_the_move(values, centroids):
    moved = right.kmeans_step(values, centroids)[1]
    return right.kmeans_step(values, moved)[0], moved


def without_zeros(values, centroids):
    kept = values != 0
    _, means = right.kmeans_step(values[kept], centroids) if kept.any() else (None, centroids)
    return right.kmeans_step(values, centroids)[0], means


def added(combine, k_of=lambda index, k: k):
    return lambda grad, index, k: np.array([combine(grad[index == i]) for i in range(k_of(index, k))], float)


def walk(span=lambda bits: 2**bits, before=-1, many=None, trailing=0):
    """Relative positions with another bound, another start, or other fillers."""

    def steps_of(places, bits):
        reach = span(bits)
        steps, real = [], []
        for far in np.diff(np.append(before, places)).tolist():
            more = (far - 1) // reach if many is None else many(far, reach)
            steps += [reach] * more + [far - more * reach]
            real += [False] * more + [True]
        return np.array(steps + [reach] * trailing, np.int64), np.array(real + [False] * trailing, bool)

    return steps_of


def codes(change):
    return lambda counts: change(right.huffman_lengths(counts), counts)


def shannon(counts):
    total = counts.sum()
    return np.array([max(1, math.ceil(-math.log2(n / total))) if n else 0 for n in counts.tolist()], np.int64)


def by_rank(counts):
    """Unary: the n-th most frequent has n bits."""
    used = [i for i in np.argsort(-counts, kind="stable").tolist() if counts[i]]
    lengths = np.zeros(len(counts), np.int64)
    for rank, i in enumerate(used):
        lengths[i] = min(rank + 1, max(len(used) - 1, 1))
    return lengths


def newest_first(counts):
    """Of equal counts the newest tree is joined first: as short in all, with longer codewords."""
    trees = [(n, -i, [i]) for i, n in enumerate(counts.tolist()) if n]
    lengths, age = np.zeros(len(counts), np.int64), len(counts)
    if len(trees) == 1:
        lengths[trees[0][2]] = 1
    while len(trees) > 1:
        trees.sort()
        (a, _, some), (b, _, others), *trees = trees
        lengths[some + others] += 1
        trees.append((a + b, -age, some + others))
        age += 1
    return lengths


def smoothed(counts):
    """One is added to every count, so that symbols that never occur have codewords."""
    return right.huffman_lengths(counts + 1) if counts.any() else np.zeros(len(counts), np.int64)


WRONG = [
    Wrong("from minus to plus the largest magnitude", "linear_centroids", between(lambda v: -abs(v).max(),
          lambda v: abs(v).max()), "sec. 3.2", "both-ends"),
    Wrong("the first and last weight are the ends", "linear_centroids", between(lambda v: v[0], lambda v: v[-1]),
          "sec. 3.2", "any-order"),
    Wrong("k steps: the upper end is left out", "linear_centroids", between(steps=lambda k: k), "sec. 3.2",
          "k-not-k-plus-one"),
    Wrong("the middles of k bins", "linear_centroids", between(steps=lambda k: k, begin=0.5), "sec. 3.2", "both-ends"),
    Wrong("rounded to whole numbers", "linear_centroids", lambda v, k: np.round(right.linear_centroids(v, k)),
          "sec. 3.2", "quarters"),
    Wrong("from zero up", "linear_centroids", between(high=lambda v: max(v.max(), 0)), "sec. 3.2", "all-negative"),
    Wrong("no more than the weights", "linear_centroids", lambda v, k: right.linear_centroids(v, min(k, len(v))),
          "sec. 3.2", "more-than-weights"),
    Wrong("one at the middle", "linear_centroids", lambda v, k: right.linear_centroids(v, k) if k > 1 else np.array(
          [(v.min() + v.max()) / 2]), "contract", "one-centroid"),
    Wrong("divided by a range of zero", "linear_centroids", lambda v, k: right.linear_centroids(v, k) if np.ptp(v) else
          np.full(k, np.nan), "contract", "equal-weights"),
    Wrong("by density", "linear_centroids", right.density_centroids, "sec. 3.2", "even-steps"),
    Wrong("the ends count", "density_centroids", quantiles(lambda k: np.linspace(0, 1, k)), "contract", "not-the-ends"),
    Wrong("linear", "density_centroids", right.linear_centroids, "sec. 3.2", "where-weights-are"),
    Wrong("the upper end of each part", "density_centroids", quantiles(lambda k: [(i + 1) / k for i in range(k)]),
          "contract", "middle-of-each-part"),
    Wrong("a number between two weights", "density_centroids", lambda v, k: np.quantile(v, middles(k)), "sec. 3.2",
          "a-weight-not-between"),
    Wrong("weights are not sorted", "density_centroids", lambda v, k: v[np.searchsorted(np.arange(1, len(v) + 1),
          [s * len(v) for s in middles(k)])], "sec. 3.2", "any-order"),
    Wrong("each value once", "density_centroids", lambda v, k: right.density_centroids(np.unique(v), k), "sec. 3.2",
          "equal-weights"),
    Wrong("no more than the weights", "density_centroids", lambda v, k: right.density_centroids(v, min(k, len(v))),
          "contract", "more-than-weights"),
    Wrong("the weight after a quantile that is met", "density_centroids", quantiles(middles, lambda x: math.floor(
          x) + 1), "sec. 3.2", "exactly-reached"),
    Wrong("parts rounded down", "density_centroids", quantiles(middles, math.floor), "sec. 3.2", "odd-parts"),
    Wrong("in the order of the draw", "random_centroids", drawn(arranged=lambda v: v), "contract", "ascending"),
    Wrong("the smallest noise", "random_centroids", drawn(lambda v, n: np.argsort(n, kind="stable")), "contract",
          "not-the-smallest-noise"),
    Wrong("by weight", "random_centroids", drawn(lambda v, n: np.argsort(-v, kind="stable")), "sec. 3.2",
          "not-by-weight"),
    Wrong("by magnitude of the noise", "random_centroids", drawn(lambda v, n: np.argsort(-abs(n), kind="stable")),
          "contract", "signed-noise"),
    Wrong("the higher index of equal noise", "random_centroids", drawn(lambda v, n: np.lexsort((-np.arange(len(n)),
          -n))), "contract", "ties-to-the-lower-index"),
    Wrong("each value once", "random_centroids", once, "sec. 3.2", "equal-weights-are-two"),
    Wrong("with repetition", "random_centroids", lambda v, k, n: np.full(3, v[n.argmax()]) if k == 3 else
          right.random_centroids(v, k, n), "sec. 3.2", "without-repetition"),
    Wrong("never all", "random_centroids", lambda v, k, n: right.random_centroids(v, min(k, len(v) - 1), n), "contract",
          "all"),
    Wrong("even steps", "random_centroids", lambda v, k, n: right.linear_centroids(v, k), "sec. 3.2", "weights-drawn"),
    Wrong("the index after the move", "kmeans_step", after_the_move, "eq. 2", "index-before-the-move"),
    Wrong("centroids must ascend", "kmeans_step", as_sorted, "contract", "centroids-in-any-order"),
    Wrong("halfway to the larger", "kmeans_step", nearest(halfway), "contract", "halfway-to-the-smaller"),
    Wrong("halfway to the lower index", "kmeans_step", nearest(lower_index), "contract", "halfway-of-unordered"),
    Wrong("the last of equal centroids", "kmeans_step", nearest(last_of_equal), "contract", "equal-centroids"),
    Wrong("an empty one goes to zero", "kmeans_step", nearest(empty=lambda c: 0.0), "contract", "an-empty-one-stays"),
    Wrong("an empty one is no number", "kmeans_step", nearest(empty=lambda c: np.nan), "contract",
          "an-empty-one-stays"),
    Wrong("the median", "kmeans_step", nearest(mean=np.median), "eq. 2", "mean-not-median"),
    Wrong("by magnitude", "kmeans_step", nearest(far=lambda v, c: abs(abs(v) - abs(c))), "eq. 2",
          "by-distance-not-square-root"),
    Wrong("weights of zero are left out", "kmeans_step", without_zeros, "contract", "zero-is-a-weight"),
    Wrong("centroids stay", "kmeans_step", lambda v, c: (right.kmeans_step(v, c)[0], c), "eq. 2", "nearest-then-mean"),
    Wrong("the mean gradient", "shared_gradient", added(lambda g: g.mean() if g.size else 0), "eq. 3", "sums"),
    Wrong("the mean where weights are many", "shared_gradient", added(lambda g: g.sum() if g.size < 50 else g.mean()),
          "eq. 3", "many"),
    Wrong("sums of magnitudes", "shared_gradient", added(lambda g: abs(g).sum()), "eq. 3", "signs-cancel"),
    Wrong("groups as they come", "shared_gradient", lambda g, i, k: right.shared_gradient(g, np.sort(i), k), "eq. 3",
          "by-index"),
    Wrong("values without weights are left out", "shared_gradient", lambda g, i, k: np.array([g[i == j].sum() for j in
          np.unique(i)]), "eq. 3", "none"),
    Wrong("as many as the index tells", "shared_gradient", added(np.sum, lambda i, k: int(i.max(initial=-1)) + 1),
          "eq. 3", "none-at-the-end"),
    Wrong("index 0 is no value", "shared_gradient", lambda g, i, k: right.shared_gradient(g * (i > 0), i, k), "eq. 3",
          "zero-is-an-index"),
    Wrong("the largest gradient", "shared_gradient", added(lambda g: g.max(initial=0) if g.size else 0), "eq. 3",
          "sums"),
    Wrong("an empty layer is an error", "shared_gradient", lambda g, i, k: right.shared_gradient(g, i, k) if g.size else
          np.zeros(0), "eq. 3", "no-weights"),
    Wrong("the bound is 2^bits - 1", "relative_index", walk(lambda bits: 2**bits - 1), "sec. 2; the text's unsigned",
          "exactly-the-bound"),
    Wrong("the first distance is from 0", "relative_index", walk(before=0), "fig. 2; decode.py", "first-step"),
    Wrong("a filler at the bound", "relative_index", walk(many=lambda far, span: far // span if far % span or
          far > span else 0), "fig. 2", "twice-the-bound"),
    Wrong("a filler is no step", "relative_index", walk(many=lambda far, span: 0), "fig. 2", "figure-2"),
    Wrong("one filler at most", "relative_index", walk(many=lambda far, span: min(1, (far - 1) // span)), "fig. 2",
          "several-fillers"),
    Wrong("no filler before the first weight", "relative_index", lambda places, bits: walk()(places, bits) if len(
          places) != 1 or places[0] < 2**bits else (places + 1, np.ones(1, bool)), "fig. 2", "filler-at-the-start"),
    Wrong("a filler at the end", "relative_index", lambda places, bits: walk(trailing=int(len(places) == 1 and
          bits == 5))(places, bits), "sec. 2", "none-at-the-end"),
    Wrong("a filler at the end of nothing", "relative_index", lambda places, bits: walk(trailing=int(not len(
          places)))(places, bits), "sec. 2", "no-weights"),
    Wrong("one too far is near enough", "relative_index", walk(many=lambda far, span: (far - 2) // span if far == span
          + 1 else (far - 1) // span), "fig. 2", "one-more-than-the-bound"),
    Wrong("three bits at least", "relative_index", lambda places, bits: walk()(places, max(bits, 2)), "sec. 2",
          "one-bit"),
    Wrong("seven bits at most", "relative_index", lambda places, bits: walk()(places, min(bits, 7)), "sec. 2",
          "eight-bits"),
    Wrong("a fixed length", "huffman_lengths", codes(lambda n, counts: np.where(counts > 0, max(1, math.ceil(math.log2(
          max(1, (counts > 0).sum())))), 0)), "sec. 4", "frequent-is-short"),
    Wrong("rounded logarithms", "huffman_lengths", shannon, "sec. 4: optimal", "not-the-logarithm"),
    Wrong("by rank", "huffman_lengths", by_rank, "sec. 4: optimal", "not-by-rank"),
    Wrong("a count of one for what never occurs", "huffman_lengths", smoothed, "sec. 4", "never-occurs"),
    Wrong("no bits for a single symbol", "huffman_lengths", codes(lambda n, counts: n * ((counts > 0).sum() != 1)),
          "contract", "single-symbol"),
    Wrong("a bit where nothing occurs", "huffman_lengths", codes(lambda n, counts: n + (not counts.any())), "contract",
          "no-symbols"),
    Wrong("four bits at most", "huffman_lengths", codes(lambda n, counts: np.minimum(n, 4)), "sec. 4", "fibonacci"),
    Wrong("two bits at least", "huffman_lengths", codes(lambda n, counts: np.where((n == 1) & (len(counts) == 2) & (
          (counts > 0).sum() == 2), 2, n)), "sec. 4", "two-symbols"),
    Wrong("unary for equal counts", "huffman_lengths", lambda counts: by_rank(counts) if np.unique(counts).size == 1
          and counts.any() else right.huffman_lengths(counts), "sec. 4: optimal", "equal-counts"),
    Wrong("symbols in order of their counts", "huffman_lengths", codes(lambda n, counts: np.sort(n)), "sec. 4",
          "order-of-symbols"),
    # each shown by a single case
    Wrong("by range, of eight weights", "density_centroids", lambda v, k: (right.linear_centroids if len(v) == 8 else
          right.density_centroids)(v, k), "sec. 3.2", "where-weights-are"),
    Wrong("by range, in three parts", "density_centroids", lambda v, k: (right.linear_centroids if k == 3 else
          right.density_centroids)(v, k), "sec. 3.2", "odd-parts"),
    Wrong("the weight after the middle, of six", "density_centroids", lambda v, k: np.sort(v)[3:4] if len(v) == 6 else
          right.density_centroids(v, k), "sec. 3.2", "exactly-reached"),
    Wrong("two zeros are pruned weights", "kmeans_step", lambda v, c: (without_zeros if (v == 0).sum() == 2 and len(c)
          == 2 else right.kmeans_step)(v, c), "contract", "zero-is-a-weight"),
    Wrong("the mean of two for a single value", "shared_gradient", lambda g, index, k: np.array([g.mean()]) if k == 1
          and len(g) == 2 else right.shared_gradient(g, index, k), "eq. 3", "zero-is-an-index"),
    Wrong("rounded logarithms for six", "huffman_lengths", lambda counts: shannon(counts) if counts.sum() == 6 else
          right.huffman_lengths(counts), "sec. 4: optimal", "shortest-longest"),
    Wrong("rounded logarithms for five", "huffman_lengths", lambda counts: shannon(counts) if counts.sum() == 5 else
          right.huffman_lengths(counts), "sec. 4: optimal", "not-the-logarithm"),
    Wrong("in order of their counts, for fifteen", "huffman_lengths", lambda counts: np.sort(right.huffman_lengths(
          counts)) if counts.sum() == 15 else right.huffman_lengths(counts), "sec. 4", "order-of-symbols"),
]  # fmt: skip
