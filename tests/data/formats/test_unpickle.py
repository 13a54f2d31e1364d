"""The unpickler against Python's own, on what it should read; what it should not is in tests/hostile."""

import io
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linprobe.data.formats.unpickle import unpickle
from linprobe.errors import DataError
from makers import byte_keys, meta, python2_pickle, random_batch  # pyright: ignore[reportMissingImports]


def trusted(raw):
    """The same by Python's own unpickler, which these files of our own may use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 2 about the alignment flag as Python 2 wrote it
        return pickle.load(io.BytesIO(raw), encoding="bytes")


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def assert_read(raw, expected):
    found = unpickle(raw, "file")
    assert list(found) == [key.decode() if isinstance(key, bytes) else key for key in expected]
    for value, wanted in zip(found.values(), expected.values(), strict=True):
        same(value, wanted)


@pytest.mark.parametrize("rows", [1, 2, 300])
def test_the_official_dialect(rows):
    content = random_batch(rows, np.random.default_rng(rows))
    raw = python2_pickle(content)
    assert_read(raw, trusted(raw))
    assert_read(raw, content)
    assert_read(python2_pickle(meta()), trusted(python2_pickle(meta())))


def test_what_python_2_itself_wrote():
    """By cPickle of Python 2.7.18, protocol 2; its memo begins at 1."""
    raw = (
        b"\x80\x02}q\x01(U\x04sizeq\x02\x8a\x01\nU\x06labelsq\x03]q\x04(K\x06M,\x01J\xfd\xff\xff\xffeU\t"
        b"filenamesq\x05]q\x06U(leptodactylus_pentadactylus_s_000004.pngq\x07au."
    )
    content = {"labels": [6, 300, -3], "filenames": [b"leptodactylus_pentadactylus_s_000004.png"], "size": 10}
    assert unpickle(raw, "file") == content


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("keys", [byte_keys, dict])
@pytest.mark.parametrize("rows", [1, 2, 300])
def test_the_same_dictionaries_saved_again(rows, keys, protocol):
    content = random_batch(rows, np.random.default_rng(rows))
    assert_read(pickle.dumps(keys(content), protocol), content)
    assert_read(pickle.dumps(keys(meta()), protocol), meta())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["|u1", "<i8", ">i8", "<u2", ">i4", "|i1"])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, lambda array: array[:, ::2], lambda array: array[0]])
def test_arrays_of_every_integer_type_and_order(make, kind, protocol):
    array = make(np.arange(24).reshape(4, 6).astype(kind))
    assert_read(pickle.dumps({"data": array}, protocol), {"data": array})


# Not b"": Python 3 writes it, with protocol 2, as a call of `bytes`, which no batch needs.
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=300)
    | st.binary(min_size=1, max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=5), st.integers(2, 5))
def test_plain_values_are_what_python_reads(content, protocol):
    raw = pickle.dumps(content, protocol)
    assert_read(raw, pickle.loads(raw))


@pytest.mark.parametrize("size", [255, 256, 70_000])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_long_lists_texts_and_bytes(size, protocol):
    content = {"text": "é" * size, "bytes": bytes(range(256)) * (size // 200), "list": list(range(size))}
    shared = ["same"] * size  # by reference
    assert_read(pickle.dumps(content | {"shared": shared}, protocol), content | {"shared": shared})


def test_arrays_share_the_memory_of_the_file_and_cannot_be_written():
    array = unpickle(python2_pickle({"data": np.zeros((2, 3), np.uint8)}), "file")["data"]
    assert isinstance(array, np.ndarray)
    assert not array.flags.writeable


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "is not a pickle of protocol 2 to 5"),
        (pickle.dumps({}, 0), "is not a pickle of protocol 2 to 5"),
        (b"\x80\x01}.", "protocol 1"),
        (b"\x80\x09}.", "protocol 9"),
        (pickle.dumps([1], 2), "holds no dictionary"),
        (pickle.dumps({1: 2}, 2), "keys are not all text"),
        (pickle.dumps({(): 2}, 2), "keys are not all text"),
        (pickle.dumps({}, 2) + b"rest", "goes on for 4 bytes after its end"),
        (b"\x80\x02}}.", "holds no dictionary"),
        (b"\x80\x02(}.", "holds no dictionary"),
        (b"\x80\x02.", "an operation without its operand"),
        (b"\x80\x02}u.", "an end without a beginning"),
        (b"\x80\x02}(K\x01u.", "keys are not all text"),
        (b"\x80\x02h\x07.", "a reference to value 7"),
        (b"\x80\x02\x8a\x09123456789.", "a number of 9 bytes"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "text that is not UTF-8"),
        (b"\x80\x02cnumpy\nndarray", "a name without an end"),
        (b"\x80\x02\xff.", "0xff stands for no operation"),
        (b"\x80\x02T\xff\xff\xff\xff", "ends after 7 of at least"),
        (python2_pickle({"data": b"x" * 500})[:-400], "ends after 117 of at least 515 bytes"),
    ],
)
def test_damage_is_said_in_one_line_with_the_way_out(raw, finding):
    with pytest.raises(DataError, match=finding) as caught:
        unpickle(raw, "folder/data_batch_1")
    message = str(caught.value)
    assert message.startswith("folder/data_batch_1: ")
    assert message.endswith("fetch it again: linprobe fetch cifar10")
    assert "\n" not in message


def test_an_array_that_was_announced_but_never_filled_is_refused():
    raw = b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87Rs."
    with pytest.raises(DataError, match="an array without content"):
        unpickle(raw, "file")
