"""Settings and splits of a search as heads of one stack: an example that a split leaves out weighs zero."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linprobe.compare.compare import Control, Judge, compare
from linprobe.compare.comparison import Comparison
from linprobe.compare.exact import Exact
from linprobe.compare.held_out import HeldOut, some_of
from linprobe.compare.settings import Axis
from linprobe.compare.solver import Resources, Trained
from linprobe.core.backend import Products, choose_device, move, namespace, quiet, to_numpy
from linprobe.core.exact.ground import Ground
from linprobe.core.exact.null import NEVER
from linprobe.core.measure import highest
from linprobe.core.objective import default_chunk
from linprobe.data.columns import as_matrix
from linprobe.data.dask_rows import DaskRows
from linprobe.data.dask_sources import dask_rows, is_dask
from linprobe.data.prepare import Preparation
from linprobe.data.rows import Rows, rows_of
from linprobe.data.terms import Chunk
from linprobe.data.weights import Weights
from linprobe.errors import UsageError
from linprobe.estimators._inputs import Features, check_features, check_labels, check_weights
from linprobe.estimators._parameters import Params, find_reg
from linprobe.estimators._preparing import prepared_for, unprepared

__all__ = [
    "JointFit",
    "Penalties",
    "Setting",
    "Split",
    "TrainingData",
    "kinds_of",
    "read_examples",
    "read_splits",
    "stacks_of",
]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What is searched on: X as it was given, or the matrix of a column of vectors; features (n, D) as the solver reads
    them; classes (K,), and which of them each example has, codes (n,) int; weight, in training, (n,) or None.
    """

    X: Any
    features: Features
    classes: np.ndarray
    codes: np.ndarray
    weight: np.ndarray | None
    names: np.ndarray | None

    @property
    def labels(self) -> np.ndarray:
        """The label of each example (n,)."""
        return self.classes[self.codes]


def read_examples(search: Any, X: Any, y: Any, sample_weight: Any) -> TrainingData:
    """Checked examples; the search learns the number and names of the features."""
    from sklearn.utils import indexable

    X = dask_rows(X) if is_dask(X) else X if isinstance(X, DaskRows) else as_matrix(X)
    features = check_features(search, X, reset=True)
    classes, codes = check_labels(y, features.shape[0])
    weight = check_weights(sample_weight, None, classes, codes)
    (X,) = indexable(X)
    return TrainingData(X, features, classes, codes, weight, getattr(search, "feature_names_in_", None))


@dataclass(frozen=True, eq=False)
class Setting:
    """A point of the grid: the parameters that it sets, those of them but reg and C, and the estimator they make."""

    params: Params
    others: Params
    estimator: Any


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on, repeated where the splitter repeats them, rows to test on, and the classes (codes) in train."""

    number: int
    train: np.ndarray
    test: np.ndarray
    present: np.ndarray

    def weights(self, examples: TrainingData, class_weight: Any) -> np.ndarray:
        """What every example weighs in training (n,): what it would in a fit on the rows of train, else 0."""
        given = None if examples.weight is None else examples.weight[self.train]
        codes = np.searchsorted(self.present, examples.codes[self.train])
        try:
            weight = check_weights(given, class_weight, examples.classes[self.present], codes)
        except UsageError as error:
            raise UsageError(f"split {self.number}, trained on {len(self.train):,} examples: {error}") from error
        counted = np.bincount(self.train, weight, len(examples.codes))
        return counted if weight is not None else counted.astype(np.min_scalar_type(counted.max()))


def read_splits(cv: Any, examples: TrainingData, metadata: Params, score_weights: Sequence[np.ndarray]) -> list[Split]:
    """The splits of a scikit-learn splitter, of an iterable of (train, test) rows, or of so many stratified folds.

    metadata: what the splitter is given besides X and y, such as groups; score_weights, each (n,), of the examples in
    scores. Raises UsageError for a split that nothing can be learned from or tested on, and what the splitter raises.
    """
    from sklearn.model_selection import check_cv

    labels = examples.labels
    # Kept for every split: of no more bytes than it takes to count them.
    rows = np.arange(len(labels), dtype=np.min_scalar_type(-len(labels)))
    splits = []
    splitter: Any = check_cv(cv, labels, classifier=True)
    for number, (train, test) in enumerate(splitter.split(examples.X, labels, **metadata)):
        try:
            train, test = (rows[np.asarray(part)] for part in (train, test))  # masks and negative indices too
        except IndexError as error:
            raise UsageError(f"split {number} does not fit {len(rows):,} examples: {error}; give rows of X") from error
        present = np.unique(examples.codes[train])
        if len(present) < 2:
            raise UsageError(
                f"split {number} trains on {len(train):,} examples of {'one class' if len(present) else 'no class'}; a "
                "classifier needs at least two: shuffle or stratify the splits, or have fewer"
            )
        if not len(test) or not all(weight[test].any() for weight in score_weights):
            raise UsageError(f"split {number} has no example of any weight to test on; each needs one")
        splits.append(Split(number, train, test, present))
    if not splits:
        raise UsageError("cv gives no splits; give at least one pair of rows to train on and rows to test on")
    return splits


@dataclass(frozen=True, eq=False)
class Penalties:
    """λ of each setting and split (G, F), which what else a split trains on may decide."""

    reg: np.ndarray
    drawn = False

    @property
    def axes(self) -> dict[str, Axis]:
        """None: the values of a setting are not one."""
        return {}

    def __len__(self) -> int:
        return len(self.reg)

    def values(self, seed: int) -> dict[str, np.ndarray]:
        """All of them."""
        del seed
        return {"reg": self.reg}


@dataclass(frozen=True, eq=False)
class JointFit:
    """Settings and splits that are trained together: head g · F + f is setting g on split f of F.

    numbers: of the settings within the grid; columns: the classes (codes) that the heads have; features (n, D), as the
    preparation, if any, leaves them; rows: those that any split trains on, all unless they are prepared.
    """

    numbers: list[int]
    settings: list[Setting]
    splits: list[Split]
    columns: np.ndarray
    features: Features | Rows
    preparation: Preparation | None
    rows: slice | np.ndarray

    def compare(
        self, examples: TrainingData, memory: int | None, search_tol: float | None, judge: Judge
    ) -> tuple[Comparison, np.ndarray, Ground | None]:
        """The settings on the splits, λ of each of both (G, F), and what a fit on all of the features can stand on."""
        estimator = self.settings[0].estimator
        reg = np.empty((len(self.settings), len(self.splits)))

        def of_split(place: int) -> np.ndarray:
            split = self.splits[place]
            weight = split.weights(examples, estimator.class_weight)
            for number, setting in enumerate(self.settings):
                parameters = setting.estimator.reg, setting.estimator.C
                reg[number, place] = find_reg(*parameters, self.features, weight, len(split.present))
            return weight[self.rows]

        own = None if examples.weight is None else examples.weight[self.rows]
        weights = Weights.of_columns(map(of_split, range(len(self.splits))), own)
        # Examples of classes that no head has weigh nothing, whatever they are called.
        codes = np.minimum(np.searchsorted(self.columns, examples.codes[self.rows]), len(self.columns) - 1)
        ground = None if self.preparation is not None else self._ground(examples)
        solver = Exact(
            loss=estimator._loss(),
            intercept=bool(estimator.fit_intercept),
            tol=estimator.tol,
            max_iter=int(estimator.max_iter),
            precision=estimator.precision,
            search_tol=search_tol,
            ground=ground,
        )
        found = compare(
            *(some_of(self.features, self.rows), codes, Penalties(reg), HeldOut.of_weights(weights), solver),
            classes=len(self.columns),
            judge=judge,
            control=Control(resources=Resources(Products(choose_device(estimator.device)), memory)),
        )
        return found, reg, ground

    def _ground(self, examples: TrainingData) -> Ground:
        """That of a fit on all examples, with the weights that it gives them."""
        class_weight = self.settings[0].estimator.class_weight
        weights = Weights.read(
            check_weights(examples.weight, class_weight, examples.classes, examples.codes), len(examples.codes), 1
        )
        return Ground(None if weights is None else weights.mean())

    def check(self, trained: Trained) -> None:
        """Raise UsageError for weights that are not finite."""
        numbers = [values for values in (trained.W, trained.b, trained.objective) if values is not None]
        if not all(bool(np.isfinite(values).all()) for values in numbers):
            raise UsageError(
                f"training ended with numbers that are not finite: the features leave the range of {trained.W.dtype}; "
                "divide X by its standard deviation"
            )

    def accuracies(
        self, examples: TrainingData, trained: Trained, place: int, rows: np.ndarray, weight: np.ndarray | None
    ) -> np.ndarray:
        """The accuracy of every setting (G,) of one of the splits on m rows with weights (m,), chunk by chunk."""
        device = choose_device(self.settings[0].estimator.device)
        heads = slice(place, None, len(self.splits))
        W = move(np.ascontiguousarray(trained.W[..., heads]), device)
        b = move(trained.b[..., heads].astype(trained.W.dtype), device)
        D, K, G = W.shape
        with quiet(W):
            (found,) = rows_of(self.features).map(
                _Predicted(W.reshape(D, K * G), b), W, size=default_chunk(K, G, device), rows=rows
            )
        correct = self.columns[to_numpy(found[:])] == examples.codes[rows, None]
        return np.average(correct, axis=0, weights=weight)

    def estimators(
        self, examples: TrainingData, trained: Trained, place: int, all_classes: bool = False
    ) -> Iterator[Any]:
        """Every setting on one of the splits as the estimator that a fit on the rows of train would have made.

        With all_classes it knows the classes that train lacks too, and gives them the probability 0.
        """
        from sklearn.base import clone

        split = self.splits[place]
        present = np.arange(len(examples.classes)) if all_classes else split.present
        for number, setting in enumerate(self.settings):
            head = number * len(self.splits) + place
            W = np.zeros((len(trained.W), len(examples.classes)), trained.W.dtype)
            b = np.full(len(examples.classes), NEVER, trained.b.dtype)
            W[:, self.columns], b[self.columns] = trained.W[..., head], trained.b[..., head]
            left, W, b = unprepared(self.preparation, W[:, present], b[present])
            if len(present) == 2:
                W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
            estimator: Any = clone(setting.estimator)
            estimator.classes_, estimator.coef_ = examples.classes[present], np.ascontiguousarray(W.T)
            estimator.intercept_, estimator.n_features_in_, estimator.preparation_ = b, len(W), left
            if examples.names is not None:
                estimator.feature_names_in_ = examples.names
            yield estimator


@dataclass(frozen=True, eq=False)
class _Predicted:
    """The class of every row by each head (m, G), of heads W (D, K·G) and b (K, G)."""

    W: Any
    b: Any

    def __call__(self, chunk: Chunk) -> tuple[Any]:
        xp, scores = namespace(self.W), chunk.scores(self.W, self.b, self.b.shape)
        if not bool(xp.all(xp.isfinite(scores))):
            raise UsageError(f"the scores of X overflow {self.W.dtype}; divide X by its standard deviation")
        return (highest(scores),)


def kinds_of(settings: list[Setting]) -> np.ndarray:
    """A number for each setting (G,), the same for those that differ in reg or C only."""
    kinds: list[Params] = []
    for setting in settings:
        if setting.others not in kinds:
            kinds.append(setting.others)
    return np.array([kinds.index(setting.others) for setting in settings])


def stacks_of(settings: list[Setting], splits: list[Split], examples: TrainingData) -> Iterator[JointFit]:
    """The fewest stacks: settings of one kind share one, or one for each split where features are prepared."""
    kinds = kinds_of(settings)
    for kind in range(kinds.max() + 1):
        numbers = np.flatnonzero(kinds == kind).tolist()
        members = [settings[number] for number in numbers]
        estimator = members[0].estimator
        by_classes: dict[tuple[int, ...], list[Split]] = {}
        for split in splits:
            # Only a bias can say "never": without one, a split that lacks a class needs heads that lack it too.
            columns = range(len(examples.classes)) if estimator.fit_intercept else split.present.tolist()
            by_classes.setdefault(tuple(columns), []).append(split)
        for columns, together in by_classes.items():
            if estimator.prepare is None:
                yield JointFit(numbers, members, together, np.array(columns), examples.features, None, slice(None))
                continue
            for split in together:
                weight = split.weights(examples, estimator.class_weight)
                preparation, features = prepared_for(estimator, examples.features, weight)
                rows = np.flatnonzero(weight)
                yield JointFit(numbers, members, [split], np.array(columns), features, preparation, rows)
