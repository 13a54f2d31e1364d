"""Parquet in the layout of the Hugging Face hub, against the arrays that were written."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data.formats import bounds, picture_columns
from linprobe.data.formats import parquet as module
from linprobe.data.formats.entries import Selection
from linprobe.data.sight import see
from linprobe.data.sizes import PictureSize
from linprobe.errors import DataError, LinprobeError, MissingDependencyError, UnsafeFileError, UsageError
from makers import complaint, picture, pictures, read_parquet, write_parquet  # pyright: ignore[reportMissingImports]

pa = pytest.importorskip("pyarrow")


def write(path, n=4, names=("cat", "dog"), seed=0, **options):
    """A file of n pictures; gives the values and the labels."""
    values = pictures(n, seed=seed)
    labels = np.random.default_rng(seed).integers(0, 2, n)
    write_parquet(path, [picture(each) for each in values], labels.tolist(), names, **options)
    return values, labels


@given(
    n=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    row_group_size=st.integers(1, 50),
    use_dictionary=st.booleans(),
    compression=st.sampled_from(["none", "snappy", "zstd"]),
    at_once=st.sampled_from([1, 7, 1024]),
    repeat=st.booleans(),
)
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_read_whatever_the_encoding(
    tmp_path, monkeypatch, n, channels, row_group_size, use_dictionary, compression, at_once, repeat
):
    monkeypatch.setattr(picture_columns, "ROWS_AT_ONCE", at_once)
    values = pictures(n, channels=channels)
    if repeat:
        values[:] = values[0]
    labels = np.arange(n) % 5
    path = write_parquet(
        tmp_path / "some.parquet",
        [picture(each) for each in values],
        labels.tolist(),
        row_group_size=row_group_size,
        use_dictionary=use_dictionary,
        compression=compression,
    )
    dataset = read_parquet(path)
    np.testing.assert_array_equal(dataset.train.X, values.reshape(n, 6, 5, channels))
    np.testing.assert_array_equal(dataset.train.y, labels)
    assert dataset.classes == tuple(str(label) for label in range(min(n, 5)))
    assert dataset.test is None
    assert dataset.name == "some"


@pytest.mark.parametrize("below", [".", "data", "plain_text"])
def test_a_folder_with_train_test_and_names(tmp_path, below):
    folder = tmp_path / "pets"
    first = write(folder / below / "train-00000-of-00002.parquet", 3, seed=1)
    second = write(folder / below / "train-00001-of-00002.parquet", 2, seed=2)
    test = write(folder / below / "test-00000-of-00001.parquet", 2, seed=3)
    val = write(folder / below / "validation-00000-of-00001.parquet", 9, seed=4)
    (folder / below / "README.md").write_text("of no interest")
    dataset = read_parquet(folder)
    np.testing.assert_array_equal(dataset.train.X, np.concatenate([first[0], second[0]]))
    np.testing.assert_array_equal(dataset.train.y, np.concatenate([first[1], second[1]]))
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.test.X, test[0])
    np.testing.assert_array_equal(dataset.test.y, test[1])
    assert dataset.val is not None
    np.testing.assert_array_equal(dataset.val.X, val[0])
    np.testing.assert_array_equal(dataset.val.y, val[1])
    assert dataset.classes == ("cat", "dog")
    assert dataset.name == "pets"


@pytest.mark.parametrize("name", ["train.parquet", "train_1.parquet", "train-all.parquet", "train.v2.parquet"])
def test_other_names_of_a_train_file(tmp_path, name):
    write(tmp_path / name, 3)
    write(tmp_path / "trainer.parquet", 5)  # not one of them
    assert len(read_parquet(tmp_path).train) == 3


def test_one_file_given_by_itself_is_all_train_whatever_its_name(tmp_path):
    write(tmp_path / "test-00000-of-00003.parquet", 3)
    dataset = read_parquet(tmp_path / "test-00000-of-00003.parquet")
    assert len(dataset.train) == 3
    assert dataset.test is None


def test_an_empty_file_among_others_is_no_trouble(tmp_path):
    write(tmp_path / "train-00000-of-00002.parquet", 0)
    values, _ = write(tmp_path / "train-00001-of-00002.parquet", 3)
    np.testing.assert_array_equal(read_parquet(tmp_path).train.X, values)


def test_names_may_stand_in_one_file_only(tmp_path):
    write(tmp_path / "train.parquet", names=None)
    write(tmp_path / "test.parquet")
    assert read_parquet(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize("image", ["img", "image"])
def test_the_column_may_be_called_image_and_the_label_anything_that_is_said_to_be_one(tmp_path, image):
    features = {"colour": {"names": ["red", "blue"], "_type": "ClassLabel"}, image: {"_type": "Image"}}
    _, labels = write(tmp_path / "x.parquet", image=image, label="colour", features=features)
    dataset = read_parquet(tmp_path / "x.parquet")
    np.testing.assert_array_equal(dataset.train.y, labels)
    assert dataset.classes == ("red", "blue")


@pytest.mark.parametrize(
    "description",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 9999,
        b'{"info": 3}',
        *(b'{"info": {"features": %s}}' % x for x in (b"[1]", b"7")),
    ],
)
def test_a_description_that_cannot_be_read_is_left_alone(tmp_path, description):
    import pyarrow.parquet as pq

    write(tmp_path / "x.parquet", names=None)
    table = pq.read_table(tmp_path / "x.parquet").replace_schema_metadata({"huggingface": description})
    pq.write_table(table, tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet").classes == ("0", "1")


def test_colour_anywhere_makes_all_of_it_colour(tmp_path):
    grey, colour = pictures(3, channels=1), pictures(1, seed=9)
    write_parquet(tmp_path / "train.parquet", [picture(each) for each in grey], [0, 1, 0])
    write_parquet(tmp_path / "test.parquet", [picture(each) for each in (grey[0], colour[0])], [0, 1])
    dataset = read_parquet(tmp_path)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.train.X, np.repeat(grey[..., None], 3, axis=3))
    np.testing.assert_array_equal(dataset.test.X[1], colour[0])


@pytest.mark.parametrize("colour", [False, True])
def test_other_sizes_become_the_most_frequent_as_prediction_does(tmp_path, monkeypatch, colour):
    monkeypatch.setattr(picture_columns, "ROWS_AT_ONCE", 2)
    channels = 3 if colour else 1
    few, many = pictures(2, 9, 4, 1, seed=1), pictures(4, channels=channels, seed=2)
    train, test = [*few, *many[:3]], [many[3], few[0]]
    write_parquet(tmp_path / "train.parquet", [picture(each) for each in train], [0, 1, 0, 1, 0], row_group_size=3)
    write_parquet(tmp_path / "test.parquet", [picture(each) for each in test], [0, 1])
    dataset = read_parquet(tmp_path)
    assert dataset.test is not None
    for images, values in ((dataset.train.X, train), (dataset.test.X, test)):
        expected = [see(picture(each), (6, 5, channels), 255.0, "here") for each in values]
        np.testing.assert_array_equal(images, expected)
    assert dataset.notes == (
        "The pictures are 5 x 6 pixels, the most frequent size; 3 of 7 have another size and are cut and resized.",
    )


def test_the_size_asked_for_in_grey_too(tmp_path):
    values = pictures(4)
    write_parquet(tmp_path / "x.parquet", [picture(each) for each in values], [0, 1, 0, 1])
    small = module.read(tmp_path / "x.parquet", Selection(size=PictureSize(3, 7)))
    expected = [see(picture(each), (3, 7, 3), 255.0, "here") for each in values]
    np.testing.assert_array_equal(small.train.X, expected)
    assert small.notes[0].startswith("The pictures are 7 x 3 pixels, the size asked for; 4 of 4 have another size")
    grey = module.read(tmp_path / "x.parquet", Selection(size=PictureSize(6, 5, 1)))
    np.testing.assert_array_equal(grey.train.X, [see(picture(each), (6, 5, 1), 255.0, "here") for each in values])
    assert grey.notes == ("4 of 4 pictures have colour and are made grey.",)


def test_pictures_of_one_size_are_opened_once(tmp_path, monkeypatch):
    write(tmp_path / "x.parquet", 4)
    monkeypatch.setattr(picture_columns, "announced", None)
    assert len(read_parquet(tmp_path / "x.parquet").train) == 4


def test_large_binary_is_a_picture_too(tmp_path):
    import pyarrow.parquet as pq

    values = pictures(3)
    rows = pa.array(
        [{"bytes": picture(each), "path": None} for each in values], pa.struct({"bytes": pa.large_binary()})
    )
    pq.write_table(pa.table({"img": rows, "label": pa.array([0, 1, 0], pa.uint8())}), tmp_path / "x.parquet")
    np.testing.assert_array_equal(read_parquet(tmp_path / "x.parquet").train.X, values)


GOOD = [picture(each) for each in pictures(4)]


def refused(path, kind: type[LinprobeError] = DataError, selection: Selection | None = None):
    with pytest.raises(kind) as caught:
        module.read(path, selection or Selection())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("encoded", "labels", "finding"),
    [
        ([*GOOD[:2], b"no picture", GOOD[3]], [0, 1, 0, 1], "row 2: is not a PNG, JPEG or WebP image"),
        ([*GOOD[:2], None, GOOD[3]], [0, 1, 0, 1], "row 2: holds no bytes of a picture"),
        ([None, *GOOD[:3]], [0, 1, 0, 1], "row 0: holds no bytes of a picture"),
        (GOOD, [0, 1, 2, 0], "row 2 has label 2, where the 2 named classes are 0 to 1; correct it"),
        (GOOD, [0, 1, 0, -2], "row 3 has label -2, where the 2 named classes are 0 to 1; correct it"),
        (GOOD, [0, 1, 0, 2**62], "row 3 has label 4611686018427387904, where the 2 named classes are"),
        ([], [], "has no rows"),
    ],
)
@pytest.mark.parametrize("group", [1, 3, 1024])
def test_a_wrong_row_is_named(tmp_path, monkeypatch, encoded, labels, finding, group):
    monkeypatch.setattr(picture_columns, "ROWS_AT_ONCE", 2)
    path = write_parquet(tmp_path / "train.parquet", encoded, labels, ["cat", "dog"], row_group_size=group)
    message = refused(path)
    assert finding in message
    assert message.startswith(str(path))


@pytest.mark.parametrize(
    ("labels", "numbers", "classes"),
    [
        ([0, 1, 0, 10**12], [0, 1, 0, 2], ("0", "1", str(10**12))),
        ([3, 1, 0, -1], [2, 1, 0], ("0", "1", "3")),
        ([3, -2, 0, 1], [3, 0, 1, 2], ("-2", "0", "1", "3")),
        ([-1, None, 3, 1], [1, 0], ("1", "3")),
        (["b", None, "a", ""], [1, 0], ("a", "b")),
        (pa.array(["b", "a", None, "b"]).dictionary_encode(), [1, 0, 1], ("a", "b")),
        (pa.array([0, 1, 0, 2**64 - 1], pa.uint64()), [0, 1, 0, 2], ("0", "1", str(2**64 - 1))),
        ([1.0, 0.0, None, 1.0], [1, 0, 1], ("0", "1")),
        ([True, False, None, True], [1, 0, 1], ("False", "True")),
        ([b"b", b"a", None, b"b"], [1, 0, 1], ("a", "b")),
    ],
)
def test_labels_of_any_kind_and_what_is_missing_is_left_out(tmp_path, labels, numbers, classes):
    import pyarrow.parquet as pq

    values = pictures(4)
    path = write_parquet(tmp_path / "x.parquet", [picture(each) for each in values], [0] * 4)
    column = labels if isinstance(labels, pa.Array) else pa.array(labels)
    pq.write_table(pq.read_table(path).set_column(1, "label", column), path)
    dataset = read_parquet(path)
    np.testing.assert_array_equal(dataset.train.y, numbers)
    assert dataset.classes == classes
    kept = [row for row, label in enumerate(column.to_pylist()) if label not in (None, "") and label != -1]
    np.testing.assert_array_equal(np.asarray(dataset.train.X), values[kept])
    assert len(dataset.notes) == (len(kept) < 4)


def test_labels_that_are_withheld_and_labels_that_are_none(tmp_path):
    write_parquet(tmp_path / "train.parquet", GOOD, [0, 1, 0, 1])
    write_parquet(tmp_path / "test.parquet", GOOD, [-1] * 4)
    dataset = read_parquet(tmp_path)
    assert dataset.test is None
    assert dataset.notes == ("test: all 4 labels are -1 (withheld), so this split is not used.",)
    assert "none of its 4 rows has a label (all are -1 or missing)" in refused(tmp_path / "test.parquet")


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"names": ["cat", "cat"]}, "names two classes cat"),
        ({"names": ["cat", "\x1b[2J"]}, "class name 1 is not printable text"),
        ({"features": {"label": {"names": {"a": 1}}}}, "has no list of class names"),
    ],
)
def test_wrong_columns_are_listed(tmp_path, options, finding):
    write(tmp_path / "x.parquet", **{"names": None, **options})
    assert finding in refused(tmp_path / "x.parquet")


def test_two_columns_of_labels_are_chosen_between_by_the_user(tmp_path):
    import pyarrow.parquet as pq

    features = {name: {"names": ["a", "b"], "_type": "ClassLabel"} for name in ("fine_label", "coarse_label")}
    _, labels = write(tmp_path / "x.parquet", label="fine_label", features=features)
    table = pq.read_table(tmp_path / "x.parquet")
    table = table.append_column("coarse_label", pa.array(1 - np.asarray(table["fine_label"])))
    pq.write_table(table, tmp_path / "x.parquet")
    message = refused(tmp_path / "x.parquet", UsageError)
    assert "several could be the labels: fine_label (int64 4), coarse_label (int64 4)" in message
    assert "choose one, as --label fine_label" in message
    chosen = module.read(tmp_path / "x.parquet", Selection(label="coarse_label"))
    np.testing.assert_array_equal(chosen.train.y, 1 - labels)


@pytest.mark.parametrize("image", ["jpg", "PNG", "photo", "anything"])
def test_other_names_of_a_column_of_pictures(tmp_path, image):
    values, _ = write(tmp_path / "x.parquet", image=image, names=None)
    np.testing.assert_array_equal(read_parquet(tmp_path / "x.parquet").train.X, values)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_pictures_as_bytes(tmp_path, kind):
    import pyarrow.parquet as pq

    values = pictures(4)
    encoded = pa.array([picture(each) for each in values], kind)
    pq.write_table(pa.table({"image": encoded, "label": ["a", "b", "a", "b"]}), tmp_path / "x.parquet")
    np.testing.assert_array_equal(read_parquet(tmp_path / "x.parquet").train.X, values)


def test_two_columns_of_pictures_are_chosen_between_by_the_user(tmp_path):
    import pyarrow.parquet as pq

    values, _ = write(tmp_path / "x.parquet", image="left")
    table = pq.read_table(tmp_path / "x.parquet")
    pq.write_table(
        table.append_column("right", table["left"].combine_chunks().take([3, 2, 1, 0])), tmp_path / "x.parquet"
    )
    assert "choose one, as --x left" in refused(tmp_path / "x.parquet", UsageError)
    dataset = module.read(tmp_path / "x.parquet", Selection(x="right"))
    np.testing.assert_array_equal(dataset.train.X, values[::-1])
    assert "no column of pictures up among left" in refused(tmp_path / "x.parquet", UsageError, Selection(x="up"))


def test_a_label_of_a_name_that_is_not_usual_is_found_and_reported(tmp_path):
    _, labels = write(tmp_path / "x.parquet", label="kind", names=None)
    dataset = read_parquet(tmp_path / "x.parquet")
    np.testing.assert_array_equal(dataset.train.y, labels)
    assert dataset.notes == ("The labels are in the column kind, the only one of whole numbers.",)


@pytest.mark.parametrize(
    ("columns", "kind", "finding"),
    [
        ({"img": [b"x"], "label": [1]}, DataError, "row 0: is not a PNG, JPEG or WebP image"),
        ({"img": [{"path": "x"}], "label": [1]}, UsageError, "no column of pictures among img (struct<path: string>)"),
        ({"img": [{"bytes": "text"}], "label": [1]}, UsageError, "no column of pictures among img (struct<bytes: st"),
        ({"image": [], "label": []}, UsageError, "no column of pictures among image (null), label (null)"),
        ({"img": GOOD[:1], "label": [1.5]}, DataError, "row 0 has label 1.5, a measurement rather than a class"),
        ({"img": GOOD[:1], "label": [None]}, DataError, "none of its 1 rows has a label"),
        ({"img": GOOD[:1]}, UsageError, "no labels found in img (uint8 1 x 6 x 5 x 3)"),
        ({}, UsageError, "no column of pictures among no columns"),
    ],
)
def test_a_column_of_another_kind_is_named_with_what_it_holds(tmp_path, columns, kind, finding):
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert finding in refused(tmp_path / "x.parquet", kind)


def test_two_columns_of_one_name_are_not_chosen_between(tmp_path):
    import pyarrow.parquet as pq

    table = pq.read_table(write_parquet(tmp_path / "x.parquet", GOOD, [0] * 4))
    for column in ("img", "label"):
        pq.write_table(table.append_column(column, table[column]), tmp_path / "x.parquet")
        assert f"has 2 columns {column}, one is expected; rename the others" in refused(tmp_path / "x.parquet")


def test_files_of_two_data_sets_are_not_mixed(tmp_path):
    write(tmp_path / "train.parquet")
    write(tmp_path / "test.parquet", names=("red", "blue"))
    assert "names other classes than" in refused(tmp_path)


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        (["a.parquet", "b.parquet"], "has a.parquet, b.parquet, but no train-*.parquet"),
        (["test.parquet"], "has test.parquet, but no train-*.parquet"),
        (["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"], "number 1 is missing"),
        (["train-00000-of-00001.parquet", "train-00000-of-00002.parquet"], "another numbering"),
        (["train.parquet", "test-00001-of-00002.parquet"], "number 0 is missing"),
        (["cat/train.parquet", "dog/train.parquet"], "has parquet files in cat, dog, one folder of them is expected"),
        ([], "has no parquet files"),
    ],
)
def test_a_folder_that_leaves_questions_open_is_refused(tmp_path, files, finding):
    for name in files:
        write(tmp_path / name)
    assert finding in refused(tmp_path)


def test_what_is_no_parquet_file_is_said_in_one_line(tmp_path):
    path = tmp_path / "x.parquet"
    assert "is not a file" in refused(path)
    path.write_bytes(b"")
    assert "is empty" in refused(path)
    path.write_bytes(b"PAR1 and nothing PAR1")
    assert "is not an intact parquet file" in refused(path)


def test_a_truncated_or_damaged_file_is_a_data_error_or_reads(tmp_path):
    path = tmp_path / "x.parquet"
    write(path, 12, row_group_size=5)
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        refused(path)
    for position in rng.integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[position] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        assert "\n" not in complaint(lambda: read_parquet(path))


def test_a_machine_with_less_memory_refuses_beforehand(tmp_path, monkeypatch):
    write(tmp_path / "x.parquet", 10)
    monkeypatch.setattr(bounds, "memory", lambda: 10 * 6 * 5 * 3 - 1)
    assert "10 pictures of 5 x 6 pixels need 900 bytes of memory, this machine has 899" in refused(
        tmp_path / "x.parquet"
    )
    monkeypatch.setattr(bounds, "memory", lambda: 10 * 6 * 5 * 3)
    assert len(read_parquet(tmp_path / "x.parquet").train) == 10


def test_a_few_bytes_that_unfold_to_much_are_refused(tmp_path, monkeypatch):
    blank = picture(np.zeros((100, 100, 3), np.uint8))
    path = write_parquet(tmp_path / "x.parquet", [blank] * 2_000, [0] * 2_000)
    assert len(read_parquet(path).train) == 2_000  # harmless: 60 MB
    monkeypatch.setattr(bounds, "HARMLESS", 2**20)
    assert "as no honest pictures do" in refused(path, UnsafeFileError)


def test_without_pyarrow_the_way_to_install_it_is_said(tmp_path, monkeypatch):
    write(tmp_path / "x.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingDependencyError, match=r"pip install './linprobe\[parquet\]'"):
        read_parquet(tmp_path / "x.parquet")


def test_a_bug_of_ours_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise KeyError("planted")

    write(tmp_path / "some.parquet")
    for name in ("decode", "shape_of"):
        monkeypatch.setattr(picture_columns, name, broken)
        with pytest.raises(KeyError, match="planted"):
            read_parquet(tmp_path / "some.parquet")
