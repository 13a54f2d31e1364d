"""svmlight text as scikit-learn writes it, and as people do, against the arrays that were written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import dump_svmlight_file

from linprobe.data.formats import open_dataset, svmlight
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError

X = np.round(np.random.default_rng(0).normal(size=(20, 6)), 3)
X[:, 0] = 1  # or nothing would say from which number columns count
Y = np.arange(20) % 3


def refused(path, kind: type[LinprobeError] = DataError):
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("suffix", ["svmlight", "libsvm", "svm", "LIBSVM"])
def test_columns_count_from_0_or_from_1(tmp_path, zero_based, suffix):
    path = tmp_path / f"some.{suffix}"
    dump_svmlight_file(X, Y, str(path), zero_based=zero_based)
    dataset = open_dataset(path)
    np.testing.assert_array_equal(dataset.train.X, X)
    np.testing.assert_array_equal(dataset.train.y, Y)
    assert dataset.classes == ("0", "1", "2")
    assert dataset.test is None


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 5)), elements=st.floats(-1e6, 1e6, width=32)),
    st.lists(st.integers(-3, 3), min_size=8, max_size=8),
)
def test_any_numbers_come_back(tmp_path_factory, values, labels):
    values[0, -1] = 1
    path = tmp_path_factory.mktemp("svm") / "some.libsvm"
    dump_svmlight_file(values, labels[: len(values)], str(path), zero_based=True)
    if not values[:, 0].any():
        return  # nothing says from which number columns count
    x, y = svmlight.entries(path)
    np.testing.assert_allclose(x.load(), values, rtol=1e-15, atol=0)  # it writes 16 digits
    assert y.load().tolist() == labels[: len(values)]


def test_plus_and_minus_one_are_two_classes_and_comments_are_none(tmp_path):
    path = tmp_path / "some.libsvm"
    path.write_text("# made by hand\n+1 1:0.5 3:2 # first\n-1 2:1\n+1 qid:3 1:1\n-1 3:-4\n")
    dataset = open_dataset(path)
    assert dataset.classes == ("-1", "1")
    np.testing.assert_array_equal(dataset.train.y, [1, 0, 1, 0])
    np.testing.assert_array_equal(dataset.train.X, [[0.5, 0, 2], [0, 1, 0], [1, 0, 0], [0, 0, -4]])


def test_a_file_for_each_split(tmp_path):
    dump_svmlight_file(X[:12], Y[:12], str(tmp_path / "train.libsvm"), zero_based=False)
    dump_svmlight_file(X[12:], Y[12:], str(tmp_path / "test.libsvm"), zero_based=False)
    dataset = open_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.train.X, X[:12])
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, X[12:])
    np.testing.assert_array_equal(dataset.test.y, Y[12:])


@pytest.mark.parametrize(
    "text", ["1 2\n", "1 a:b\n", "1 3:1 2:1\n", "one 1:1\n", "1,2 1:1\n", "1 -1:2\n", "\x00\x01\x02", "# nothing\n"]
)
def test_what_is_no_svmlight_is_refused(tmp_path, text):
    path = tmp_path / "some.libsvm"
    path.write_text(text)
    assert str(path) in refused(path)


def test_a_column_of_a_huge_number_takes_no_memory(tmp_path):
    path = tmp_path / "some.libsvm"
    path.write_text("1 1:1\n2 500000000:1\n")
    assert "train on the sparse one from Python" in refused(path, UsageError)
    path.write_text("1 1:1\n" * 999 + "2 2000000000:1\n")
    assert "do not use it" in refused(path, UnsafeFileError)
