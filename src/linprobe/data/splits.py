"""Which rows train, choose and test; which of them a model is trained on, told in its file, and found again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from linprobe.core.finite import count_not_finite, first_not_finite
from linprobe.data.dataset import Dataset, Examples, Splits, joined
from linprobe.data.draw import grouped, in_one, mixed, numbered_groups, some, stratified
from linprobe.data.prepare import Features, Preparation, fit_preparation
from linprobe.errors import DataError, UsageError

__all__ = [
    "Part",
    "Rule",
    "TrainedOn",
    "absent_classes",
    "default_sizes",
    "make_splits",
    "part_of",
    "prepared",
    "refuse_what_is_not_finite",
]

Part = Literal["train", "train + validation"]
# In the order of the source, as the worksheet has it, if that is well mixed, else shuffled; each class in its share; or
# also no group in two splits.
Rule = Literal["in order", "stratified", "grouped"]

# The worksheet's sizes on CIFAR-10; elsewhere the same shares of what there is.
WORKSHEET_SIZES = {"train": 49_000, "val": 1_000, "test": 1_000, "dev": 500}

LARGEST = float(np.finfo(np.float32).max) / 2  # a feature, so that its distance from the mean is one of float32

# Shares of a small source leave too few examples to measure anything: a tenth of it, up to this many, is the least.
LEAST_EXAMPLES = 200


@dataclass(frozen=True)
class TrainedOn:
    """Which rows of a data set a model is trained on, and which its preparation is fitted on.

    seed, train, val, test, rule: of the splits, as `make_splits` takes them. fingerprint: of the splits that they made
    and of all else here; None in the files of older versions.
    """

    trained_on: Part
    prepared_on: Part
    seed: int
    train: int
    val: int
    test: int
    fingerprint: str | None = None
    rule: Rule = "in order"

    @classmethod
    def of(cls, splits: Splits, seed: int, trained_on: Part, prepared_on: Part, rule: Rule = "in order") -> "TrainedOn":
        """Those of splits that were made with a seed, by a rule."""
        train, val, test = (splits.sizes[name] for name in ("train", "val", "test"))
        rows = cls(trained_on, prepared_on, seed, train, val, test, rule=rule)
        digest = hashlib.sha256(json.dumps([rows.tell(), splits.fingerprint], sort_keys=True).encode())
        return replace(rows, fingerprint=f"sha256:{digest.hexdigest()}")

    @classmethod
    def read(cls, told: Any) -> "TrainedOn":
        """What `tell` wrote, from a file that may hold anything. Raises DataError for anything else."""
        numbers = ("seed", "train", "val", "test")
        if (
            not isinstance(told, Mapping)
            or any(type(told.get(name)) is not int or not 0 <= told[name] < 2**63 for name in numbers)
            or any(told.get(name) not in get_args(Part) for name in ("trained_on", "prepared_on"))
            or not isinstance(told.get("fingerprint"), str | None)
            or told.get("rule", "in order") not in get_args(Rule)
        ):
            raise DataError("the model does not tell which rows it was trained on; train it again, with linprobe tune")
        return cls(**{field.name: told[field.name] for field in fields(cls) if field.name in told})

    def tell(self) -> dict[str, str | int | None]:
        """All of it, JSON-ready; without the rule that older versions had, which they did not tell."""
        told = asdict(self)
        return told if self.rule != "in order" else {name: told[name] for name in told if name != "rule"}

    def splits(self, dataset: Dataset) -> Splits:
        """The same splits again, of the same data set. Raises DataError where they are not what was trained on."""
        if self.rule == "grouped" and dataset.train.groups is None:
            raise DataError(
                f"{dataset.name}: the model was trained on splits that keep groups together, and there are none here; "
                "give their column, with --groups"
            )
        changed = DataError(
            f"{dataset.name}: the rows that the model's file describes are not those that the model was trained on, so "
            "the file was changed; train the model again"
        )
        try:
            sizes = {"train": self.train, "val": self.val, "test": self.test}
            splits = make_splits(dataset, seed=self.seed, rule=self.rule, **sizes)
        except UsageError as error:  # which speaks of options that nobody typed
            raise changed from error
        if self.fingerprint not in (
            None,
            TrainedOn.of(splits, self.seed, self.trained_on, self.prepared_on, self.rule).fingerprint,
        ):
            raise changed
        return splits

    def fit(self, splits: Splits, features: Features) -> Preparation:
        """The preparation, fitted on the rows that it is fitted on."""
        return fit_preparation(part_of(splits, self.prepared_on).X, features)

    def prepared(self, splits: Splits, preparation: Preparation) -> Examples:
        """The rows that the model is trained on: Rows (n, D) float32, prepared when they are read."""
        return prepared(part_of(splits, self.trained_on), preparation)


def part_of(splits: Splits, part: Part) -> Examples:
    """The training examples, or those with the validation examples behind them."""
    train, val = splits.train.lazily(), splits.val.lazily()
    if part == "train":
        return train
    groups, weights = (joined([getattr(each, name) for each in (train, val)]) for name in ("groups", "weights"))
    return Examples(train.X.followed_by(val.X), np.concatenate([train.y, val.y]), groups, weights)


def prepared(examples: Examples, preparation: Preparation) -> Examples:
    """Examples as Rows (n, D) float32, prepared when they are read."""
    rows = examples.lazily()
    return replace(rows, X=rows.X.prepared(preparation))


def absent_classes(y: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """The classes of which none of the labels y (n,) is."""
    counts = np.bincount(y, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if not count]


def refuse_what_is_not_finite(dataset: Dataset) -> None:
    """Raise DataError for the first feature of a data set that is NaN or infinite, or would be in float32, centred."""
    for name, examples in dataset.splits():
        if examples.X.dtype.kind != "f":
            continue
        below = LARGEST if examples.X.dtype.itemsize > 4 else np.inf
        place = first_not_finite(examples.X, below=below)
        if place is not None:
            row, column = place
            value = examples.X[row][column]
            found = f"{dataset.name}: {name} has {value} in row {row:,}, column {column:,}, counted from 0"
            if (count := count_not_finite(examples.X, below=below)) > 1:
                found += f", the first of {count:,} such values"
            if np.isfinite(value):
                raise DataError(
                    f"{found}, too large for float32, in which rows are prepared; divide the features by a number"
                )
            raise DataError(
                f"{found}; a linear classifier needs finite features: leave the row out, or fill the value in"
            )


def make_splits(
    dataset: Dataset,
    *,
    seed: int = 0,
    train: int | None = None,
    val: int | None = None,
    test: int | None = None,
    dev: int | None = None,
    rule: Rule = "in order",
) -> Splits:
    """Cut a dataset into train, val, test and dev; sizes not given are the worksheet's, in proportion.

    Validation and test rows are those of the source's own splits; where it has none, they are taken from the training
    rows, by the rule. "in order": training rows come first, validation rows next and test rows after those, in the
    source's own order, but shuffled with `seed` where the source has no test split, or comes in blocks of a class or
    lacks one where it should have some. "stratified": drawn with `seed`, each class in its share. "grouped": so, but
    rows of one group stay together, and sizes are only nearly what is asked for.
    dev is drawn without replacement from train.
    All are Rows of the source's examples, which copy none of them.
    Raises UsageError for an unknown rule, and where fewer examples are there than asked for; DataError where they are
    too few at all, or all of one class.
    """
    if rule not in get_args(Rule):
        raise UsageError(f"the rule of the splits, {rule!r}, is unknown; use one of: {', '.join(get_args(Rule))}")
    present = np.unique(dataset.train.y)
    if len(present) < 2:
        raise DataError(
            f"{dataset.name}: holds a single class ({dataset.classes[present[0]]}) for training; a classifier "
            "needs at least two"
        )
    available = len(dataset.train)
    own = {name: len(examples) for name, examples in dataset.splits() if name != "train"}
    cut = [name for name in ("val", "test") if name not in own]  # from the training split
    sizes = default_sizes(available, own.get("test"), own.get("val"))
    asked = {"train": train, "val": val, "test": test, "dev": dev}
    for name, size in asked.items():
        if size is not None:
            if size < 1:
                raise UsageError(f"{_option(name)} {size}: a split needs at least one example")
            sizes[name] = size
    pool = sizes["train"] + sum(sizes[name] for name in cut)
    if train is None and pool > available:
        # An asked-for validation or test split takes its examples from training.
        sizes["train"] -= pool - available
        pool = available
    if sizes["train"] < 1 or pool > available:
        if all(size is None for size in asked.values()):
            raise DataError(
                f"{dataset.name}: has {available:,} example{'s' if available > 1 else ''}, too few to split into "
                "train, val and test; give it more"
            )
        names = ("train", *cut)
        wanted = " + ".join(f"{sizes[name]:,} {name}" for name in names if sizes[name] > 0)
        raise UsageError(
            f"{dataset.name}: has {available:,} examples, the splits ask for more ({wanted}"
            f"{', and at least one to train on' if train is None else ''}); "
            f"ask for fewer with {' or '.join(map(_option, names))}"
        )
    for name, there in own.items():
        if sizes[name] > there:
            what = {"val": "validation", "test": "test"}[name]
            raise UsageError(
                f"{dataset.name}: its {what} split has {there:,} examples, {_option(name)} asks for {sizes[name]:,}; "
                "ask for fewer"
            )
    if dev is None:
        sizes["dev"] = min(sizes["dev"], sizes["train"])
    if sizes["dev"] > sizes["train"]:
        raise UsageError(f"--dev {sizes['dev']}: is drawn from the {sizes['train']:,} training examples; ask for fewer")
    generator = np.random.default_rng(seed)
    if rule == "in order":
        return _cut(dataset, sizes, generator)
    return _drawn(dataset, sizes, generator, None if rule == "stratified" else numbered_groups(dataset, cut))


def _option(name: str) -> str:
    """What the size of a split is called on the command line."""
    return "--dev" if name == "dev" else f"--{name}-size"


def default_sizes(train: int, test: int | None, val: int | None = None) -> dict[str, int]:
    """The sizes of the four splits for a source with this many examples; test, val None: it has none of its own."""
    worksheet = WORKSHEET_SIZES
    whole = worksheet["train"] + worksheet["val"] + (worksheet["test"] if test is None else 0)

    def share(name: str, of: int) -> int:
        return max(round(of * worksheet[name] / whole), min(LEAST_EXAMPLES, of // 10), 1)

    sizes = {"val": share("val", train), "test": share("test", train), "dev": share("dev", train)}
    if test is not None:
        sizes["test"] = min(sizes["test"], test)
    if val is not None:
        sizes["val"] = val
    sizes["train"] = train - (sizes["val"] if val is None else 0) - (sizes["test"] if test is None else 0)
    return sizes


def _cut(dataset: Dataset, sizes: dict[str, int], generator: np.random.Generator) -> Splits:
    everything, available = dataset.pool(), len(dataset.train)
    # The order of the training split, and behind it that of the validation split.
    order: slice | np.ndarray = slice(0, len(everything))
    within = (sizes["train"],) if dataset.val is not None else (sizes["train"], sizes["val"])
    if dataset.test is None or not mixed(dataset.train.y, *within):
        order = np.concatenate([generator.permutation(available), np.arange(available, len(everything))])

    def part(start: int, size: int) -> Examples:
        rows = slice(start, start + size)
        return everything.take(rows if isinstance(order, slice) else order[rows])

    train = part(0, sizes["train"])
    after = sizes["train"]
    if dataset.val is None:
        val = part(after, sizes["val"])
        after += sizes["val"]
    elif sizes["val"] == len(dataset.val) or mixed(dataset.val.y, sizes["val"]):
        val = part(available, sizes["val"])
    else:
        val = everything.take(available + generator.permutation(len(dataset.val))[: sizes["val"]])
    _refuse_single_class(dataset, train)
    dev = train.take(np.sort(generator.choice(len(train), sizes["dev"], replace=False)))
    if dataset.test is None:
        test = part(after, sizes["test"])
    else:
        rows = slice(0, sizes["test"])
        if not mixed(dataset.test.y, sizes["test"]):
            rows = generator.permutation(len(dataset.test))[rows]
        test = dataset.test.lazily().take(rows)
    return _splits(dataset, train, val, test, dev, sizes)


def _refuse_single_class(dataset: Dataset, train: Examples) -> None:
    if len(np.unique(train.y)) < 2:
        raise DataError(
            f"{dataset.name}: all of train, {len(train):,} of {len(dataset.train):,} examples, is of a single class; a "
            "classifier needs at least two: train on more examples"
        )


def _splits(
    dataset: Dataset, train: Examples, val: Examples, test: Examples, dev: Examples, sizes: dict[str, int]
) -> Splits:
    used = [train, val] + ([test] if dataset.test is None else [])
    lengths = [len(train), len(val), len(test) if dataset.test is None else 0]
    digest = hashlib.sha256(json.dumps(lengths).encode())
    for examples in used:
        digest.update(examples.lazily().X.places().astype("<i8").data)
    asked = {name: sizes[name] for name in ("train", "val", "test")}
    return Splits(train, val, test, dev, f"sha256:{digest.hexdigest()}", asked)


def _drawn(
    dataset: Dataset, sizes: dict[str, int], generator: np.random.Generator, groups: np.ndarray | None
) -> Splits:
    """Splits in which every class has its share; groups (n,) int of train, if any, stay whole."""
    everything, available = dataset.pool(), len(dataset.train)
    wanted = [sizes["train"], *(sizes[name] * (getattr(dataset, name) is None) for name in ("val", "test"))]
    if groups is None:
        part = stratified(dataset.train.y, wanted, generator)
    else:
        part = grouped(dataset.train.y, groups, [*wanted, available - sum(wanted)], generator)
    train, val, test = (everything.take(in_one(np.flatnonzero(part == number))) for number in range(3))
    _refuse_single_class(dataset, train)
    if dataset.val is not None:
        val = everything.take(in_one(available + some(dataset.val.y, sizes["val"], generator)))
    dev = train.take(np.sort(generator.choice(len(train), min(sizes["dev"], len(train)), replace=False)))
    if dataset.test is not None:  # last, so that nothing else depends on it
        test = dataset.test.lazily().take(in_one(some(dataset.test.y, sizes["test"], generator)))
    return _splits(dataset, train, val, test, dev, sizes)
