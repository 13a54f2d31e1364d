"""The exercise's own notebook runs on our names, and gives what its students expect."""

import io
import pickle
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import linprobe
from linprobe.learn.worksheet import (
    HingeClassifier,
    LinearSVM,
    Softmax,
    get_CIFAR10_data,
    load_CIFAR10,
    softmax_loss_naive,
    softmax_loss_vectorized,
    svm_loss_naive,
    svm_loss_vectorized,
)

CELLS = (Path(__file__).parent / "softmax_notebook.txt").read_text().split("# %% ")[1:]


@pytest.fixture(scope="module")
def small_cifar(tmp_path_factory):
    """The official folder with 60 pictures a batch, whose classes differ in brightness and colour."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    base = rng.integers(40, 216, size=(10, 3, 1, 1))
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        y = rng.permutation(np.repeat(np.arange(10), 6))
        X = np.clip(base[y] + rng.normal(0, 40, size=(60, 3, 32, 32)), 0, 255).astype(np.uint8)
        batch = {b"data": X.reshape(60, -1), b"labels": y.tolist(), b"filenames": [b"x"] * 60, b"batch_label": b"b"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    meta = {b"label_names": [f"class{k}".encode() for k in range(10)], b"num_vis": 3072, b"num_cases_per_batch": 60}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    return folder


def run_notebook(folder, sizes):
    space = {"CIFAR10_DIR": str(folder), "SIZES": sizes}
    printed = {}
    np.random.seed(0)
    for cell in CELLS:
        name, _, code = cell.partition("\n")
        output = io.StringIO()
        with redirect_stdout(output):
            exec(compile(code, f"cell {name}", "exec"), space)
        printed[name.strip()] = output.getvalue()
    return space, printed


def check_notebook(space, printed, sizes):
    train, dev = sizes[0], sizes[3]
    assert f"Train data shape:  ({train}, 3073)" in printed["data"]
    assert f"dev labels shape:  ({dev},)" in printed["data"]
    assert float(re.findall(r"loss: ([\d.]+)", printed["first loss"])[0]) == pytest.approx(2.3026, abs=0.5)
    errors = re.findall(r"numerical: \S+ analytic: \S+, relative error: (\S+)", printed["gradient check"])
    assert len(errors) == 20
    # A fixed step of 1e-5, as the exercise has it: pixels of size 60 leave errors up to about 1e-6.
    assert max(map(float, errors)) < 1e-5
    assert "Loss difference: 0.000000\nGradient difference: 0.000000" in printed["matrix form"]
    assert len(re.findall(r"iteration \d+ / 150: loss", printed["tune"])) == 8
    assert len(space["loss_history"]) == 150
    assert space["loss_history"][-1] < space["loss_history"][0]
    assert "template: (32, 32, 3)" in printed["templates"]


def test_the_notebook_runs_with_only_its_imports_changed(small_cifar):
    sizes = (240, 40, 60, 30)
    space, printed = run_notebook(small_cifar, sizes)
    check_notebook(space, printed, sizes)
    assert space["test_accuracy"] > 0.3  # chance is 0.1


def test_data_is_the_folders_own(small_cifar):
    X, y, X_test, y_test = load_CIFAR10(small_cifar)
    assert (X.shape, X.dtype, y.shape) == ((300, 32, 32, 3), np.float64, (300,))
    assert (X_test.shape, y_test.shape) == ((60, 32, 32, 3), (60,))
    third = pickle.loads((small_cifar / "data_batch_3").read_bytes(), encoding="bytes")
    np.testing.assert_array_equal(X[120:180], third[b"data"].reshape(60, 3, 32, 32).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(y[120:180], third[b"labels"])


@pytest.mark.slow
def test_prepared_data_is_what_the_notebooks_own_cell_makes(small_cifar):
    space, _ = run_notebook(small_cifar, (240, 40, 60, 30))
    np.random.seed(0)
    ours = get_CIFAR10_data(240, 40, 60, 30, folder=small_cifar)
    names = ["X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "X_dev", "y_dev"]
    for name, array in zip(names, ours, strict=True):
        np.testing.assert_allclose(array, space[name], rtol=0, atol=1e-9, err_msg=name)


def test_students_find_the_hinge_under_the_name_they_know():
    assert LinearSVM is HingeClassifier
    assert LinearSVM is not linprobe.LinearSVM


@pytest.mark.parametrize(("kind", "naive"), [(Softmax, softmax_loss_naive), (HingeClassifier, svm_loss_naive)])
def test_classifiers_are_the_exercises_loop(kind, naive):
    rng = np.random.default_rng(0)
    X, y = np.column_stack([rng.normal(size=(80, 5)), np.ones(80)]), rng.integers(0, 3, 80)
    model = kind()
    model.W = start = 0.01 * rng.normal(size=(6, 3))
    np.random.seed(7)
    history = model.train(X, y, learning_rate=0.05, reg=0.01, num_iters=30, batch_size=10)
    np.random.seed(7)
    W, generator, expected = start.copy(), np.random.default_rng(np.random.randint(2**31 - 1)), []
    for _ in range(30):
        rows = generator.integers(0, 80, 10)
        value, gradient = naive(W, X[rows], y[rows], 0.01)
        expected.append(value)
        W -= 0.05 * gradient
    np.testing.assert_allclose(history, expected, rtol=1e-10)
    np.testing.assert_allclose(model.W, W, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), np.argmax(X @ W, axis=1))
    loss, gradient = model.loss(X, y, 0.5)
    np.testing.assert_allclose(loss, naive(W, X, y, 0.5)[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, naive(W, X, y, 0.5)[1], rtol=1e-9, atol=1e-12)


def test_training_goes_on_from_the_present_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)
    model = Softmax()
    first = model.train(X, y, learning_rate=0.1, num_iters=50)
    again = model.train(X, y, learning_rate=0.1, num_iters=50)
    assert np.mean(again) < np.mean(first)


def test_prediction_before_training_says_so():
    with pytest.raises(ValueError, match="call train first"):
        Softmax().predict(np.zeros((1, 3)))


@pytest.mark.parametrize("function", [softmax_loss_naive, softmax_loss_vectorized, svm_loss_naive, svm_loss_vectorized])
def test_losses_leave_their_arguments_as_they_were(function):
    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(5, 3)), rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    before = W.tobytes(), X.tobytes(), y.tobytes()
    loss, gradient = function(W, X, y, 0.1)
    assert isinstance(loss, float)
    assert gradient.shape == W.shape
    assert (W.tobytes(), X.tobytes(), y.tobytes()) == before


@pytest.mark.xdist_group("official files")
@pytest.mark.real_data
def test_the_notebook_runs_on_cifar10(official_cifar10):
    sizes = (49000, 1000, 1000, 500)
    space, printed = run_notebook(official_cifar10, sizes)
    check_notebook(space, printed, sizes)
    assert space["test_accuracy"] > 0.25
