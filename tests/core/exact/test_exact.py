"""The exact engine against scikit-learn at its tightest, against SciPy on our own float64 formulas, and alone."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from linprobe.core.certificate import certify
from linprobe.core.exact import metric
from linprobe.core.exact import solver as exact
from linprobe.core.exact.curvature import class_curvature
from linprobe.core.exact.problem import CURVATURE_ROWS, pose, solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.core.losses.curvature import total_curvature
from linprobe.errors import DataError, IncompatibleError, UsageError

BOTH = pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
REG = np.array([1.0, 1e-2, 1e-4])


def draw(n=300, D=12, K=4, *, seed=0, shift=0.0, sparsity=0.0):
    """Overlapping classes of unequal size, features of very unequal size: X (n, D) float64, y (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.choice(K, n, p=np.arange(1, K + 1) / (K * (K + 1) / 2))
    X = rng.standard_normal((n, D)) + 0.7 * rng.standard_normal((K, D))[y]
    X *= np.logspace(0.5, -1, D)
    X[rng.random(X.shape) < sparsity] = 0
    return X + shift, y


def objective(X, y, W, b, reg, loss, weight=None):
    """The definition, in float64 and no hurry: W (D, K), b (K,)."""
    X = X.toarray() if sparse.issparse(X) else X
    scores = X.astype(np.float64) @ W.astype(np.float64) + b
    rows = np.arange(len(y))
    if loss == "softmax":
        losses = np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1)) + scores.max(1) - scores[rows, y]
    else:
        margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
        margins[rows, y] = 0
        losses = (margins**2).sum(1)
    return np.average(losses, weights=weight) + reg * np.sum(W.astype(np.float64) ** 2)


def lowest(X, y, reg, loss, weight=None, intercept=True):
    """The lowest objective that somebody else finds."""
    X = np.asarray(X.toarray() if sparse.issparse(X) else X, np.float64)
    K, D = int(y.max()) + 1, X.shape[1]
    if loss == "softmax":
        total = len(y) if weight is None else weight.sum()
        model = LogisticRegression(
            C=1 / (2 * reg * total), tol=1e-12, max_iter=10_000, solver="newton-cholesky", fit_intercept=intercept
        ).fit(X, y, weight)
        return objective(X, y, model.coef_.T, model.intercept_, reg, loss, weight)

    def value(theta):
        W, b = theta[: D * K].reshape(D, K), theta[D * K :] * intercept
        scores, rows = X @ W + b, np.arange(len(y))
        margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
        margins[rows, y] = 0
        share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
        slope = 2 * margins * share[:, None]
        slope[rows, y] = -slope.sum(1)
        gradient = np.concatenate([(X.T @ slope + 2 * reg * W).ravel(), slope.sum(0) * intercept])
        return share @ (margins**2).sum(1) + reg * np.sum(W**2), gradient

    found = minimize(
        value, np.zeros(D * K + K), jac=True, method="L-BFGS-B",
        options={"maxiter": 50_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 50},
    )  # fmt: skip
    return found.fun


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("loss", "intercept", "weighted"),  # every pair once
    [
        ("softmax", True, False),
        ("softmax", False, True),
        ("squared_hinge", True, True),
        ("squared_hinge", False, False),
    ],
)
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "csr64", "csr32", "shifted"])
def test_the_optimum_is_what_scikit_learn_and_scipy_find_at_their_tightest(loss, intercept, weighted, kind):
    X, y = draw(shift=3.0 if kind == "shifted" else 0.0, sparsity=0.7 if kind.startswith("csr") else 0.0)
    X = X.astype({"csr64": "f8", "csr32": "f4", "shifted": "f4"}.get(kind, kind))
    X = sparse.csr_matrix(X) if kind.startswith("csr") else X
    weight = np.random.default_rng(1).integers(0, 4, len(y)).astype(float) if weighted else None
    found = solve(X, y, REG, loss=loss, sample_weight=weight, intercept=intercept, tol=1e-8)
    assert (found.stopped == "gap").all()
    for head, reg in enumerate(REG):
        truth = lowest(X, y, reg, loss, weight, intercept)
        ours = objective(X, y, found.W[..., head], found.b[..., head], reg, loss, weight)
        assert ours == pytest.approx(truth, rel=1e-7)
        assert found.objective[head] == pytest.approx(ours, rel=1e-6)  # quoted from products in X's own type
    proof = certify(X, y, found.W, found.b if intercept else None, REG, loss, sample_weight=weight)
    assert (proof.gap <= 2e-8 * proof.objective).all()


def distance(X, y, W, b, reg, loss):
    """‖∇‖² / 4λ at W (D, K), the bias holding the scores of the mean example: what bounds the gap, in float64."""
    scores, rows, n = X @ W + b, np.arange(len(y)), len(y)
    if loss == "softmax":
        slope = np.exp(scores - scores.max(1, keepdims=True))
        slope /= slope.sum(1, keepdims=True)
        slope[rows, y] -= 1
    else:
        slope = 2 * np.maximum(0, scores - scores[rows, y][:, None] + 1)
        slope[rows, y] = 0
        slope[rows, y] = -slope.sum(1)
    gradient = (X - X.mean(0)).T @ slope / n + 2 * reg * W
    return np.sum(gradient**2) / (4 * reg)


@BOTH
def test_the_gap_that_is_quoted_is_the_certificates(loss):
    X, y = draw()
    compared = 0
    for tol in (1e-2, 1e-4):
        found = solve(X, y, REG, loss=loss, tol=tol)
        proof = certify(X, y, found.W, found.b, REG, loss)
        assert (found.gap <= tol * found.objective).all()
        assert (proof.gap <= 1.001 * found.gap + 1e-12).all()
        # Nearer to the optimum rounding decides, and what the bias may add to the bound.
        for head in np.flatnonzero(found.gap > 1e-7 * found.objective):
            expected = distance(X, y, found.W[..., head], found.b[:, head], REG[head], loss)
            assert expected <= found.gap[head] * (1 + 1e-6) <= 1.1 * expected
            assert found.gap[head] <= 1.1 * proof.gap[head]
            compared += 1
    assert compared >= 4  # of 6, or the test would show little


@BOTH
def test_the_gap_of_a_head_that_was_stopped_bounds_what_it_lacks(loss):
    # Along the way the bias is not the best one for the weights, which the bound has to make up for.
    X, y = draw(n=100, seed=1)
    reg = np.array([100.0, 1.0, 1e-2])
    best = solve(X, y, reg, loss=loss, tol=1e-12)
    assert (certify(X, y, best.W, best.b, reg, loss).gap <= 1e-11 * best.objective).all()
    weights_alone = []
    for passes in (1, 2, 3, 4):
        found = solve(X, y, reg, loss=loss, tol=1e-9, max_iter=passes)
        lacks = found.objective - best.objective
        assert (lacks <= found.gap + 1e-12).all()
        alone = [distance(X, y, found.W[..., h], found.b[:, h], reg[h], loss) for h in range(3)]
        weights_alone.append((lacks > np.array(alone) + 1e-9).any())
    assert any(weights_alone)  # or the test would show nothing of the bias


@BOTH
def test_a_loose_tolerance_is_for_the_weights_not_for_the_bias(loss):
    # The bound supposes the bias that is best for the weights.
    X, y = draw()
    found = solve(X, y, REG, loss=loss, tol=0.1)
    step = 1e-5 * np.eye(4)[0]
    for head, reg in enumerate(REG):
        left, right = (
            objective(X, y, found.W[..., head], found.b[:, head] + sign * step, reg, loss) for sign in (-1, 1)
        )
        assert abs(right - left) / 2e-5 < 1e-4


@pytest.mark.sampled(2)
@BOTH
def test_the_curvature_is_that_of_the_rows_that_a_head_sees(loss):
    # Rows to measure on are shared, but a head with few examples may have none among them.
    X, y = draw(n=30_000)
    weight = np.ones((len(y), 3))
    weight[40:, 0] = 0
    weight[::7, 1] = 0
    problem = pose(X, y, REG, loss, 4, weight, True, "numpy")
    samples = list(problem.curvature_samples(np.arange(3)))
    assert [places.tolist() for places, _ in samples] == [[1, 2], [0]]
    rng = np.random.default_rng(1)
    W, b = 0.1 * rng.standard_normal((X.shape[1], 4, 3)), rng.standard_normal((4, 3))
    found = class_curvature(problem, W, b, np.arange(3))
    for places, rows in samples:
        assert len(rows) <= CURVATURE_ROWS
        assert (np.diff(rows) > 0).all()
        for head in places:
            share = weight[rows, head] / weight[rows, head].sum()
            expected = total_curvature(problem.loss.curvature(X[rows] @ W[..., head] + b[:, head], y[rows]), share)
            np.testing.assert_allclose(found[..., head], expected, atol=1e-14)
    assert samples[1][1].tolist() == list(range(40))
    together = solve(X, y, REG, loss=loss, sample_weight=weight)
    assert (together.stopped == "gap").all()
    for head in range(3):
        alone = solve(X, y, REG[[head]], loss=loss, sample_weight=weight[:, head])
        assert together.objective[head] == pytest.approx(alone.objective[0], rel=2e-6)
        assert together.iterations[head] <= 1.5 * alone.iterations[0]


@BOTH
def test_a_head_alone_is_the_head_in_a_stack(loss):
    X, y = draw()
    weight = np.random.default_rng(2).random((len(y), 3))
    together = solve(X, y, REG, loss=loss, sample_weight=weight, tol=1e-10)
    for head in range(3):
        alone = solve(X, y, REG[head], loss=loss, sample_weight=weight[:, head], tol=1e-10)
        assert alone.objective[0] == pytest.approx(together.objective[head], rel=1e-9)
        # 2λ-strong convexity: both lie within sqrt(gap / λ) of the optimum.
        distance = np.linalg.norm(alone.W[..., 0] - together.W[..., head])
        assert distance <= 2 * np.sqrt(1e-10 * together.objective[head] / REG[head])


@BOTH
def test_a_weight_is_that_many_repetitions_and_zero_is_absence(loss):
    X, y = draw()
    times = np.random.default_rng(3).integers(0, 4, len(y))
    weighted = solve(X, y, REG, loss=loss, sample_weight=times)
    repeated = solve(np.repeat(X, times, axis=0), np.repeat(y, times), REG, loss=loss)
    np.testing.assert_allclose(weighted.W, repeated.W, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(weighted.b, repeated.b, rtol=1e-7, atol=1e-9)


@BOTH
def test_folds_are_weights(loss):
    X, y = draw()
    fold = np.arange(len(y)) % 3
    kept = (fold[:, None] != np.arange(3)).astype(np.float64)
    found = solve(X, y, np.full(3, 1e-2), loss=loss, sample_weight=kept, tol=1e-9)
    for head in range(3):
        rows = fold != head
        assert found.objective[head] == pytest.approx(lowest(X[rows], y[rows], 1e-2, loss), rel=1e-8)


@pytest.mark.real_data
@BOTH
def test_many_features_few_examples_and_the_other_metrics(loss, monkeypatch):
    X, y = draw(n=150, D=400, seed=4)
    reg = np.array([1.0, 0.1, 1e-2])
    truth = [lowest(X, y, strength, loss) for strength in reg]
    # n < D: turned into the coordinates of the span of the examples first.
    found = [solve(X, y, reg, loss=loss, tol=1e-8)]
    # The other metrics are for rows that no memory would turn.
    monkeypatch.setattr(exact, "takes_span", lambda *_: False)
    monkeypatch.setattr(metric, "FULL_FEATURES", 10)
    monkeypatch.setattr(metric, "ROWS", 100)
    found.append(solve(X, y, reg, loss=loss, tol=1e-8))  # some of the examples
    found.append(solve(sparse.csr_array(X), y, reg, loss=loss, tol=1e-8))  # the features' own variances
    for optimum in found:
        assert (optimum.stopped == "gap").all()
        np.testing.assert_allclose(optimum.objective, truth, rtol=1e-7)


def test_the_low_rank_metric_is_the_full_one_where_nothing_is_left_out(monkeypatch):
    X, _ = draw(n=60, D=100)
    X[:, 50:] = X[:, :50]  # rank 50 at most
    g = np.random.default_rng(0).standard_normal((100, 3, 2))
    rng = np.random.default_rng(1)
    roots, reg = rng.standard_normal((3, 3, 2)), np.array([0.5, 0.01])
    classes = np.einsum("ijh,kjh->ikh", roots, roots)
    pairs = [np.linalg.eigh(classes[..., head]) for head in range(2)]
    stiffness, axes = (np.stack(parts, axis=-1) for parts in zip(*pairs, strict=True))
    centred = X - X.mean(0)
    low = metric.fit_metric(X, g)
    assert low.rest is not None
    assert low.variance.shape[0] <= 51
    for head in range(2):
        curvature = np.kron(centred.T @ centred / len(X), classes[..., head]) + 2 * reg[head] * np.eye(300)
        truth = np.linalg.solve(curvature, g[..., head].ravel()).reshape(100, 3)
        np.testing.assert_allclose(low.inverse(g, axes, stiffness, reg)[..., head], truth, rtol=1e-6, atol=1e-8)
    monkeypatch.setattr(metric, "ROWS", 10)
    full = metric.fit_metric(X, g)
    assert full.rest is None
    found, expected = (each.inverse(g, axes, stiffness, reg) for each in (full, low))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@BOTH
def test_a_class_that_a_head_never_sees_is_never_predicted(loss):
    X, y = draw()
    weight = np.ones((len(y), 2))
    weight[y == 3, 1] = 0
    found = solve(X, y, np.array([1e-2, 1e-2]), loss=loss, classes=5, sample_weight=weight)
    assert (found.stopped == "gap").all()
    assert (found.b[4] < -1e20).all()
    assert found.b[3, 1] < -1e20
    assert abs(found.b[3, 0]) < 10
    assert (np.abs(found.W[:, 4]) < 1e-12).all()
    rows = y != 3
    assert found.objective[1] == pytest.approx(lowest(X[rows], y[rows], 1e-2, loss), rel=1e-6)
    proof = certify(X, y, found.W, found.b, np.array([1e-2, 1e-2]), loss, sample_weight=weight)
    assert (proof.gap <= 2e-6 * proof.objective).all()


@BOTH
@pytest.mark.parametrize("kind", ["constant", "duplicate", "all constant", "one class", "n < K", "one example"])
def test_degenerate_data_get_a_certified_answer(loss, kind):
    X, y = draw(n=40, D=5)
    if kind == "constant":
        X[:, 2] = 7.0
    elif kind == "duplicate":
        X[:, 4] = X[:, 1]
    elif kind == "all constant":
        X[:] = 1.5
    elif kind == "one class":
        y[:] = 1
    elif kind == "n < K":
        X, y = X[:3], np.array([0, 5, 8])
    else:
        X, y = X[:1], y[:1]
    found = solve(X, y, np.array([0.1, 1e-3]), loss=loss, classes=10)
    assert (found.stopped == "gap").all()
    assert np.isfinite(found.W).all()
    assert np.isfinite(found.b).all()
    assert np.isfinite(found.objective).all()


@BOTH
def test_single_precision_ends_where_its_digits_do_and_double_goes_on(loss):
    X, y = draw()
    X = X.astype(np.float32)
    single = solve(X, y, REG, loss=loss, tol=0, precision="single")
    assert (single.stopped == "stalled").all()
    assert single.W.dtype == np.float32
    assert (single.gap < 1e-3 * single.objective).all()
    double = solve(X, y, REG, loss=loss, tol=1e-11, precision="double")
    assert (double.stopped == "gap").all()
    assert double.W.dtype == np.float64
    proof = certify(X, y, double.W, double.b, REG, loss)
    assert (proof.gap <= 1.5e-11 * proof.objective).all()
    assert solve(X, y, REG, loss=loss, tol=1e-5).W.dtype == np.float32


def test_a_head_without_passes_left_is_not_called_done():
    # float32 stops at a goal of its own, 1e-7, where float64 is to go on: with all passes spent, it cannot.
    X, y = draw()
    X = X.astype(np.float32)
    spent = int(solve(X, y, REG[0], tol=1e-7, precision="single").iterations[0])
    found = solve(X, y, REG[0], tol=1e-12, max_iter=spent)
    assert found.gap[0] > 1e-12 * found.objective[0]
    assert found.stopped[0] == "max_iter"


def test_raw_pixels_are_certified():
    from sklearn.datasets import load_digits

    X, y = (np.asarray(part) for part in load_digits(return_X_y=True))
    pixels = (X * 15).astype(np.uint8)
    found = solve(pixels, y, np.array([1e-2, 1.0, 100.0]))
    assert (found.stopped == "gap").all()
    proof = certify(pixels, y, found.W, found.b, np.array([1e-2, 1.0, 100.0]), "softmax")
    assert (proof.gap <= 2e-6 * proof.objective).all()


def test_passes_are_counted_and_bounded_and_told():
    X, y = draw()
    told = []
    found = solve(X, y, REG, max_iter=3, progress=lambda done, of: told.append((done, of)))
    assert (found.iterations <= 3).all()
    assert found.stopped[2] == "max_iter"
    assert told[-1] == (3, 3)
    assert np.isfinite(found.gap).all()
    assert (found.gap >= 0).all()
    assert solve(X, y, REG, tol=1e-3).iterations.max() < solve(X, y, REG, tol=1e-9).iterations.max()


@pytest.mark.sampled(2)
@BOTH
def test_less_memory_means_narrower_stacks_and_the_same_optimum(loss):
    X, y = draw(n=500, D=100)
    reg = np.logspace(0, -3, 12)
    whole = solve(X, y, reg, loss=loss, tol=1e-9)
    fixed, each = solve_bytes(X.shape, 4, 12, 8)
    told = []
    cut = solve(X, y, reg, loss=loss, tol=1e-9, memory=fixed + 3 * each, progress=lambda *state: told.append(state))
    np.testing.assert_allclose(cut.objective, whole.objective, rtol=1e-8)
    assert told[-1] == (12, 12)
    with pytest.raises(IncompatibleError, match="a single head needs"):
        solve(X, y, reg, memory=10_000)


def test_no_copy_of_the_data_is_made():
    n, D = 60_000, 64
    X = np.random.default_rng(0).integers(0, 256, (n, D), dtype=np.uint8)
    y = (X[:, 0] > 100).astype(int) + (X[:, 1] > 128)
    tracemalloc.start()
    solve(X, y, np.array([10.0]), tol=1e-3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * D * 4 / 2  # of float32; float64 would be twice as much


def test_rows_mapped_from_a_file_are_rows(tmp_path):
    X, y = draw()
    np.save(tmp_path / "X.npy", X.astype(np.float16))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    found, truth = solve(mapped, y, REG), solve(X.astype(np.float16), y, REG)
    np.testing.assert_array_equal(found.W, truth.W)


@BOTH
def test_torch_finds_the_same(loss):
    torch = pytest.importorskip("torch")
    X, y = draw()
    weight = np.random.default_rng(5).random((len(y), 3))
    truth = solve(X, y, REG, loss=loss, sample_weight=weight, tol=1e-9)
    for features in (X, torch.from_numpy(X)):
        found = solve(features, y, REG, loss=loss, sample_weight=weight, tol=1e-9, device="cpu")
        assert isinstance(found.W, np.ndarray)
        np.testing.assert_allclose(found.objective, truth.objective, rtol=1e-8)
    single = solve(X.astype(np.float32), y, REG, loss=loss, tol=1e-6, device="cpu")
    assert (single.stopped == "gap").all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"loss": "hinge"}, IncompatibleError, "squared_hinge, or the solver sgd"),
        ({"reg": [0.1, 0.0]}, UsageError, "reg is 0.*no optimum"),
        ({"reg": [-1.0]}, UsageError, "reg must be positive"),
        ({"reg": [np.nan]}, UsageError, "reg must be positive"),
        ({"y": np.zeros(5, int)}, UsageError, r"\(300, 12\) and y \(5,\)"),
        ({"y": np.full(300, 9), "classes": 4}, UsageError, "0 to 3; y has 9 to 9"),
        ({"y": np.full(300, -1)}, UsageError, "labels"),
        ({"y": np.full(300, 0.5)}, UsageError, "whole numbers"),
        ({"sample_weight": np.zeros(300)}, UsageError, "0 for all examples"),
        ({"sample_weight": -np.ones(300)}, UsageError, "negative"),
        ({"sample_weight": np.full(300, np.inf)}, UsageError, "not finite"),
        ({"sample_weight": np.ones(7)}, UsageError, r"\(7,\); 300 rows need"),
        ({"tol": -1.0}, UsageError, "tol"),
        ({"tol": np.nan}, UsageError, "tol"),
        ({"max_iter": 0}, UsageError, "max_iter"),
        ({"X": np.zeros((0, 4))}, UsageError, "shape"),
        ({"X": np.zeros((300, 0))}, UsageError, "at least one"),
        ({"X": np.zeros(300)}, UsageError, "shape"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(change, error, words):
    X, y = draw()
    arguments = {"X": X, "y": y, "reg": REG, **change}
    with pytest.raises(error, match=words) as caught:
        solve(arguments.pop("X"), arguments.pop("y"), arguments.pop("reg"), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_what_is_not_a_number_is_named(make, value, words):
    X, y = draw()
    X[217, 5] = value
    with pytest.raises(DataError, match=f"{words}.*row 217, column 5"):
        solve(make(X), y, REG)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_features_of_any_size_are_taken_as_they_are(size):
    X, y = draw()
    found = solve((X * size).astype(np.float32), y, REG * size**2)
    np.testing.assert_allclose(found.objective, solve(X, y, REG).objective, rtol=1e-5)
    with pytest.raises(DataError, match="squares are infinite"):
        solve(X * 1e200, y, REG)


def test_passes_are_bounded_in_both_precisions_together(monkeypatch):
    X, y = draw()
    seen = []

    def watched(X, y, W, *arguments, **options):
        seen.append(str(W.dtype))
        return looked(X, y, W, *arguments, **options)

    looked = exact.objective_and_gradient
    monkeypatch.setattr(exact, "objective_and_gradient", watched)
    whole = solve(X.astype(np.float32), y, np.array([1e-4]), tol=1e-11)
    single = seen.count("float32") - 1  # each begins with a look at where it stands, which is no step
    assert whole.iterations[0] == single + seen.count("float64") - 1
    seen.clear()
    cut = solve(X.astype(np.float32), y, np.array([1e-4]), tol=1e-11, max_iter=single + 2)
    assert (cut.iterations[0], cut.stopped[0]) == (single + 2, "max_iter")
    assert (seen.count("float32"), seen.count("float64")) == (single + 1, 3)
    seen.clear()
    solve(X.astype(np.float32), y, np.array([1e-4]), tol=1e-11, max_iter=single)
    assert "float64" not in seen


def test_a_head_on_its_way_is_not_counted_as_done():
    X, y = draw()
    told = []
    found = solve(X, y, np.array([1e-4]), loss="squared_hinge", progress=lambda *state: told.append(state))
    assert found.stopped[0] == "gap"
    assert told == [(0, 1)] * (len(told) - 1) + [(1, 1)]
    assert len(told) > 5


def test_heads_that_single_precision_cannot_finish_are_not_counted_as_done_before_double_precision_did():
    X, y = draw()
    told = []
    for tol in (1e-6, 1e-9):
        told.clear()
        solve(X.astype(np.float32), y, np.logspace(-9, 0, 6), tol=tol, progress=lambda *state: told.append(state))
        assert told == sorted(told)
        assert told[-1] == (6, 6)
        assert len(told) > 5


def test_nor_are_they_where_an_interrupted_solve_goes_on():
    X, y = draw()
    X, reg = (X * np.logspace(0, 5, X.shape[1]) + 1e3).astype(np.float32), np.logspace(-6, 3, 6)
    states = []
    solve(X, y, reg, keep=lambda state: states.append(state()))
    state = next(state for state in states if {"stalled", "underway"} <= set(state.heads.stopped))
    told = []
    solve(X, y, reg, start=state, progress=lambda *call: told.append(call))
    assert state.phase == 0
    assert told[0] == ((state.heads.stopped == "gap").sum(), 6)
    assert told == sorted(told)
    assert told[-1] == (6, 6)


def test_huge_weights_are_only_their_proportions():
    X, y = draw()
    weight = np.random.default_rng(0).random(len(y))
    found, truth = (solve(X, y, REG, sample_weight=weight * size) for size in (1e308, 1.0))
    np.testing.assert_allclose(found.objective, truth.objective, rtol=1e-9)


def test_exact_names_what_it_has():
    assert set(exact.__all__) == {"Ground", "Optimum", "Precision", "Search", "solve"}
