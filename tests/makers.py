"""Small files of every format that linprobe reads, made for the tests."""

import io
import json
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linprobe.data.dataset import Dataset
from linprobe.data.formats.entries import Selection
from linprobe.errors import DataError

FOLDER = "cifar-10-batches-py"
TRAIN_FILES = [f"data_batch_{number}" for number in range(1, 6)]
FILES = [*TRAIN_FILES, "test_batch", "batches.meta"]
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def random_batch(rows: int, rng: np.random.Generator, classes: int = 10) -> dict[str, Any]:
    """A batch of noise as the official files hold it: data (rows, 3072) uint8, labels, names."""
    labels = [int(label) for label in rng.integers(0, classes, rows)]
    return {
        "batch_label": b"noise",
        "labels": labels,
        "data": rng.integers(0, 256, (rows, 3072), dtype=np.uint8),
        "filenames": [f"{NAMES[label % 10]}_s_{row:06d}.png".encode() for row, label in enumerate(labels)],
    }


def meta(names: Sequence[str] = NAMES) -> dict[str, Any]:
    return {"num_cases_per_batch": 10_000, "label_names": [name.encode() for name in names], "num_vis": 3072}


def python2_pickle(value: Any) -> bytes:
    """Pickle as Python 2 with numpy 1 did, protocol 2: its `str` for every text, C order, module numpy.core."""
    return b"\x80\x02" + _python2(value) + b"."


def _python2(value: Any) -> bytes:
    match value:
        case str():
            return _python2(value.encode())
        case bytes():
            start = b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))
            return start + value
        case int() if 0 <= value < 256:
            return b"K" + bytes([value])
        case int():
            return b"J" + struct.pack("<i", value)
        case list():
            return b"](" + b"".join(map(_python2, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_python2(key) + _python2(item) for key, item in value.items()) + b"u"
        case np.ndarray():
            shape = b"(" + b"".join(_python2(size) for size in value.shape) + b"t"
            kind = b"cnumpy\ndtype\n" + _python2(value.dtype.str[1:]) + b"K\x00K\x01\x87R"
            order = b"(K\x03" + _python2(value.dtype.str[:1]) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            return empty + b"(K\x01" + shape + kind + order + b"\x89" + _python2(value.tobytes()) + b"tb"
    raise TypeError(type(value))


def byte_keys(content: dict[str, Any]) -> dict[bytes, Any]:
    return {key.encode(): value for key, value in content.items()}


def write_cifar10(folder: Path, rows: int = 4, protocol: int | None = None, seed: int = 0, **changes: bytes) -> Path:
    """A small folder of the official layout; protocol None is Python 2's dialect; changes replace whole files."""
    rng = np.random.default_rng(seed)
    folder = folder / FOLDER
    folder.mkdir(parents=True)
    for name in FILES:
        content = meta() if name == "batches.meta" else random_batch(rows, rng)
        raw = python2_pickle(content) if protocol is None else pickle.dumps(byte_keys(content), protocol)
        (folder / name).write_bytes(changes.get(name.replace(".", "_"), raw))
    return folder


def write_tar(folder: Path, path: Path, *extra: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A tar.gz of an official folder, with further members at its end."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(folder, folder.name)
        for member, content in extra:
            archive.addfile(member, io.BytesIO(content))
    return path


def picture(values: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    """Encode (height, width) or (height, width, 3) uint8."""
    from PIL import Image

    image = Image.fromarray(values)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind)
    return buffer.getvalue()


def pictures(n: int, height: int = 6, width: int = 5, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (n, height, width, channels) if channels > 1 else (n, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def png(rows: bytes, width: int, height: int, depth: int, kind: int, *further: tuple[bytes, bytes]) -> bytes:
    """A PNG, also of the sorts that Pillow does not write: from its filtered rows, with further chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *further, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def write_saved(
    folder: Path,
    tables: Sequence[Any],
    features: Any = None,
    *,
    state: dict[str, Any] | None = None,
    batch: int = 1_000,
    compression: str | None = None,
) -> Path:
    """A folder as save_to_disk of the library `datasets` writes it, a table per file.

    The layout was compared with that of version 5.2.0, whose own bytes are in tests/data/formats/saved_datasets.zip.
    """
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{part:05d}-of-{len(tables):05d}.arrow" for part in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as out:
            out.write_table(table, max_chunksize=batch)
    told = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0" * 16, "_split": None}
    (folder / "state.json").write_text(json.dumps(told | (state or {})))
    info = {"citation": "", "description": "", "features": features or {}, "homepage": "", "license": ""}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def write_parquet(
    path: Path,
    encoded: Sequence[bytes | None],
    labels: Sequence[int | None],
    names: Sequence[str] | None = None,
    *,
    image: str = "img",
    label: str = "label",
    features: dict[str, Any] | None = None,
    **options: Any,
) -> Path:
    """A parquet file in the layout of the Hugging Face hub."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = pa.array([f"{row}.png" for row in range(len(encoded))], pa.string())
    struct_column = pa.StructArray.from_arrays([pa.array(encoded, pa.binary()), paths], ["bytes", "path"])
    table = pa.table({image: struct_column, label: pa.array(labels, pa.int64())})
    if features is None and names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def read_parquet(path: Path) -> Dataset:
    """It, where the source says which columns are meant."""
    from linprobe.data.formats import parquet

    return parquet.read(path, Selection())


def complaint(read: Callable[[], object]) -> str:
    """What is said about a source, nothing if it reads; any other exception passes through."""
    try:
        read()
    except DataError as error:
        return str(error)
    return ""
