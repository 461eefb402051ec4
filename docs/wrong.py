"""RigL with a fault that public code has: shown on the front page with what the checker says of it."""

from minisparse.masks import top_k


def rigl_update(weight, mask, dense_grad, n_update):
    kept = top_k(abs(weight * mask), int(mask.sum()) - n_update)
    grow = top_k(abs(dense_grad), n_update, among=~kept)
    return kept | grow
