"""What examples count, from a column, an array or a file: beside every row that has a label, or refused in one line."""

# A data set may have no test split.
# pyright: reportOptionalMemberAccess=false

import numpy as np
import pytest

from linprobe import open_dataset
from linprobe.data.splits import make_splits, part_of
from linprobe.errors import DataError, UsageError

ROWS = 30


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "X": rng.standard_normal((ROWS, 3)).astype(np.float32),
        "y": np.arange(ROWS) % 3,
        "count": rng.integers(0, 5, ROWS) + 0.5,
    }


def write_csv(path, arrays, count=None):
    lines = ["a,b,c,kind,count"]
    for row, (x, y) in enumerate(zip(arrays["X"], arrays["y"], strict=True)):
        lines.append(
            ",".join([*map(str, x.tolist()), f"k{y}", str((arrays["count"] if count is None else count)[row])])
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def test_they_are_read_from_a_column_an_array_and_a_file_and_are_no_feature(arrays, tmp_path):
    np.savez(tmp_path / "all.npz", **arrays)
    np.savez(tmp_path / "some.npz", X=arrays["X"], y=arrays["y"])
    np.save(tmp_path / "counts.npy", arrays["count"])
    found = [
        open_dataset(tmp_path / "all.npz", weights="count"),
        open_dataset(tmp_path / "some.npz", weights=str(tmp_path / "counts.npy")),
        open_dataset(write_csv(tmp_path / "table.csv", arrays), label="kind", weights="count"),
    ]
    for dataset in found:
        np.testing.assert_array_equal(dataset.train.weights, arrays["count"])
        assert dataset.train.X.shape == (ROWS, 3)
    assert found[0].asked["weights"] == "count"
    assert open_dataset(tmp_path / "some.npz").train.weights is None


def test_they_follow_their_rows_into_every_split(arrays, tmp_path):
    arrays["count"] = np.arange(ROWS) + 1.0
    arrays["X"][:, 0] = arrays["count"]
    np.savez(tmp_path / "all.npz", **arrays)
    dataset = open_dataset(tmp_path / "all.npz", weights="count")
    splits = make_splits(dataset, val=5, test=5, rule="stratified")
    for examples in (splits.train, splits.val, splits.test, part_of(splits, "train + validation"), dataset.pool()):
        np.testing.assert_array_equal(examples.weights, examples.X[:][:, 0])


def test_rows_without_a_label_take_theirs_along_and_a_split_column_parts_them(arrays, tmp_path):
    path = write_csv(tmp_path / "table.csv", arrays)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(",k2,", ",,")
    parts = ["split", *("test" if row % 5 == 0 else "train" for row in range(ROWS))]
    path.write_text("\n".join(f"{line},{part}" for line, part in zip(lines, parts, strict=True)) + "\n")
    found = open_dataset(path, label="kind", weights="count")
    kept = np.array([row % 5 != 0 and row != 2 for row in range(ROWS)])
    np.testing.assert_array_equal(found.train.weights, arrays["count"][kept])
    np.testing.assert_array_equal(found.test.weights, arrays["count"][np.arange(ROWS) % 5 == 0])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("-1", "row 4 has the weight -1"),
        ("nan", "row 4 has no weight"),
        ("inf", "row 4 has the weight inf"),
        ("", "row 4 has no weight"),
        ("much", "row 0 has the weight"),
    ],
)
def test_what_is_no_weight_is_refused(arrays, tmp_path, bad, words):
    count = [*map(str, arrays["count"])]
    count[4] = bad
    path = write_csv(tmp_path / "table.csv", arrays, count)
    with pytest.raises(DataError, match=f"--weights count: {words}.*, and a number of 0 or more is expected; mend it"):
        open_dataset(path, label="kind", weights="count")


def test_a_length_that_differs_and_a_name_that_is_not_there_are_refused(arrays, tmp_path):
    np.savez(tmp_path / "all.npz", **arrays | {"count": np.ones(7)})
    with pytest.raises(
        DataError, match="--weights count has 7 rows, and there are 30 labels; give one weight for each"
    ):
        open_dataset(tmp_path / "all.npz", weights="count")
    with pytest.raises(UsageError, match="--weights number"):
        open_dataset(tmp_path / "all.npz", weights="number")
    with pytest.raises(UsageError, match="--weights count: digits has no columns"):
        open_dataset("digits", weights="count")
