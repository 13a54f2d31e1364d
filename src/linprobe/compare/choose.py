"""Which of the compared settings is taken: the one place that says.

The rule: the highest mean score over the splits. Scores are shares of few examples and often equal, also where the
same counts in other folds make the last bit of the mean another: what lies within `EQUAL` of the next higher score is
its equal. Among equal ones the lowest mean loss decides, where losses are known: that setting is surer of its answers.
What is equal in both goes to the setting that comes first, as in scikit-learn's GridSearchCV, which leaves the last
word to whoever ordered the settings. A setting without a score is never taken; one that failed, only where all with a
score did: its weights may be those of another setting.

One standard error (Hastie, Tibshirani and Friedman, 2009, sec. 7.10): of the settings that differ from the best in reg
alone, the strongest reg whose mean score is within one standard error of the best's own mean. Scores that close say
nothing about which is better, and the simpler model is the safer guess.

Edges: the best lies at the edge of an axis if it is at an end, values beyond it are possible, and no setting that
differs from it along this axis alone, and is not at that end, is its equal in score and loss. What stays the same up to
the end gives no reason to expect better beyond it; a loss that still falls does, where scores are equal. The ends are
the lowest and the highest value; of a range from which trials are drawn, the outermost twentieths, because no trial
lands on the end itself. What a failed fit is best at says nothing of what lies beyond.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from linprobe.compare.settings import EDGE, Axis, End, end_of
from linprobe.errors import DivergedError, UsageError

if TYPE_CHECKING:
    from linprobe.compare.comparison import Comparison

__all__ = ["EQUAL", "Choice", "Edge", "Why", "choose", "contenders", "ranked"]

EQUAL = 1e-12  # of a score, or of 1 where that is larger: far below one example of any data, far above rounding

Why = Literal["highest score", "lowest loss", "first", "one standard error", "all failed"]


@dataclass(frozen=True)
class Edge:
    """A setting at the end of an axis, beyond which better may lie."""

    axis: str
    setting: int
    end: End


@dataclass(frozen=True)
class Choice:
    """The setting to take, those equal to the best in score and loss, the edges that it lies at, and what decided."""

    best: int
    tied: tuple[int, ...]
    edges: tuple[Edge, ...]
    why: Why

    @property
    def edge_axes(self) -> tuple[str, ...]:
        """The axes beyond whose end better may lie."""
        return tuple(dict.fromkeys(edge.axis for edge in self.edges))


def ranked(score: np.ndarray, loss: np.ndarray | None = None, failed: np.ndarray | None = None) -> np.ndarray:
    """All settings (G,), the best first, by score, loss and whether they failed (G,): those without a score last."""
    nothing = np.zeros(len(score))
    return np.lexsort(
        (nothing if loss is None else loss, _places(score), nothing if failed is None else failed, np.isnan(score))
    )


def choose(found: "Comparison", *, one_standard_error: bool = False) -> Choice:
    """The setting to take, by the rule above.

    Raises DivergedError where no setting has a score, UsageError for a standard error of a single split.
    """
    score, loss, failed = found.score, found.loss, found.failed
    best = int(ranked(score, loss, failed)[0])
    if np.isnan(score[best]):
        settings = "the only setting" if len(score) == 1 else f"all {len(score)} settings"
        raise DivergedError(f"{settings} diverged: no weights are left to choose from; give smaller learning rates")
    places = _places(score)
    as_good = (places == places[best]) & (failed == failed[best])
    tied = as_good if found.losses is None else as_good & (loss == loss[best])
    chosen = _simplest(found, best, failed) if one_standard_error else best
    edges = [Edge(name, best, end) for name in found.settings if (end := _edge(found, name, best, tied))]
    if chosen != best and (end := _end(found, "reg", chosen)) == "highest":
        edges.append(Edge("reg", chosen, end))
    why: Why = "highest score"
    if failed[best]:
        why = "all failed"
    elif chosen != best:
        why = "one standard error"
    elif tied.sum() > 1:
        why = "first"
    elif as_good.sum() > 1:
        why = "lowest loss"
    return Choice(chosen, tuple(np.flatnonzero(tied).tolist()), () if failed[best] else tuple(edges), why)


def contenders(found: "Comparison", before: "Comparison | None" = None) -> np.ndarray:
    """The settings (G,) that may be the best, by scores of fits that have not reached their goal yet.

    Those within one standard error of the best, by its scores on the splits; of a single split, all. Where the fits
    have come closer since they were compared before: those within as much of the best as any mean score has moved.
    """
    score = found.score
    if np.isnan(score).all():
        return np.zeros(len(score), bool)
    best = ranked(score, None, found.failed)[0]
    slack = np.inf
    if before is not None:
        with np.errstate(invalid="ignore"):  # of scores that are infinite
            moved = np.abs(score - before.score)
        slack = moved[~np.isnan(moved)].max(initial=0)
    elif len(of_best := _of_splits(found, best)) > 1:
        slack = of_best.std(ddof=1) / np.sqrt(len(of_best))
    with np.errstate(invalid="ignore"):
        return score >= score[best] - slack - EQUAL * max(1, abs(score[best]))


def _of_splits(found: "Comparison", setting: int) -> np.ndarray:
    """The scores of a setting on the splits on which any has one; the others count in no mean."""
    return found.scores[setting, ~np.isnan(found.scores).all(axis=0)]


def _places(score: np.ndarray) -> np.ndarray:
    """The place (G,) of each setting by its score, 0 the highest: equal ones share theirs, those without are last."""
    order = np.argsort(-score, kind="stable")
    above, below = score[order][:-1], score[order][1:]
    with np.errstate(invalid="ignore"):
        steps = above - below > EQUAL * np.maximum(1, np.minimum(np.abs(above), np.abs(below)))
    steps |= np.isnan(below) & ~np.isnan(above)
    places = np.empty(len(score), np.int64)
    places[order] = np.concatenate([[0], np.cumsum(steps)])
    return places


def _simplest(found: "Comparison", best: int, failed: np.ndarray) -> int:
    """The strongest reg whose score is within one standard error of the best."""
    of_best = _of_splits(found, best)
    if len(of_best) == 1:
        raise UsageError("one_standard_error needs scores on two splits, and there are some on one only")
    score, reg = found.score, found.settings["reg"]
    error = of_best.std(ddof=1) / np.sqrt(len(of_best))
    near = found.alike(best, "reg") & (failed == failed[best]) & (score >= score[best] - error)
    return max(np.flatnonzero(near).tolist(), key=lambda setting: reg[setting])


def _edge(found: "Comparison", name: str, best: int, tied: np.ndarray) -> End | None:
    """The end of an axis at which the best lies, unless an equal lies elsewhere on it."""
    end = _end(found, name, best)
    if end is None:
        return None
    rivals = np.flatnonzero(tied & found.alike(best, name)).tolist()
    return end if all(_end(found, name, rival) == end for rival in rivals) else None


def _end(found: "Comparison", name: str, setting: int) -> End | None:
    """The end of an axis at which a setting lies, None for the inside."""
    values = found.settings[name]
    axis = found.axes[name] if name in found.axes else Axis(values[found.alike(setting, name)])
    return end_of(name, axis, values[setting], margin=EDGE if found.drawn and axis.ranged else 0.0)
