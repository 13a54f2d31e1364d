"""How a problem is solved, by its size: on how many threads, along its path, with a copy of its rows."""

from linprobe.core.exact.metric import FULL_FEATURES
from linprobe.core.exact.newton import newton_bytes
from linprobe.core.exact.problem import Problem, by_part_bytes, solve_bytes
from linprobe.core.exact.search import Search

__all__ = ["by_part", "small", "worth_walking"]

# Multiplications of a product, half a millisecond, and of a factorisation.
ONE_THREAD, FACTORISED = 2e7, 5e9

# So many penalties make a path. Products of fewer columns than WIDE take more time a column than those of a whole
# stack: with 20 of them, what a walk saves in passes it loses there.
PATH_PENALTIES, WIDE = 3, 100


def small(posed: Problem, search: Search | None) -> bool:
    """Whether the widest product of a pass, and all that is factorised, are too small for several threads."""
    (n, D), K = posed.X.shape, len(posed.heads.shares)
    # A search has the penalties of a path one after the other.
    at_once, rank = len(posed.heads) if search is None else int((posed.neighbours() < 0).sum()), min(n, D)
    unknowns = (rank + 1) * K if newton_bytes((n, rank), K) else 0
    factorised = max(max(n, D) * rank**2, n * unknowns**2)
    return n * rank * K * at_once <= ONE_THREAD and factorised <= FACTORISED


def worth_walking(problem: Problem) -> bool:
    """Whether the penalties are many enough, and the heads of one wide enough, to be walked through one by one.

    Where the metric does not know all directions, weak penalties need twice the passes from anywhere else.
    """
    before = problem.neighbours()
    first = before < 0
    long = len(before) >= PATH_PENALTIES * first.sum()
    return long and (int(first.sum()) * len(problem.heads.shares) >= WIDE or problem.X.shape[1] > FULL_FEATURES)


def by_part(posed: Problem, phases: list[str], memory: int | None, device: str) -> tuple[Problem, int | None]:
    """The problem with a copy of its rows, those of each fold together, where that is worth it and there is room; and
    the memory that is left.
    """
    X = posed.X
    whole = X.dtype.itemsize > 2 and "float32" not in str(X.dtype)  # single precision might not hold what they are
    like = posed.array([], phases[-1] if whole else phases[0])
    copied = by_part_bytes(X, posed.weights, like.dtype.itemsize, device)
    if not copied:
        return posed, memory
    if memory is not None:
        room = solve_bytes(X.shape, len(posed.heads.shares), len(posed.heads), 8, device)
        if room[0] + len(posed.heads) * room[1] + copied > memory:
            return posed, memory
        memory -= copied
    return posed.by_part(str(like.dtype)), memory
