"""Reductions over the classes that give every head the same bits, whatever stack it stands in."""

from collections.abc import Callable

from linprobe.core.backend import Array, namespace, reduction

BLOCK = 16


def over_classes(operation: Callable[..., Array], scores: Array) -> Array:
    """Reduce over the classes with a binary operation (xp.add, xp.maximum).

    scores (n, K, H), unchanged -> (n, H), a new array. Needs at most a quarter of the scores' memory besides it.

    Why not `sum(axis=1)`: NumPy adds the classes one after another when H > 1, but in eight interleaved sums when
    H = 1, so that a head alone and the same head in a stack differ in the last bit. Here the order depends on K only.
    With heads innermost it is also the faster way: on (200, 10, 100) float32, maximum 0.05 ms against 0.09 ms.
    On a torch device, where a call costs more than it computes, it is a single reduction, in torch's own order.
    """
    at_once = reduction(operation, scores)
    if at_once is not None:
        return at_once(scores, axis=1)
    K = scores.shape[1]
    if K >= 4 * BLOCK:
        # Many classes: first reduce blocks of them into each other. One class at a time, K = 1000 would be 1000 calls,
        # each of which touches every cache line of the scores when H is small.
        block = _reduce_blocks(operation, scores)
        return over_classes(operation, block)
    result = namespace(scores).asarray(scores[:, 0], copy=True)
    for k in range(1, K):
        operation(result, scores[:, k], out=result)
    return result


def _reduce_blocks(operation: Callable[..., Array], scores: Array) -> Array:
    """Reduce classes 16 apart into each other: scores (n, K, H), K >= 32 -> (n, 16, H)."""
    K = scores.shape[1]
    block = operation(scores[:, :BLOCK], scores[:, BLOCK : 2 * BLOCK])
    for first in range(2 * BLOCK, K, BLOCK):
        part = block[:, : min(BLOCK, K - first)]
        operation(part, scores[:, first : first + BLOCK], out=part)
    return block
