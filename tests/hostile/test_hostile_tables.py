"""Tables that are damaged, lie or unfold, and names of classes that mean something to a page or a spreadsheet."""

import os
import tracemalloc

import numpy as np
import pytest

from linprobe.data.formats import bounds, columnar, open_dataset
from linprobe.data.formats.tables import TableFile
from linprobe.errors import DataError, LinprobeError, UnsafeFileError, UsageError

pa = pytest.importorskip("pyarrow")

N = 30
X = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
S = [("a", "b", "c")[row % 3] for row in range(N)]
TABLE = pa.table({"embedding": X.tolist(), "label": S})


def parquet(path, table=TABLE):
    import pyarrow.parquet as pq

    pq.write_table(table, path)


def feather(path, compression="uncompressed"):
    import pyarrow.feather

    pyarrow.feather.write_feather(TABLE, str(path), compression=compression)


def stream(path):
    with pa.ipc.new_stream(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE)


def text(path):
    rows = "".join(f'{label},"{row}"\n' for label, row in zip(S, X.tolist(), strict=True))
    path.write_text("label,embedding\n" + rows)


WRITERS = {
    "x.parquet": parquet,
    "x.feather": feather,
    "packed.feather": lambda path: feather(path, "lz4"),
    "x.arrow": stream,
    "x.csv": text,
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", WRITERS)
def test_a_truncated_or_damaged_table_is_refused_or_reads(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert len(open_dataset(path).train) == N
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        _reads_or_is_refused(path)
    for position in rng.integers(0, len(whole), 200):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        _reads_or_is_refused(path)


def _reads_or_is_refused(path):
    try:
        np.asarray(open_dataset(path).train.X)
    except LinprobeError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 1_000  # noqa: PT017


def test_a_table_that_unfolds_is_refused_unread(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    same = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2**20, np.float32)), 2**10)
    table = pa.table({"embedding": same, "label": ["a"] * 2**10})
    pq.write_table(table, tmp_path / "x.parquet", use_dictionary=False, compression="zstd")
    monkeypatch.setattr(bounds, "HARMLESS", 2**20)
    monkeypatch.setattr(bounds, "MOST_UNFOLDING", 100)
    with pytest.raises(UnsafeFileError, match="as no honest tables do"):
        open_dataset(tmp_path / "x.parquet")


def test_a_list_that_is_repeated_without_end_is_refused_before_it_is_unfolded(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "memory", lambda: 2**24)
    parquet(tmp_path / "x.parquet", pa.table({"embedding": [[0.0] * 5_000] * 1_000, "label": ["a", "b"] * 500}))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="1,000 rows of 5,000 numbers need 40,000,000 bytes of memory"):
            open_dataset(tmp_path / "x.parquet")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("claimed", [N - 1, N + 1])
def test_a_count_of_rows_that_lies_is_noticed(tmp_path, monkeypatch, claimed):
    parquet(tmp_path / "x.parquet", TABLE.append_column("a", pa.array(X[:, 0])))
    lies = property(lambda _: claimed, lambda *_: None)
    monkeypatch.setattr(TableFile, "rows", lies, raising=False)
    lists, label, number = columnar.entries_of_parquet(tmp_path / "x.parquet")
    assert number.table is not None
    for load in (lists.load, label.load, lambda: number.table and number.table.matrix(["a"])):
        with pytest.raises(DataError, match=f"does not have the {claimed} rows that it announces"):
            load()


@pytest.mark.parametrize("cell", ["[" * 10_000, "[1e999, 1]", "[nan, 1]", "[1, 2", "[__import__('os')]", "[1;2]", "[]"])
def test_text_that_is_no_list_runs_nothing_and_ends(tmp_path, cell):
    path = tmp_path / "x.csv"
    path.write_text(f'label,embedding\na,"[1.0, 2.0]"\nb,"{cell}"\n')
    _reads_or_is_refused(path)
    path.write_text(f'label,embedding\na,"{cell}"\nb,"[1.0, 2.0]"\n')
    _reads_or_is_refused(path)


@pytest.mark.parametrize("content", [b'a,label\n"1,x\n' * 50, b"," * 100_000, b'"' * 9_999, b"\n" * 5_000, b"a\r" * 99])
def test_text_that_is_no_table_ends(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    _reads_or_is_refused(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a,b", 'q"t', "@SUM(1)", "{{7*7}}"]
)
def test_names_that_mean_something_elsewhere_are_names(tmp_path, name):
    parquet(tmp_path / "x.parquet", pa.table({"embedding": X.tolist(), "label": [name, "other"] * (N // 2)}))
    assert set(open_dataset(tmp_path / "x.parquet").classes) == {name, "other"}


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\u202egnp", "x" * 101, "\u200b"])
def test_names_that_cannot_be_shown_are_refused(tmp_path, name):
    parquet(tmp_path / "x.parquet", pa.table({"embedding": X.tolist(), "label": [name, "other"] * (N // 2)}))
    with pytest.raises(DataError, match="not printable text") as caught:
        open_dataset(tmp_path / "x.parquet")
    assert str(caught.value).isprintable()


def test_names_of_columns_that_cannot_be_shown_are_escaped(tmp_path):
    parquet(tmp_path / "x.parquet", pa.table({"\x1b[2J\n" + "x" * 9_999: X[:, 0], "a": S, "b": S}))
    with pytest.raises(UsageError) as caught:
        open_dataset(tmp_path / "x.parquet")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_pipes_and_links_to_nothing(tmp_path):
    for name in WRITERS:
        os.mkfifo(tmp_path / name)
        with pytest.raises(LinprobeError, match="is not a file"):
            open_dataset(tmp_path / name)
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(name)
        with pytest.raises(LinprobeError):
            open_dataset(tmp_path / name)


def test_a_label_file_that_leads_elsewhere_is_only_read(tmp_path):
    np.save(tmp_path / "features.npy", X)
    with pytest.raises(LinprobeError):
        open_dataset(tmp_path / "features.npy", label="../../../../../etc/passwd")
