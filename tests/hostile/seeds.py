"""Small valid files of every kind that linprobe reads, each written by its format's own library: fuzzing begins here.

A seed is a folder of files and what of it is opened, "" for the folder itself.
"""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from makers import picture, pictures, write_cifar10, write_parquet, write_tar  # pyright: ignore[reportMissingImports]

__all__ = ["READERS", "Seed", "made"]

N, D = 12, 4
X = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
Y = np.arange(N) % 3
NAMES = ["ash", "birch", "cedar"]
TEXTS = [NAMES[k] for k in Y]
IMAGES = pictures(6)


class Seed(NamedTuple):
    """Files by their names, and which of them is opened."""

    files: dict[str, bytes]
    opened: str


def _npy(folder: Path) -> list[str]:
    objects = np.array(TEXTS, object)
    for name, features, labels in (("plain", X, Y), ("objects", np.asfortranarray(X), objects)):
        (folder / name).mkdir()
        np.save(folder / name / "X.npy", features)
        np.save(folder / name / "y.npy", labels, allow_pickle=True)
    return ["plain", "objects"]


def _npz(folder: Path) -> list[str]:
    np.savez(folder / "stored.npz", X=X, y=Y)
    np.savez_compressed(folder / "packed.npz", X=IMAGES, labels=np.array(NAMES * 2, object), allow_pickle=True)
    return ["stored.npz", "packed.npz"]


def _tables(folder: Path) -> list[str]:
    rows = [",".join([*(f"{value:.3f}" for value in row), text]) for row, text in zip(X, TEXTS, strict=True)]
    (folder / "some.csv").write_text("\n".join(["f0,f1,f2,f3,label", *rows]) + "\n")
    (folder / "some.tsv").write_text("\n".join(f'"[{row[0]}, {row[1]}]"\t{k}' for row, k in zip(X, Y, strict=True)))
    (folder / "lines").mkdir()
    np.save(folder / "lines" / "X.npy", X)
    (folder / "lines" / "labels.txt").write_text("\n".join(TEXTS))
    return ["some.csv", "some.tsv", "lines"]


def _arrow(folder: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.feather as feather

    lists = pa.FixedSizeListArray.from_arrays(pa.array(X.reshape(-1)), D)
    table = pa.table({"x": lists, "label": pa.array(TEXTS).dictionary_encode(), "id": pa.array(TEXTS)})
    with pa.OSFile(str(folder / "file.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(folder / "stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    feather.write_feather(table.drop_columns("x").append_column("a", pa.array(Y)), folder / "some.feather")
    return ["file.arrow", "stream.arrow", "some.feather"]


def _parquet(folder: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"x": pa.array(X.tolist()), "label": pa.array(TEXTS).dictionary_encode(), "a": pa.array(Y)}
    for name, packing in (("plain", "none"), ("packed", "zstd")):
        pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression=packing, row_group_size=8)
    encoded = [picture(image) for image in IMAGES]
    write_parquet(folder / "pictures.parquet", encoded, list(range(3)) * 2, NAMES)
    return ["plain.parquet", "packed.parquet", "pictures.parquet"]


def _pictures(folder: Path) -> list[str]:
    for number, kind in enumerate(("PNG", "JPEG", "WEBP")):
        for name in NAMES[:2]:
            (folder / kind / name).mkdir(parents=True)
            (folder / kind / name / f"1.{kind.lower()}").write_bytes(picture(IMAGES[number], kind))
    for name, how in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / name, "w", how) as archive:
            for number, label in enumerate(NAMES):
                archive.writestr(f"{label}/{number}.png", picture(IMAGES[number]))
    return ["PNG", "JPEG", "WEBP", "stored.zip", "packed.zip"]


def _torch(folder: Path) -> list[str]:
    import torch

    tensors = {"X": torch.from_numpy(X), "y": torch.from_numpy(Y)}
    torch.save(tensors, folder / "some.pt")
    torch.save(tensors | {"X": torch.from_numpy(X).bfloat16()}, folder / "bfloat16.pt")
    torch.save(tuple(tensors.values()), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    return ["some.pt", "bfloat16.pt", "legacy.pth"]


def _safetensors(folder: Path) -> list[str]:
    from safetensors.numpy import save_file

    save_file({"X": X, "y": Y}, folder / "some.safetensors", {"made": "here"})
    (folder / "parts").mkdir()
    save_file({"X": X, "y": Y}, folder / "parts" / "m-1-of-1.safetensors")
    index = '{"metadata": {}, "weight_map": {"X": "m-1-of-1.safetensors", "y": "m-1-of-1.safetensors"}}'
    (folder / "parts" / "m.safetensors.index.json").write_text(index)
    return ["some.safetensors", "parts"]


def _hdf5(folder: Path) -> list[str]:
    import h5py

    texts = np.array(TEXTS, object)
    for name, options in (("plain", {}), ("packed", {"chunks": True, "compression": "gzip", "shuffle": True})):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("group/X", data=X, **options)
            file.create_dataset("labels", data=texts, dtype=h5py.string_dtype(), **options)
    with h5py.File(folder / "newest.h5", "w", libver="latest") as file:
        file.create_dataset("X", data=X, chunks=(5, D), fletcher32=True)
        file["y"], file["soft"] = Y, h5py.SoftLink("/X")
    return ["plain.h5", "packed.h5", "newest.h5"]


def _svmlight(folder: Path) -> list[str]:
    from sklearn.datasets import dump_svmlight_file

    dump_svmlight_file(X, Y, str(folder / "some.svm"), comment="made here")
    return ["some.svm"]


def _matlab(folder: Path) -> list[str]:
    import scipy.sparse as sp
    from scipy.io import savemat

    cells = np.empty((N, 1), object)
    cells[:, 0] = TEXTS
    for packed in (False, True):
        savemat(folder / f"{packed}.mat", {"X": X, "labels": cells, "about": {"a": 1}}, do_compression=packed)
    savemat(folder / "sparse.mat", {"X": sp.csc_matrix(np.round(X)), "y": Y[None], "letters": np.array(TEXTS)})
    savemat(folder / "v4.mat", {"X": X.astype(float), "y": Y.astype(float)}, format="4")
    return ["False.mat", "True.mat", "sparse.mat", "v4.mat"]


def _idx(folder: Path) -> list[str]:
    for name, packing in (("plain", bytes), ("packed", gzip.compress)):
        (folder / name).mkdir()
        ending = ".gz" if name == "packed" else ""
        images = bytes([0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 2, 0, 0, 0, 2]) + bytes(range(4 * N))
        labels = bytes([0, 0, 8, 1, 0, 0, 0, N]) + Y.astype(np.uint8).tobytes()
        (folder / name / f"train-images-idx3-ubyte{ending}").write_bytes(packing(images))
        (folder / name / f"train-labels-idx1-ubyte{ending}").write_bytes(packing(labels))
    return ["plain", "packed"]


def _cifar(folder: Path) -> list[str]:
    python2 = write_cifar10(folder / "2", rows=2)
    write_cifar10(folder / "3", rows=2, protocol=4)
    (folder / "tar").mkdir()
    write_tar(python2, folder / "tar" / "cifar-10-python.tar.gz")
    binary = folder / "cifar-10-batches-bin"
    binary.mkdir()
    rows = b"".join(bytes([k]) + bytes(3072) for k in range(2))
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (binary / f"{name}.bin").write_bytes(rows)
    (binary / "batches.meta.txt").write_text("\n".join(NAMES))
    return ["2/" + python2.name, "3/" + python2.name, "tar/cifar-10-python.tar.gz", binary.name]


def _webdataset(folder: Path) -> list[str]:
    def tar(name: str, members: dict[str, bytes], form: int) -> None:
        with tarfile.open(folder / name, "w", format=form) as archive:
            for key, content in members.items():
                member = tarfile.TarInfo(key)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    raw = io.BytesIO()
    np.save(raw, X[0])
    encoded = {f"{row}.png": picture(IMAGES[row]) for row in range(4)}
    tar("pictures.tar", encoded | {f"{row}.cls": b"01"[row % 2 :][:1] for row in range(4)}, tarfile.GNU_FORMAT)
    arrays = {f"{row}.npy": raw.getvalue() for row in range(4)}
    labels = {f"{row}.json": b'{"label": "%d"}' % (row % 2) for row in range(4)}
    tar("arrays.tar", arrays | labels | {"é" * 60 + "/1.txt": b"x"}, tarfile.PAX_FORMAT)
    return ["pictures.tar", "arrays.tar"]


def _models(folder: Path) -> list[str]:
    from models import make_classifier, save_first, save_second  # pyright: ignore[reportMissingImports]

    model = make_classifier()
    model.save(folder / "model.safetensors")
    save_first(model, folder / "first.safetensors")
    save_second(model, folder / "second.safetensors")
    return ["model.safetensors", "first.safetensors", "second.safetensors"]


_MAKERS: dict[str, Callable[[Path], list[str]]] = {
    "npy": _npy, "npz": _npz, "tables": _tables, "arrow": _arrow, "parquet": _parquet, "pictures": _pictures,
    "torch": _torch, "safetensors": _safetensors, "hdf5": _hdf5, "svmlight": _svmlight, "matlab": _matlab,
    "idx": _idx, "cifar": _cifar, "webdataset": _webdataset, "models": _models,
}  # fmt: skip
READERS = tuple(_MAKERS)


def made(reader: str, folder: Path) -> list[Seed]:
    """The seeds of a reader, made in an empty folder: each a folder, or a file by itself."""
    found: list[Seed] = []
    for name in _MAKERS[reader](folder):
        path = folder / name
        files = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
        root = path if path.is_dir() else path.parent
        opened = "" if path.is_dir() else path.name
        found.append(Seed({str(file.relative_to(root)): file.read_bytes() for file in files}, opened))
    return found
