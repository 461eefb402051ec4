"""Golden cases of Deep Compression: centroids, a step of k-means, summed gradients, relative positions, codes."""

import numpy as np

from tests.golden.case import Function, bits, row
from tests.helpers.slow_sharing import (
    slow_density_centroids,
    slow_huffman_lengths,
    slow_kmeans_step,
    slow_linear_centroids,
    slow_random_centroids,
    slow_relative_index,
    slow_shared_gradient,
)

LINEAR = Function("linear_centroids", "values k", slow_linear_centroids)
DENSITY = Function("density_centroids", "values k", slow_density_centroids)
RANDOM = Function("random_centroids", "values k noise", slow_random_centroids)
STEP = Function("kmeans_step", "values centroids", slow_kmeans_step)
GRADIENT = Function("shared_gradient", "grad index k", slow_shared_gradient)
RELATIVE = Function("relative_index", "places bits", slow_relative_index)
HUFFMAN = Function("huffman_lengths", "counts", slow_huffman_lengths)
FUNCTIONS = [LINEAR, DENSITY, RANDOM, STEP, GRADIENT, RELATIVE, HUFFMAN]
SHARING, INDEX, CODES = "Han 2016 sec. 3.2", "Han 2016 sec. 2", "Han 2016 sec. 4"


def whole(*values):
    return np.array(values, np.int64)


# linear_centroids
for name, reason, values, k, expected, source in [
    ("both-ends", "the smallest and the largest weight are centroids, not minus and plus the largest magnitude",
     row(-1, 3), 2, row(-1, 3), "by hand"),
    ("even-steps", "the centroids between the ends are evenly spaced, wherever weights are",
     row(0, 0, 0, 0, 8), 5, row(0, 2, 4, 6, 8), "by hand: steps of 2"),
    ("any-order", "weights come in any order: the ends are not the first and the last",
     row(2, -4, 0, 4, 1), 3, row(-4, 0, 4), "by hand"),
    ("k-not-k-plus-one", "k centroids have k - 1 steps between them: 4 from 0 to 3 are whole numbers",
     row(3, 1, 0), 4, row(0, 1, 2, 3), "by hand"),
    ("equal-weights", "weights that are all equal have k equal centroids", row(2, 2, 2), 3, row(2, 2, 2), "by hand"),
    ("one-centroid", "a single centroid is at the lower end; k-means moves it to the mean", row(5, 1, 3), 1, row(1),
     "by hand"),
    ("more-than-weights", "there may be more centroids than weights", row(0, 1), 5, row(0, 0.25, 0.5, 0.75, 1),
     "by hand: quarters"),
    ("all-negative", "no centroid is at zero for its own sake", row(-8, -2, -3), 4, row(-8, -6, -4, -2), "by hand"),
    ("quarters", "centroids are fractions, and not rounded", row(0.25, -0.5, 1.75), 4, row(-0.5, 0.25, 1, 1.75),
     "by hand"),
]:  # fmt: skip
    LINEAR.case(name, reason, values, k, pin=SHARING, expected=expected, source=source)

# density_centroids
for name, reason, values, k, expected, source in [
    ("middle-of-each-part", "the quantiles are 1/2k, 3/2k, ...: 2 of four weights are the first and the third",
     row(1, 2, 3, 4), 2, row(1, 3), "by hand: the CDF reaches 1/4 at 1 and 3/4 at 3"),
    ("where-weights-are", "centroids crowd where weights do: seven of eight weights near zero have three of four",
     row(0, 1, 2, 3, 4, 5, 6, 100), 4, row(0, 2, 4, 6), "by hand: quantiles 1/8, 3/8, 5/8, 7/8"),
    ("a-weight-not-between", "a centroid is a weight, where the CDF jumps, not a number between two",
     row(0, 10), 1, row(0), "by hand: the CDF reaches 1/2 at 0"),
    ("not-the-ends", "the smallest and largest weight are no centroids for their own sake",
     row(-9, 0, 1, 2, 9), 2, row(0, 2), "by hand: 1/4 of five weights is reached at the second"),
    ("any-order", "weights come in any order", row(4, 1, 3, 2), 4, row(1, 2, 3, 4), "by hand"),
    ("more-than-weights", "more centroids than weights: some are equal", row(5, 7), 4, row(5, 5, 7, 7),
     "by hand: 1/8, 3/8 at 5, 5/8, 7/8 at 7"),
    ("equal-weights", "many equal weights are one jump of the CDF, with many centroids",
     row(2, 2, 2, 6), 4, row(2, 2, 2, 6), "by hand"),
    ("odd-parts", "three parts of seven weights: the quantiles 1/6, 1/2, 5/6", row(1, 2, 3, 4, 5, 6, 7), 3,
     row(2, 4, 6), "by hand: 7/6, 7/2 and 35/6, rounded up"),
    ("exactly-reached", "a quantile that the CDF meets exactly is at the weight where it does: 3 of 6 is the third",
     row(10, 20, 30, 40, 50, 60), 1, row(30), "by hand: 1/2 is reached at 30"),
]:  # fmt: skip
    DENSITY.case(name, reason, values, k, pin=SHARING, expected=expected, source=source)

# random_centroids
for name, reason, values, k, noise, expected, source in [
    ("weights-drawn", "centroids are weights: those with the largest noise", row(10, 20, 30, 40), 2,
     row(0.1, 0.9, 0.2, 0.8), row(20, 40), "by hand"),
    ("ascending", "centroids come in ascending order, not in that of the draw", row(3, 1, 2), 2, row(0.9, 0.8, 0.1),
     row(1, 3), "by hand"),
    ("without-repetition", "no weight is drawn twice", row(1, 2, 3), 3, row(0.5, 0.9, 0.7), row(1, 2, 3), "by hand"),
    ("equal-weights-are-two", "two weights of one value may both be drawn", row(7, 7, 1), 2, row(0.9, 0.8, 0.1),
     row(7, 7), "by hand"),
    ("ties-to-the-lower-index", "of equal noise the lower index is drawn", row(5, 6, 7), 1, row(0.5, 0.5, 0.5),
     row(5), "by hand"),
    ("not-the-smallest-noise", "the largest noise is drawn, not the smallest", row(1, 2), 1, row(0.1, 0.2), row(2),
     "by hand"),
    ("not-by-weight", "the size of a weight does not matter", row(100, -1, 50), 1, row(0.1, 0.7, 0.2), row(-1),
     "by hand"),
    ("signed-noise", "noise may be of either sign: it is ranked, not its magnitude", row(4, 8), 1, row(-0.9, 0.1),
     row(8), "by hand"),
    ("all", "as many centroids as weights are all of them", row(2, -2), 2, row(0.3, 0.4), row(-2, 2), "by hand"),
]:  # fmt: skip
    RANDOM.case(name, reason, values, k, noise, pin=SHARING, expected=expected, source=source)

# kmeans_step
for name, reason, values, centroids, expected, source in [
    ("nearest-then-mean", "each weight takes its nearest centroid, which moves to the mean of its weights",
     row(0, 1, 5, 7), row(0, 4), (whole(0, 0, 1, 1), row(0.5, 6)), "by hand"),
    ("index-before-the-move", "the index is by the centroids before the step, not after it",
     row(0, 4, 20), row(0, 7), (whole(0, 1, 1), row(0, 12)), "by hand: 4 is nearer to 7, and then to 0 than to 12"),
    ("halfway-to-the-smaller", "a weight halfway between two centroids takes the smaller one",
     row(1, 3, 5), row(1, 5), (whole(0, 0, 1), row(2, 5)), "by hand"),
    ("an-empty-one-stays", "a centroid without weights stays where it is: not at zero, and not a number",
     row(1, 3), row(2, 9), (whole(0, 0), row(2, 9)), "by hand"),
    ("centroids-in-any-order", "centroids need not ascend, and keep their places",
     row(1, 9, 2), row(8, 0), (whole(1, 0, 1), row(9, 1.5)), "by hand"),
    ("halfway-of-unordered", "halfway, the smaller centroid is taken even where it is the later one",
     row(4), row(8, 0), (whole(1), row(8, 4)), "by hand"),
    ("equal-centroids", "of equal centroids the first has all weights, the others none",
     row(5, 7), row(6, 6, 0), (whole(0, 0), row(6, 6, 0)), "by hand"),
    ("by-distance-not-square-root", "distance is of values with their sign: -3 is far from 3",
     row(-3, 3), row(-2.5, 4), (whole(0, 1), row(-3, 3)), "by hand"),
    ("mean-not-median", "the centroid is the mean of its weights, not the one in the middle",
     row(0, 0, 9), row(1), (whole(0, 0, 0), row(3)), "by hand"),
    ("zero-is-a-weight", "weights of zero count like others: those that are pruned are not among the values",
     row(0, 0, 4), row(2, 4), (whole(0, 0, 1), row(0, 4)), "by hand"),
    ("figure-3", "the paper's 16 weights, and its four centroids, which are their means",
     row(2.09, -0.98, 1.48, 0.09, 0.05, -0.14, -1.08, 2.12, -0.91, 1.92, 0, -1.03, 1.87, 0, 1.53, 1.49),
     row(-1, 0, 1.5, 2),
     (whole(3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2), row(-1, 0, 1.5, 2)), "the paper, figure 3"),
]:  # fmt: skip
    STEP.case(name, reason, values, centroids, pin="Han 2016 eq. 2", expected=expected, source=source)

# shared_gradient
for name, reason, grad, index, k, expected, source in [
    ("sums", "the gradient of a shared value is the sum over its weights, not their mean",
     row(1, 2, 4), whole(0, 0, 1), 2, row(3, 4), "by hand"),
    ("signs-cancel", "gradients are summed with their sign", row(3, -3, -1), whole(0, 0, 1), 2, row(0, -1), "by hand"),
    ("by-index", "gradients are grouped by the index, whatever their order", row(1, 2, 4, 8), whole(1, 0, 1, 0), 2,
     row(10, 5), "by hand"),
    ("none", "a value that no weight has gets no gradient, in its place", row(1, 2), whole(0, 2), 3, row(1, 0, 2),
     "by hand"),
    ("none-at-the-end", "k values have k gradients, also if the last ones have no weights", row(5), whole(0), 3,
     row(5, 0, 0), "by hand"),
    ("zero-is-an-index", "index 0 is a value like others", row(2, 3), whole(0, 0), 1, row(5), "by hand"),
    ("no-weights", "an empty layer has gradients of zero", row(), whole(), 2, row(0, 0), "by hand"),
    ("many", "sums are not averages: a hundred weights move their value a hundred times as far",
     np.full(100, 0.25), np.zeros(100, np.int64), 1, row(25), "by hand"),
    ("figure-3", "the paper's gradients and colours",
     row(-0.03, -0.01, 0.03, 0.02, -0.01, 0.01, -0.02, 0.12, -0.01, 0.02, 0.04, 0.01, -0.07, -0.02, 0.01, -0.02),
     whole(3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2), 4, row(-0.03, 0.04, 0.02, 0.04), "the paper, figure 3"),
]:  # fmt: skip
    GRADIENT.case(name, reason, grad, index, k, pin="Han 2016 eq. 3", expected=expected, source=source)

# relative_index
for name, reason, places, n_bits, steps, real, source in [
    ("figure-2", "weights at 1, 4 and 15, counted from 1, with 3 bits: 11 is too far, so a filler comes after 8",
     whole(0, 3, 14), 3, whole(1, 3, 8, 3), "1101", "the paper, figure 2"),
    ("first-step", "the first distance is from the position before the first: a weight at 0 has a step of 1",
     whole(0, 1), 5, whole(1, 1), "11", "the authors' decode.py"),
    ("exactly-the-bound", "a distance of 2^bits needs no filler", whole(3, 7), 2, whole(4, 4), "11", "by hand"),
    ("one-more-than-the-bound", "a distance of 2^bits + 1 has one, of 2^bits, and a step of 1", whole(0, 5), 2,
     whole(1, 4, 1), "101", "by hand"),
    ("twice-the-bound", "a distance of twice the bound has one filler, not two", whole(0, 8), 2, whole(1, 4, 4), "101",
     "by hand"),
    ("several-fillers", "a long distance has as many fillers as it takes", whole(13), 2, whole(4, 4, 4, 2), "0001",
     "by hand: 14 is 3 x 4 + 2"),
    ("filler-at-the-start", "fillers come before the first weight too", whole(4), 2, whole(4, 1), "01", "by hand"),
    ("none-at-the-end", "zeros after the last weight take nothing", whole(2), 5, whole(3), "1", "by hand"),
    ("one-bit", "with one bit a step is 1 or 2", whole(1, 2, 5), 1, whole(2, 1, 2, 1), "1101", "by hand"),
    ("no-weights", "a layer without weights has no steps", whole(), 5, whole(), "", "by hand"),
    ("eight-bits", "with 8 bits 256 is the longest step", whole(255, 511, 768), 8, whole(256, 256, 256, 1), "1101",
     "by hand"),
]:  # fmt: skip
    RELATIVE.case(name, reason, places, n_bits, pin=INDEX, expected=(steps, bits(real)), source=source)

# huffman_lengths
for name, reason, counts, expected, source in [
    ("frequent-is-short", "the most frequent symbol has the shortest codeword", whole(5, 1, 1, 2), whole(1, 3, 3, 2),
     "by hand: 1 + 1, 2 + 2, 4 + 5"),
    ("equal-counts", "four equal counts have two bits each", whole(3, 3, 3, 3), whole(2, 2, 2, 2), "by hand"),
    ("never-occurs", "a symbol that never occurs has no codeword, and takes none from others", whole(4, 0, 3, 2),
     whole(1, 0, 2, 2), "by hand"),
    ("single-symbol", "a single symbol has a codeword of one bit, not of none", whole(0, 9), whole(0, 1), "by hand"),
    ("two-symbols", "two symbols have a bit each, however rare one is", whole(1000, 1), whole(1, 1), "by hand"),
    ("no-symbols", "where nothing occurs there are no codewords", whole(0, 0), whole(0, 0), "by hand"),
    ("not-by-rank", "lengths follow from counts, not from ranks: nearly equal counts have nearly equal lengths",
     whole(10, 9, 8, 7), whole(2, 2, 2, 2), "by hand: 7 + 8, 9 + 10"),
    ("fibonacci", "each count the sum of the two before: every length is another", whole(1, 1, 2, 3, 5, 8),
     whole(5, 5, 4, 3, 2, 1), "by hand"),
    ("shortest-longest", "of equally good codes the one whose longest codeword is shorter", whole(1, 1, 2, 2),
     whole(2, 2, 2, 2), "by hand: 3, 3, 2, 1 takes as many bits"),
    ("not-the-logarithm", "lengths are not rounded logarithms: 2/5, 1/5, 1/5, 1/5 have two bits each",
     whole(2, 1, 1, 1), whole(2, 2, 2, 2), "by hand: 1 + 1, 1 + 2; the older of two counts of 2 is joined"),
    ("order-of-symbols", "a symbol's place does not matter where counts differ", whole(1, 8, 2, 4), whole(3, 1, 3, 2),
     "by hand"),
]:  # fmt: skip
    HUFFMAN.case(name, reason, counts, pin=CODES, expected=expected, source=source)
