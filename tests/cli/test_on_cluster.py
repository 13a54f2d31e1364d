"""--cluster: tune, evaluate and predict on files that the workers of a cluster read."""

import json

import numpy as np
import pytest

from linprobe import open_dataset
from linprobe.data.formats.on_cluster import open_on_cluster
from linprobe.errors import DataError, UsageError
from linprobe.tasks.tune import Options, tune

pytest.importorskip("distributed")
fsspec, pd, pq = (pytest.importorskip(name) for name in ("fsspec", "pandas", "pyarrow.parquet"))
RNG = np.random.default_rng(0)
CODES = np.sort(RNG.integers(0, 3, 320))  # so that files lack classes
X = (RNG.standard_normal((320, 8)) + 0.7 * RNG.standard_normal((3, 8))[CODES]).astype(np.float32)
NAMES = np.array(["ant", "bee", "cat"])[CODES]


def write(folder, borders=(90, 100), **columns):
    """Files emb-0.parquet and so on, which end at these rows, and whole.parquet with all of them."""
    frame = pd.DataFrame({"emb": list(X), "label": NAMES, **columns})
    frame.to_parquet(folder / "whole.parquet")
    for number, (start, stop) in enumerate(zip((0, *borders), (*borders, len(X)), strict=True)):
        frame[start:stop].to_parquet(folder / f"emb-{number}.parquet")


@pytest.mark.slow
def test_from_files_to_a_certified_model_and_its_predictions(run, workers, pageless, tmp_path):
    write(tmp_path)
    there = ("--cluster", workers.scheduler.address)
    # What it chooses from, trains and measures: the same rows as of one file that is read here.
    ours = run("tune", "whole.parquet", "--out", "here", "--reg", "1e-1", "--json")
    status, out, err = run("tune", "emb-*.parquet", *there, "--out", "run", "--reg", "1e-1", "--json")
    assert (status, err) == (0, "note: On a cluster, rows that are in two splits are not looked for.\n")
    found, expected = json.loads(out), json.loads(ours[1])
    assert found["refit"]["objective"] == pytest.approx(expected["refit"]["objective"], rel=1e-6)
    assert found["refit"]["relative_gap"] <= 1e-6
    assert [found["test"][name] for name in ("accuracy", "n")] == [expected["test"][name] for name in ("accuracy", "n")]
    metrics = [[each["value"] for each in one["test"]["metrics"].values()] for one in (found, expected)]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-3)
    assert found["data"]["classes"] == expected["data"]["classes"]
    status, out, err = run("evaluate", "run/model.safetensors", "emb-*.parquet", *there, "--certify", "--json")
    assert json.loads(out)["certificate"]["proven"]
    assert json.loads(out)["accuracy"] == found["test"]["accuracy"]
    status, out, _ = run("predict", "run/model.safetensors", "emb-*.parquet", *there, "--out", "predicted", "--json")
    assert json.loads(out)["rows"] == 320
    tables = [pq.read_table(path) for path in sorted((tmp_path / "predicted").iterdir())]
    assert [table.num_rows for table in tables] == [90, 10, 220]
    assert run("predict", "run/model.safetensors", "whole.parquet", "--out", "all.parquet")[0] == 0
    together = pd.concat([table.to_pandas() for table in tables], ignore_index=True)
    pd.testing.assert_frame_equal(together, pq.read_table(tmp_path / "all.parquet").to_pandas())


def tuned_there_and_here(client, folder, asked, folds=None):
    """What run.json says of the shards on a cluster, and of the whole here; refitted to the same objective."""
    found, expected = (
        tune(dataset, Options(folds=folds, regs=np.array([1e-2, 1.0]))).numbers
        for dataset in (
            open_on_cluster(client, str(folder / "emb-*.parquet"), **asked),
            open_dataset(folder / "whole.parquet", **asked),
        )
    )
    assert found.refit is not None
    assert expected.refit is not None
    assert found.refit.objective == pytest.approx(expected.refit.objective, rel=1e-6)
    return found, expected


@pytest.mark.slow
def test_folds_groups_and_weights_are_those_of_one_machine(client, tmp_path):
    write(tmp_path, groups=np.arange(320) // 4, counts=RNG.random(320))
    found, expected = tuned_there_and_here(client, tmp_path, {"groups": "groups", "weights": "counts"}, folds=3)
    assert (found.test.accuracy, found.test.interval) == (expected.test.accuracy, expected.test.interval)
    assert [row.fold_accuracy for row in found.grid.rows] == [row.fold_accuracy for row in expected.grid.rows]


@pytest.mark.slow
def test_validation_and_test_are_files_of_their_own(client, tmp_path):
    write(tmp_path)
    order = RNG.permutation(320)
    for name, rows in (("val", order[:60]), ("test", order[60:120])):
        pd.DataFrame({"emb": list(X[rows]), "label": NAMES[rows]}).to_parquet(tmp_path / f"{name}.parquet")
    asked = {name: str(tmp_path / f"{name}.parquet") for name in ("val", "test")}
    found, expected = tuned_there_and_here(client, tmp_path, asked)
    assert (found.data.train, found.data.val, found.data.test) == (320, 60, 60)
    assert found.test.accuracy == expected.test.accuracy


def test_integers_are_classes_in_their_order_and_urls_are_files(client, tmp_path):
    y = np.array([10, 9, 2])[CODES]
    for number, rows in enumerate((slice(0, 120), slice(120, 320))):
        np.savez(tmp_path / f"part{number}.npz", X=X[rows], y=y[rows])
    found = open_on_cluster(client, f"file://{tmp_path}")
    assert found.classes == ("2", "9", "10")
    np.testing.assert_array_equal(np.array(found.classes)[found.train.y], y.astype(str))
    assert found.fingerprint == open_on_cluster(client, f"{tmp_path}/part?.npz").fingerprint
    other = open_on_cluster(client, f"{tmp_path}/part1.npz")
    assert other.fingerprint != found.fingerprint


def fill(name, data):
    fsspec.filesystem("memory").pipe(name, data)


def test_files_of_another_file_system_are_read_by_the_workers(client, tmp_path):
    # memory:// is of each process by itself: the same file is put into all of them.
    np.savez(tmp_path / "one.npz", X=X, y=CODES)
    data = (tmp_path / "one.npz").read_bytes()
    fill("/store/one.npz", data)
    client.run(fill, "/store/one.npz", data)
    with pytest.raises(DataError, match="was written to since"):  # for every process gave it a time of its own
        open_on_cluster(client, "memory://store")
    created = fsspec.filesystem("memory").store["/store/one.npz"].created
    client.run(date, "/store/one.npz", created)
    found = open_on_cluster(client, "memory://store")
    np.testing.assert_array_equal(found.train.X[5:9], X[5:9])


def date(name, created):
    fsspec.filesystem("memory").store[name].created = created


@pytest.mark.parametrize(
    ("source", "asked", "error", "words"),
    [
        ("nothing-*.parquet", {}, UsageError, "no files are there"),
        ("nosuch://bucket/x", {}, DataError, "cannot be listed"),
        ("split.npz", {}, DataError, "has splits of its own"),
        ("emb-0.parquet", {"split_column": "s"}, UsageError, "--split-column: is not for --cluster"),
        ("wrong.npz", {}, DataError, r"wrong.npz: has nan in row 7, column 3"),
        ("*.npz", {}, DataError, r"wrong.npz: has nan|has splits"),
    ],
)
def test_what_cannot_be_read_there_is_refused_by_name(client, tmp_path, source, asked, error, words):
    write(tmp_path)
    np.savez(tmp_path / "split.npz", X_train=X, y_train=CODES, X_test=X[:9], y_test=CODES[:9])
    wrong = X.copy()
    wrong[7, 3] = np.nan
    np.savez(tmp_path / "wrong.npz", X=wrong, y=CODES)
    with pytest.raises(error, match=words):
        open_on_cluster(client, source if "://" in source else str(tmp_path / source), **asked)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["tune", "emb-*.parquet", "--cluster", "elsewhere"], 2, "is not a cluster"),
        (["tune", "emb-*.parquet", "--cluster", "{}", "--solver", "sgd"], 2, "use --solver exact"),
        (["predict", "m", "emb-*.parquet", "--cluster", "{}"], 2, "writes to a folder"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, workers, tmp_path, arguments, status, words):
    from models import make_classifier  # pyright: ignore[reportMissingImports]

    make_classifier(shape=(8,)).save(tmp_path / "m")
    write(tmp_path)
    found = run(*(argument.format(workers.scheduler.address) for argument in arguments))
    assert found[0] == status
    assert words in found[2].splitlines()[-1]
