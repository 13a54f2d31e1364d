"""The documentation: every block of code runs and prints what it says, every option and name in it is there."""

import importlib
import io
import json
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tarfile
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

import linprobe
from linprobe.cli import app, main
from linprobe.data.fetch import Verified
from linprobe.data.fetch.fetching import Obtained
from makers import picture as encoded  # pyright: ignore[reportMissingImports]
from makers import write_cifar10, write_parquet, write_saved  # pyright: ignore[reportMissingImports]
from pages import PAGES, ROOT, blocks, differs, read_page  # pyright: ignore[reportMissingImports]

DOCS = ROOT / "docs"
CIFAR10 = "path/to/cifar-10-batches-py"


def write_embeddings(folder):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 600)
    np.save(folder / "embeddings.npy", (rng.normal(size=(600, 32)) + 0.8 * np.eye(5, 32)[y] * 3).astype(np.float32))
    np.save(folder / "labels.npy", y)


def write_layers(folder):
    """Embeddings of the same examples by two layers, the later one better, with the patient of each."""
    rng = np.random.default_rng(0)
    y, patient = rng.integers(0, 5, 3000), rng.integers(0, 400, 3000)
    for name, D, signal in (("layer8", 48, 1.7), ("layer12", 64, 2.4)):
        X = rng.normal(size=(3000, D)) + signal * np.eye(5, D)[y]
        np.savez(folder / f"{name}.npz", X=X.astype(np.float32), y=y, patient=patient)


def write_photos(folder):
    """Two classes of pictures as a folder per class, and some as the parquet folder path/to/pictures."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (48, 12, 12, 3), dtype=np.uint8)
    for row, value in enumerate(values[:24]):
        place = folder / "photos" / ("circle", "square")[row % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(value).save(place / f"{row:02}.{('png', 'JPG', 'jpeg', 'webp')[row // 2 % 4]}")
        (place / "Thumbs.db").touch()
    pictures = [encoded(value) for value in values]
    write_parquet(folder / "path/to/pictures/train-00000.parquet", pictures, [row % 2 for row in range(48)], ["a", "b"])


def write_digits(folder):
    """A digit of 0 to 16 as a grey picture, the same as ink on paper, and three of them as an array, and with ids."""
    X = linprobe.open_dataset("digits").train.X
    pixels = (X[1796, :, :, 0] * (255 / 16)).round().astype(np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    Image.fromarray(pixels).save(folder / "eight.png")
    Image.fromarray(255 - pixels).save(folder / "paper.png")
    np.save(folder / "digits.npy", X[:3])
    np.savez(folder / "new.npz", X=X[:3], ids=np.array(["scan-7", "scan-8", "scan-9"]))


def write_digits_to_export(folder):
    """Three digits as an array, for a reader who has the libraries that exported models are for."""
    for library in ("onnxruntime", "onnx", "torch", "skops"):
        pytest.importorskip(library)
    write_digits(folder)


def write_photo(folder):
    """A photograph, and a student's loss functions."""
    shutil.copy(ROOT / "tests/learn/checker/corpus/files/softmax_pair.py", folder / "softmax.py")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(folder / "photo.png")


def write_sources(folder):
    """The digits 0, 1 and 2 of scikit-learn in every form that people keep data in, by each format's own library."""
    import h5py
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet as pq
    import safetensors.numpy
    import scipy.io
    from sklearn.datasets import dump_svmlight_file

    torch = pytest.importorskip("torch")
    digits = linprobe.open_dataset("digits").train
    rows = np.flatnonzero(digits.y < 3)[:300]
    y = digits.y[rows]
    pixels = (np.asarray(digits.X)[rows, :, :, 0] * (255 / 16)).round().astype(np.uint8)
    X = (pixels.reshape(300, 64) / 255).astype(np.float32)
    names = np.array(["zero", "one", "two"])[y]
    png = [encoded(each) for each in pixels]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["zero", "one", "two"]}}

    for place, part in (("pair", [X]), ("shards", [X[:100], X[100:200], X[200:]])):
        (folder / place).mkdir()
        for number, shard in enumerate(part):
            np.save(folder / place / ("features.npy" if place == "pair" else f"emb_{number}.npy"), shard)
        np.save(folder / place / "labels.npy", y)
    np.savez(folder / "digits.npz", X_train=X[:200], y_train=names[:200], X_test=X[200:], y_test=names[200:])
    table = pa.table({f"e{place}": X[:, place] for place in range(64)} | {"digit": names})
    lines = [",".join(table.column_names)]
    lines += [",".join([*map(str, row.tolist()), name]) for row, name in zip(X, names, strict=True)]
    (folder / "digits.csv").write_text("\n".join(lines) + "\n")
    columns = pa.table({"embedding": list(X), "digit": names, "writer": np.arange(300) // 10})
    pq.write_table(columns, folder / "digits.parquet")
    pyarrow.feather.write_feather(columns, str(folder / "digits.feather"))
    for split, cut in (("train", slice(0, 200)), ("test", slice(200, 300))):
        write_parquet(folder / f"hub/data/{split}-00000-of-00001.parquet", png[cut], y[cut].tolist(), features=features)
        part = pa.table({"image": [{"bytes": each, "path": None} for each in png[cut]], "label": y[cut]})
        write_saved(folder / "saved" / split, [part], features)
    (folder / "saved/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    for row, image in enumerate(png):
        place = folder / "pictures" / names[row] / f"{row:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image)
    shutil.make_archive(str(folder / "pictures"), "zip", folder / "pictures")
    with tarfile.open(folder / "digits-000000.tar", "w") as tar:
        for row, image in enumerate(png):
            for ending, content in (("png", image), ("cls", str(y[row]).encode())):
                member = tarfile.TarInfo(f"{row:06}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    torch.save({"features": torch.tensor(X).bfloat16(), "labels": torch.tensor(y)}, folder / "digits.pt")
    safetensors.numpy.save_file({"embeddings": X, "labels": y}, folder / "digits.safetensors")
    with h5py.File(folder / "digits.h5", "w") as file:
        file["features"], file["labels"] = X, y
    dump_svmlight_file(X, y, str(folder / "digits.libsvm"))
    scipy.io.savemat(folder / "digits.mat", {"X": X, "y": y[:, None]})
    (folder / "idx").mkdir()
    for split, cut in (("train", slice(0, 200)), ("t10k", slice(200, 300))):
        images = struct.pack(">IIII", 2051, len(y[cut]), 8, 8) + pixels[cut].tobytes()
        (folder / f"idx/{split}-images-idx3-ubyte").write_bytes(images)
        labels = struct.pack(">II", 2049, len(y[cut])) + y[cut].astype(np.uint8).tobytes()
        (folder / f"idx/{split}-labels-idx1-ubyte").write_bytes(labels)


def write_shards(folder):
    """Embeddings and labels in parquet files of unequal length."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("distributed")
    rng, place = np.random.default_rng(0), folder / "shards"
    y = rng.integers(0, 4, 4000)
    X = (rng.normal(size=(4000, 16)) + 2.5 * np.eye(4, 16)[y]).astype(np.float32)
    place.mkdir()
    for number, (start, stop) in enumerate(((0, 1500), (1500, 2100), (2100, 4000))):
        frame = pd.DataFrame({"embedding": list(X[start:stop]), "label": y[start:stop]})
        frame.to_parquet(place / f"emb-{number}.parquet")


# What a page takes for granted that the reader has.
PREPARED = {
    "docs/how-to/machine.md": write_embeddings,
    "docs/how-to/cluster.md": write_shards,
    "README.md": write_photo,
    "docs/how-to/embeddings.md": write_embeddings,
    "docs/how-to/compare.md": write_layers,
    "docs/how-to/data.md": write_photos,
    "docs/sources.md": write_sources,
    "docs/how-to/predict.md": write_digits,
    "docs/how-to/export.md": write_digits_to_export,
    "docs/how-to/baseline.md": lambda _: pytest.importorskip("skops"),
}


def cheaper(command):
    """Options that make a command quick where its words are what counts, and nothing later needs its result."""
    words = shlex.split(command)
    reg = [] if "--reg" in words else ["--reg", "1e3,1e4" if CIFAR10 in words else "0.1,1"]
    if words[:2] == ["linprobe", "worksheet"]:
        return [*reg, "--iterations", "20"]
    return reg if words[:2] == ["linprobe", "tune"] and "--out" not in words else []


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's folder, without network: CIFAR-10 of the right layout, and what fetching it would give."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))
    there = Obtained(tmp_path / "cifar10.tar.gz", Verified("their site", 1, "md5", "sha256", mtime_ns=0), fetched=True)
    monkeypatch.setattr("linprobe.data.fetch.obtain", lambda *_, **__: there)
    (tmp_path / "path" / "to").mkdir(parents=True)
    assert write_cifar10(tmp_path / "path" / "to", rows=40) == tmp_path / CIFAR10
    return tmp_path


def marks(page):
    """README, sources and how-to pages take minutes together, the first page of the documentation five seconds."""
    if page.parent.name == "how-to" or page.parent == ROOT or page.name == "sources.md":
        return [pytest.mark.real_data]
    return [pytest.mark.slow] * (page.name == "index.md")


LONG = [pytest.param(page, marks=marks(page)) for page in PAGES]


@pytest.mark.parametrize("page", LONG, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_does_what_it_says(page, reader, monkeypatch):
    name = page.relative_to(ROOT).as_posix()
    if name in PREPARED:
        PREPARED[name](reader)
    read_page(page, monkeypatch, cheaper)


@pytest.mark.parametrize(
    ("stated", "printed"),
    [
        ("a 0.967 b", "a 0.966\n  b"),
        ("gap 3e-07 of it", "gap 9e-10 of it"),
        ("gap 3e-07", "gap 2e-06"),
        ("score 1.6497", "score 1.6489"),
        ("1 ... 4", "1 2\n3 4"),
        ("(1797, 8, 8, 1) 1,500", "(1797, 8, 8, 1) 1,500"),
        ("1.26e+03", "1.27e+03"),
    ],
)
def test_output_that_another_machine_may_print_is_alike(stated, printed):
    assert differs(stated, printed) == ""


@pytest.mark.parametrize(
    ("stated", "printed"),
    [
        ("a 0.967 b", "a 0.964 b"),
        ("a 0.967 b", "a 0.967 c"),
        ("gap 3e-09", "gap 3e-07"),
        ("1 ... 4", "1 2 3 5"),
        ("1,500 rows", "1,501 rows"),
        ("1.26e+03", "1.29e+03"),
        ("gap 3e-07", "gap 0"),
        ("", "more"),
    ],
)
def test_other_output_is_not(stated, printed):
    assert differs(stated, printed)


def all_options():
    group: Any = typer.main.get_command(app)
    return {
        name: {spelling for parameter in command.params for spelling in parameter.opts if spelling[0] == "-"}
        for name, command in group.commands.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_option_that_a_page_names_is_one(page):
    known = set().union(*all_options().values(), {"--help", "--version"})
    if page.name == "performance.md":
        known |= {found for path in (ROOT / "benchmarks").glob("*.py") for found in OPTION.findall(path.read_text())}
    code = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", page.read_text())
    code += [line for block in blocks(page) if block.language == "sh" for line in block.code.splitlines()]
    assert {option for part in code for option in OPTION.findall(part)} <= known


OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]+")


def names_on_the_reference_pages():
    pages = (DOCS / "reference").glob("*.md")
    return [name for page in pages for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.MULTILINE)]


def test_the_reference_has_every_public_name_and_no_other():
    names = names_on_the_reference_pages()
    assert len(names) == len(set(names))
    public = {f"linprobe.{name}" for name in linprobe.__all__ if not name.startswith("_")}
    assert public <= set(names)
    told = {name.rpartition(".")[2] for name in names if name.startswith("linprobe.learn.worksheet.")}
    assert set(importlib.import_module("linprobe.learn.worksheet").__all__) - told == {"LinearSVM", "Row", "Step"}
    for name in names:
        module, _, attribute = name.rpartition(".")
        place = importlib.import_module(module)
        found = getattr(place, attribute) if hasattr(place, attribute) else importlib.import_module(name)
        assert found.__doc__, name


def made_pages():
    """scripts/docs_pages.py, which makes pages when the documentation is built."""
    spec = spec_from_file_location("docs_pages", ROOT / "scripts" / "docs_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_line_reference_has_every_option():
    text = made_pages().command_line()
    sections = dict(re.findall(r"^## linprobe (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    options = all_options()
    assert set(sections) == set(options)
    for command, section in sections.items():
        terms = set(re.findall(r"^`.*?(--[a-z][\w-]*)", section, re.MULTILINE))
        assert terms == {option for option in options[command] if option.startswith("--")}
    assert "`--solver exact|sgd`" in sections["tune"]
    assert "Unless given: `exact`." in sections["tune"]


@pytest.mark.parametrize(
    "command",
    [
        "worksheet digits --iterations 20 --reg 0.1",
        "tune digits --reg 0.1",
        "tune digits --solver sgd --reg 0.1 --learning-rate 1e-3",
    ],
)
def test_the_run_folder_page_names_every_key_and_file(command, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["linprobe", *command.split(), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit):
        main()
    words = set(re.findall(r"[\w.]+", (DOCS / "reference" / "run-folder.md").read_text()))
    assert {path.name for path in (tmp_path / "run").iterdir()} <= words
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    assert set(numbers) <= words
    told = words | {part for word in words for part in word.split(".")}
    for part in ("data", "grid", "test", "refit", "first_loss", "gradient_check", "vectorized"):
        assert set(numbers.get(part, {})) - told == set(), part
    assert set(numbers["grid"]["rows"][0]) - told <= {"momentum", "batch_size"}


def test_what_the_pages_in_the_repository_point_to_is_there():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text()):
            made = (page.parent / target).resolve()
            if made.relative_to(DOCS if DOCS in made.parents else ROOT).as_posix() in MADE:
                continue
            assert made.exists(), f"{page.relative_to(ROOT)}: {target}"


MADE = {"reference/command-line.md", "contributing.md", "changelog.md"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs mkdocs: pip install -e '.[docs]'")
def test_the_site_builds_strictly_and_asks_nobody_for_anything(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        # What a browser fetches by itself; links that a reader may follow are another matter.
        fetched = re.findall(r"<(?:script|img|iframe|source)[^>]+src=[\"']?([^\"'\s>]+)", text)
        fetched += re.findall(r"<link[^>]+rel=[\"']?(?:stylesheet|preconnect|icon)[^>]*href=[\"']?([^\"'\s>]+)", text)
        assert fetched
        assert not [url for url in fetched if re.match(r"(?:https?:)?//", url)], page.name
    for name in MADE:
        assert (site / name).with_suffix(".html").exists()


def test_make_builds_the_site():
    assert shutil.which("make")
    done = subprocess.run(["make", "--dry-run", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "mkdocs build --strict" in done.stdout


def test_the_pictures_of_the_readme_are_small():
    for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / name).stat().st_size < 300_000
