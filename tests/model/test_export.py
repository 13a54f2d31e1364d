"""Exported models against linprobe's own predictions, each run by the library that its file is for."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import linprobe
from linprobe import LinearSVM, Model, ProbeSearch, SoftmaxClassifier
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import Preparation
from linprobe.errors import IncompatibleError, MissingDependencyError, UsageError
from linprobe.model.export import export_model
from linprobe.tasks.tune import Options, tune
from models import CLASSES, SHAPE, images, make_classifier  # pyright: ignore[reportMissingImports]

FEATURES = ("centred", "standardised", "normalised")


def tuned(dataset, **options):
    return tune(dataset, Options(regs=np.array([0.03]), **options)).classifier


def embeddings(classes, n=900, D=24, offset=0.0, dtype: Any = np.float32):
    """Rows of features around a centre for each class, of other spreads, and one feature that never changes."""
    rng = np.random.default_rng(7)
    y = np.arange(n) % classes
    X = (rng.normal(size=(n, D)) + 2 * rng.normal(size=(classes, D))[y]) * np.linspace(0.1, 3, D) + offset
    X[:, 3] = 5
    return Dataset("embeddings", Examples(X.astype(dtype), y), None, tuple(f"class {k}" for k in range(classes)))


def noise_cifar10():
    rng = np.random.default_rng(3)
    y = np.arange(400) % 10
    X = rng.integers(0, 200, (400, 32, 32, 3), dtype=np.uint8) + (5 * y).astype(np.uint8)[:, None, None, None]
    return Dataset("noise", Examples(X, y), None, tuple("abcdefghij"))


SOURCES = {
    "digits": lambda: linprobe.open_dataset("digits"),
    "pictures as CIFAR-10 has them": noise_cifar10,
    "embeddings": lambda: embeddings(5),
    "binary": lambda: embeddings(2),
    "1,000 classes": lambda: embeddings(1000, 3000),
}


def session(path):
    return pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])


def of_onnx(path, X):
    """Labels, scores, and probabilities or None, by onnxruntime."""
    runner = session(path)
    names = [output.name for output in runner.get_outputs()]
    found = dict(zip(names, runner.run(None, {"X": X}), strict=True))
    return found["label"], found["scores"], found.get("probabilities")


def largest_difference(model, path, X, scale=1.0):
    """Between onnxruntime and the model, of probabilities and of scores over the largest score; labels are the same."""
    labels, scores, probabilities = of_onnx(path, X)
    ours = model.decision_function(X)
    differences = [np.abs(scores - ours).max() / max(scale, np.abs(ours).max())]
    if model.probabilistic:
        differences.append(np.abs(probabilities - model.probabilities(ours)).max())
    else:
        assert probabilities is None
    first, second = np.sort(ours, axis=1)[:, :-3:-1].T
    clear = first - second > 1e-4 * np.abs(ours).max()
    assert clear.mean() > 0.9
    names = np.array(model.classes if model.labels is None else model.labels)
    np.testing.assert_array_equal(labels[clear], names[model.predict(X)][clear])
    return max(differences)


LONG = {("1,000 classes", "squared_hinge")}  # half a minute to train
CASES = [
    pytest.param(source, loss, marks=[pytest.mark.slow] * ((source, loss) in LONG))
    for source in SOURCES
    for loss in ("softmax", "squared_hinge")
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("source", "loss"), CASES)
def test_onnxruntime_predicts_what_linprobe_does(source, loss, tmp_path):
    dataset = SOURCES[source]()
    features = "centred" if source.startswith("pictures") else "standardised"
    model = tuned(dataset, loss=loss, features=features)
    found = model.export(tmp_path / "m.onnx")
    assert (found.to, found.bytes) == ("onnx", (tmp_path / "m.onnx").stat().st_size)
    X = np.asarray(dataset.train.X[:300])
    for part in (X, X[:1]):
        assert largest_difference(model, tmp_path / "m.onnx", part) < 1e-5


@pytest.mark.real_data
def test_onnxruntime_predicts_what_linprobe_does_on_cifar10(shared, tmp_path):
    dataset = linprobe.open_dataset(shared / "data" / "cifar10")
    model = tuned(dataset)
    model.export(tmp_path / "m.onnx")
    assert dataset.test is not None
    assert largest_difference(model, tmp_path / "m.onnx", np.asarray(dataset.test.X)) < 1e-5


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_estimators_export_their_preparation(make, features, dtype, tmp_path):
    examples = embeddings(4, offset=300.0 if dtype == np.float64 else 3.0).train
    X = np.asarray(examples.X).astype(dtype)
    fitted = make(prepare=features).fit(X, examples.y)
    fitted.export(tmp_path / "m.onnx")
    labels, scores, _ = of_onnx(tmp_path / "m.onnx", X.astype(np.float32))
    ours = fitted.decision_function(X)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, fitted.predict(X))
    assert np.abs(scores - ours).max() < 1e-5 * max(1, np.abs(ours).max())


LABELS = {
    "texts": (["owl", "cät", "dog"], object),
    "numbers": ([30, -1, 4], np.int64),
    "small numbers": (np.array([3, 1, 2], np.uint8), np.int64),
    "large numbers": (np.array([2**63 + 2, 1, 2], np.uint64), np.uint64),
    "reals": ([0.0, 2.0, 1.0], np.float64),
    "two texts": (["no", "yes"], object),
    "truth values": ([False, True], np.bool_),
}


@pytest.mark.parametrize("labels", LABELS)
def test_labels_are_what_the_estimator_was_given(labels, tmp_path):
    names, dtype = LABELS[labels]
    names = np.array(names)
    examples = embeddings(len(names)).train
    fitted = SoftmaxClassifier().fit(np.asarray(examples.X), names[examples.y])
    fitted.export(tmp_path / "m.onnx")
    found, _, probabilities = of_onnx(tmp_path / "m.onnx", np.asarray(examples.X))
    assert found.dtype == dtype
    assert found.tolist() == fitted.predict(np.asarray(examples.X)).tolist()
    assert probabilities is not None
    np.testing.assert_allclose(probabilities, fitted.predict_proba(np.asarray(examples.X)), atol=1e-5)


def test_the_graph_takes_pictures_and_says_what_it_is(tmp_path):
    model = replace(
        make_classifier(loss="softmax", reg=0.25),
        preparation=replace(make_classifier().preparation, dtype=np.dtype(np.uint8)),
    )
    found = model.export(tmp_path / "m.onnx")
    assert [str(one) for one in found.inputs] == [f"uint8 (n, {', '.join(map(str, SHAPE))})"]
    runner = session(tmp_path / "m.onnx")
    (taken,) = runner.get_inputs()
    assert (taken.name, taken.type, taken.shape) == ("X", "tensor(uint8)", ["n", *SHAPE])
    outputs = {one.name: (one.type, one.shape) for one in runner.get_outputs()}
    assert outputs == {
        "label": ("tensor(string)", ["n"]),
        "probabilities": ("tensor(float)", ["n", 3]),
        "scores": ("tensor(float)", ["n", 3]),
    }
    assert [(one.name, one.shape) for one in found.outputs] == [(n, tuple(s)) for n, (_, s) in outputs.items()]
    told = runner.get_modelmeta()
    assert told.producer_name == "linprobe"
    assert {name: told.custom_metadata_map[name] for name in ("linprobe", "loss", "reg")} == {
        "linprobe": linprobe.__version__,
        "loss": "softmax",
        "reg": "0.25",
    }
    assert tuple(json.loads(told.custom_metadata_map["classes"])) == CLASSES
    assert largest_difference(model, tmp_path / "m.onnx", images(40)) < 1e-5
    for n in (0, 1, 7):
        assert len(of_onnx(tmp_path / "m.onnx", images(n))[0]) == n


def test_the_first_of_equal_scores_is_predicted_and_a_row_without_a_direction_is_no_fault(tmp_path):
    mean = np.array([1.0, 2.0], np.float32)
    preparation = Preparation(mean, (2,), unit_rows=True)
    model = Model(np.array([[1.0, 0, 0], [0, 1, 1]], np.float32), np.zeros(3, np.float32), CLASSES, preparation)
    model.export(tmp_path / "m.onnx")
    X = np.array([mean, [1, 5], [3, 2]], np.float32)
    labels, scores, _ = of_onnx(tmp_path / "m.onnx", X)
    assert labels.tolist() == ["cat", "dog", "cat"]
    np.testing.assert_array_equal(scores, [[0, 0, 0], [0, 1, 1], [1, 0, 0]])


def test_the_same_model_is_the_same_bytes(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    for name in ("one.onnx", "two.onnx", "one.pt", "two.pt"):
        make_classifier(loss="softmax").export(tmp_path / name)
    for ending in ("onnx", "pt"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


@pytest.mark.parametrize("features", [None, "centred", "standardised"])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_linear_layer_of_torch_gives_the_scores(features, classes, tmp_path):
    torch = pytest.importorskip("torch")
    examples = embeddings(classes, offset=20.0, dtype=np.float64).train
    X = np.asarray(examples.X)
    fitted = SoftmaxClassifier(prepare=features).fit(X, examples.y)
    fitted.export(tmp_path / "m.pt")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    assert list(state) == ["weight", "bias"]
    layer = torch.nn.Linear(X.shape[1], classes, dtype=torch.float64)
    layer.load_state_dict(state)
    found = layer(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(torch.tensor(found).softmax(1), fitted.predict_proba(X), atol=1e-10)


def test_pictures_are_flattened_for_torch(tmp_path):
    torch = pytest.importorskip("torch")
    model = make_classifier()
    found = model.export(tmp_path / "m.pt")
    assert [str(one) for one in (*found.inputs, *found.outputs)] == ["float32 (n, 24)", "float32 (n, 3)"]
    layer = torch.nn.Linear(24, 3)
    layer.load_state_dict(torch.load(tmp_path / "m.pt", weights_only=True))
    X = images(20)
    scores = layer(torch.tensor(X, dtype=torch.float32).flatten(1)).detach().numpy()
    np.testing.assert_allclose(scores, model.decision_function(X, np.float64), rtol=1e-4, atol=0.05)  # of hundreds


@pytest.mark.sampled(4)
@pytest.mark.parametrize("features", [None, *FEATURES])
@pytest.mark.parametrize("labels", ["texts", "two texts", "numbers", "truth values"])
@pytest.mark.parametrize("make", [SoftmaxClassifier, LinearSVM])
def test_skops_gives_an_estimator_of_scikit_learn_that_predicts_the_same(make, labels, features, tmp_path):
    io = pytest.importorskip("skops.io")
    pandas = pytest.importorskip("pandas")
    names = np.array(LABELS[labels][0])
    examples = embeddings(len(names), offset=3.0, dtype=np.float64).train
    X = pandas.DataFrame(np.asarray(examples.X)).add_prefix("f")
    fitted = make(prepare=features).fit(X, names[examples.y])
    found = fitted.export(tmp_path / "m.skops")
    assert found.to == "sklearn"
    assert io.get_untrusted_types(file=tmp_path / "m.skops") == []
    loaded: Any = io.load(tmp_path / "m.skops")
    assert type(loaded).__module__.startswith("sklearn.")
    assert loaded.feature_names_in_.tolist() == list(X.columns)
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()
    np.testing.assert_allclose(loaded.decision_function(X), fitted.decision_function(X), rtol=1e-6, atol=1e-6)
    told = {one.name: one.shape for one in found.outputs}
    assert told["decision_function"] == ("n", *loaded.decision_function(X).shape[1:])
    assert ("predict_proba" in told) == (make is SoftmaxClassifier)
    if make is SoftmaxClassifier:
        np.testing.assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-6)


def test_a_search_exports_its_best(tmp_path):
    examples = embeddings(3).train
    X = np.asarray(examples.X)
    search = ProbeSearch(param_grid={"reg": [1e-4, 1e-2]}, cv=3).fit(X, examples.y)
    search.export(tmp_path / "m.onnx")
    np.testing.assert_array_equal(of_onnx(tmp_path / "m.onnx", X)[0], search.predict(X))
    assert not hasattr(ProbeSearch(refit=False), "export")
    with pytest.raises(IncompatibleError, match="is fitted"):
        SoftmaxClassifier().export(tmp_path / "n.onnx")


def test_what_a_form_cannot_hold_is_refused_with_the_way_out(tmp_path, monkeypatch):
    for library in ("onnx", "torch", "skops"):
        pytest.importorskip(library)
    model = make_classifier(shape=(5,), loss="softmax")
    unit = replace(model, preparation=replace(model.preparation, unit_rows=True))
    with pytest.raises(IncompatibleError, match=r"no weights can do; .*export it as \.onnx or \.skops"):
        unit.export(tmp_path / "m.pt")
    unit.export(tmp_path / "m.skops")
    odd = replace(model, provenance=replace(model.provenance, loss="of another kind"))
    with pytest.raises(IncompatibleError, match="of another kind"):
        odd.export(tmp_path / "n.skops")
    wide = replace(model, W=np.full((5, 3), 1e200), preparation=replace(model.preparation, mean=np.ones(5)))
    with pytest.raises(IncompatibleError, match=r"beyond what float32 can hold; export it as \.skops"):
        wide.export(tmp_path / "n.onnx")
    monkeypatch.setattr("linprobe.model.export.onnx_file.MOST_BYTES", 59)
    with pytest.raises(IncompatibleError, match=r"15 weights, more than the 2 GiB.*export it as \.pt or \.skops"):
        model.export(tmp_path / "n.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.skops"]


def test_the_name_says_what_is_written_or_to_does(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    model = make_classifier()
    assert model.export(tmp_path / "m", "torch").to == "torch"
    assert model.export(tmp_path / "M.ONNX").to == "onnx"
    wrong: Any = (
        ("m.bin", None, r"let it end in \.onnx, \.pt or \.skops"),
        ("m.onnx", "torch", r"call it .*m\.pt"),
        ("m.onnx", "csv", "use one of: onnx, torch, sklearn"),
    )
    for name, to, words in wrong:
        with pytest.raises(UsageError, match=words):
            model.export(tmp_path / name, to)
    before = (tmp_path / "M.ONNX").read_bytes()
    with pytest.raises(UsageError, match="exists; name another file"):
        export_model(replace(model, b=model.b + 1), tmp_path / "M.ONNX", replace=False)
    assert (tmp_path / "M.ONNX").read_bytes() == before
    replace(model, b=model.b + 1).export(tmp_path / "M.ONNX")
    assert (tmp_path / "M.ONNX").read_bytes() != before


@pytest.mark.parametrize("ending", ["onnx", "skops", "pt"])
def test_a_library_that_is_not_there_is_named(ending, tmp_path, monkeypatch):
    module = {"onnx": "onnx", "skops": "skops.io", "pt": "torch"}[ending]
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingDependencyError, match=r"pip install './linprobe\["):
        make_classifier().export(tmp_path / f"m.{ending}")
    assert list(tmp_path.iterdir()) == []
