"""What each step needs to know of the settings: a few numbers for each head, made ahead in float64 NumPy."""

from dataclasses import replace

import numpy as np

from linprobe.core.sgd.state import HeadStatus

__all__ = [
    "AFTER",
    "DECAY",
    "DOUBLE_REG",
    "FACTOR",
    "MOMENTUM",
    "RATE",
    "RESCALE",
    "SCALE",
    "SHARE",
    "idle_table",
    "step_tables",
]

# W is held as scale · V. Float32 keeps its relative precision at any size; only its exponent may run out,
# and sooner in the squares of the penalty.
SCALE_RANGE = (1e-9, 1e9)

# The rows of a table, one number per head: see `step_tables`.
SCALE, RESCALE, FACTOR, AFTER, DECAY, RATE, DOUBLE_REG, MOMENTUM, SHARE = range(9)


def idle_table(heads: int) -> np.ndarray:
    """The table of a step that changes nothing."""
    table = np.ones((9, heads))
    table[[FACTOR, RATE, DOUBLE_REG]] = 0
    return table


def step_tables(
    standing: HeadStatus, rates: np.ndarray, momentum: np.ndarray | None, *, nesterov: bool
) -> tuple[np.ndarray, np.ndarray, HeadStatus]:
    """The numbers (S, 9, H) for steps at these rates (S,) of the schedule, in which of them (S,) one rescales, and
    where the heads then stand.

    momentum (H,): None for plain steps. With the scale s before a step and s' after it: SCALE s, RESCALE what V is
    multiplied by, FACTOR lr / s', AFTER s', DECAY 1 - 2 λ lr. Momentum mixes two arrays whose scales would differ, so
    its weights have none, and it takes RATE lr, DOUBLE_REG 2 λ and MOMENTUM μ instead. SHARE is what is left, after
    it, of what the classes had in common.
    """
    tables = np.repeat(idle_table(len(standing.scale))[None], len(rates), axis=0)
    tables[:, RATE] = standing.learning_rate * rates[:, None]
    tables[:, DOUBLE_REG] = 2 * standing.reg
    tables[:, DECAY] = 1 - tables[:, RATE] * tables[:, DOUBLE_REG]
    if momentum is None:
        rescales, scale = _scales(tables, standing.scale)
        tables[:, FACTOR] = tables[:, RATE] / tables[:, AFTER]
        standing = replace(standing, scale=scale)
    else:
        rescales = np.zeros(len(rates), bool)
        tables[:, MOMENTUM], tables[:, FACTOR] = momentum, 1
    if standing.share is not None and standing.drift is not None:
        share, drift = _shares(tables, standing.share, standing.drift, momentum, nesterov=nesterov)
        standing = replace(standing, share=share, drift=drift)
    return tables, rescales, standing


def _shares(
    tables: np.ndarray, share: np.ndarray, drift: np.ndarray, momentum: np.ndarray | None, *, nesterov: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fill SHARE from share (H,) and its momentum drift (H,) now; both after the steps. No slope reaches it."""
    for table in tables:
        if momentum is None:
            share = share * table[DECAY]
        else:
            slope = table[DOUBLE_REG] * share
            drift = momentum * drift + slope
            share = share - table[RATE] * (slope + momentum * drift if nesterov else drift)
        table[SHARE] = share
    return share, drift


def _scales(tables: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill SCALE, RESCALE and AFTER from DECAY and the scale (H,) now; in which steps (S,) one rescales, and the scale
    after them.
    """
    rescales, start = np.zeros(len(tables), bool), 0
    while start < len(tables):
        scales = np.cumprod(np.concatenate([scale[None], tables[start:, DECAY]]), axis=0)
        outside = ~((np.abs(scales[1:]) >= SCALE_RANGE[0]) & (np.abs(scales[1:]) <= SCALE_RANGE[1]))
        folding = np.flatnonzero(outside.any(axis=1))
        stop = start + folding[0] + 1 if len(folding) else len(tables)
        tables[start:stop, SCALE], tables[start:stop, AFTER] = scales[: stop - start], scales[1 : stop - start + 1]
        if len(folding):
            # Each head decides for itself, and multiplying by one changes no bit, so one pass over V serves the
            # heads that rescale and those that do not.
            last, heads = tables[stop - 1], outside[folding[0]]
            last[RESCALE], last[AFTER] = np.where(heads, last[AFTER], 1), np.where(heads, 1, last[AFTER])
            rescales[stop - 1] = True
        scale, start = tables[stop - 1, AFTER].copy(), stop
    return rescales, scale
