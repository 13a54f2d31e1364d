"""Folders and zips of pictures that would fill the memory, hang or leave their folder: refused in one line."""

import os
import socket
import stat
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from linprobe.data.formats import decoded, open_dataset, picture_files
from linprobe.errors import DataError, LinprobeError, UnsafeFileError
from makers import picture, pictures, png  # pyright: ignore[reportMissingImports]

PNG = picture(pictures(1)[0])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LINPROBE_DATA", str(tmp_path / "cache"))


@pytest.fixture
def top(tmp_path):
    for name in ("ash", "birch"):
        folder = tmp_path / "some" / name
        folder.mkdir(parents=True)
        for row in range(3):
            (folder / f"{row}.png").write_bytes(PNG)
    return tmp_path / "some"


def refused(path, kind: type[LinprobeError] = DataError):
    tracemalloc.start()
    with pytest.raises(kind) as caught:
        open_dataset(path)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()
    said = str(caught.value)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 700
    return said


def zipped(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [("ash/1.png", PNG), ("birch/1.png", PNG), ("birch/2.png", PNG), *members]:
            archive.writestr(name, content)
    return path


def test_30_000_x_30_000(top):
    (top / "ash" / "big.png").write_bytes(png(b"", 30_000, 30_000, 8, 2))
    assert "ash/big.png: announces" in refused(top, UnsafeFileError)


@pytest.mark.parametrize("size", [(1, 2**24), (2**24, 1), (5, 2_752_518)])
def test_a_picture_that_is_a_line_is_refused_before_it_takes_memory_for_each_row(top, size):
    (top / "ash" / "line.png").write_bytes(png(b"", size[0], size[1], 8, 2))
    assert "sides to 65,535 are decoded" in refused(top, UnsafeFileError)


def test_many_pixels_from_few_bytes(top, monkeypatch):
    rows = b"".join(b"\x00" + bytes(600) for _ in range(600))
    for row in range(8):
        (top / "ash" / f"flat{row}.png").write_bytes(png(rows, 600, 600, 8, 0))
    monkeypatch.setattr(decoded, "HARMLESS", 2**20)
    monkeypatch.setattr(decoded, "MOST_UNFOLDING", 100)
    assert "as no honest pictures do" in refused(top, UnsafeFileError)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "is not a PNG, JPEG or WebP image"),
        (b"GIF89a" + bytes(50), "is not a PNG, JPEG or WebP image"),
        (PNG[:60], "is a damaged picture"),
        (b"<svg onload=alert(1)>", "is not a PNG, JPEG or WebP image"),
    ],
)
def test_damaged(top, content, finding):
    (top / "birch" / "9.png").write_bytes(content)
    said = refused(top)
    assert "birch/9.png: " in said
    assert finding in said


def test_a_file_too_large_is_not_read(top):
    with (top / "birch" / "9.png").open("wb") as file:
        file.truncate(2**33)
    assert "has 8,589,934,592 bytes" in refused(top, UnsafeFileError)


def test_pipes_and_sockets_are_left_out(top, monkeypatch):
    os.mkfifo(top / "ash" / "pipe.png")
    monkeypatch.chdir(top)  # as the names of sockets must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("ash/socket.png")
        dataset = open_dataset(top)
    assert len(dataset.train) == 6
    assert dataset.notes == ("Left out: 2 pipes or devices.",)


def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(top):
    (file, *_) = picture_files.files_in(top).files
    path = top.joinpath(*file.parts)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is not as it was"):
        file.read()


def test_links(top, tmp_path):
    (tmp_path / "secret.png").write_bytes(PNG)
    (top / "ash" / "out.png").symlink_to(tmp_path / "secret.png")
    (top / "ash" / "device.png").symlink_to("/dev/zero")
    (top / "ash" / "nowhere.png").symlink_to("nothing")
    (top / "ash" / "loop.png").symlink_to("loop.png")
    (top / "ash" / "inside.png").symlink_to("../birch/0.png")
    (top / "birch" / "up").symlink_to(top)
    (top / "cedar").symlink_to(tmp_path)
    dataset = open_dataset(top)
    assert len(dataset.train) == 7
    assert dataset.notes == ("Left out: 4 links that lead out of it or nowhere, 2 links to folders.",)


def test_nothing_but_links(tmp_path, top):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "ash").mkdir()
    (tmp_path / "links" / "ash" / "1.png").symlink_to(top / "ash" / "1.png")
    (tmp_path / "links" / "birch").symlink_to(top / "birch")
    assert "a link that leads out of it or nowhere, a link to a folder" in refused(tmp_path / "links")


def test_deep_folders(top):
    deep = top / "ash" / "/".join("d" * 12)
    deep.mkdir(parents=True)
    (deep / "1.png").write_bytes(PNG)
    assert "Left out: a folder more than 8 deep." in open_dataset(top).notes


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "x" * 150, "\u202etfel"])
def test_names_of_classes_that_a_screen_cannot_show(top, name):
    (top / "birch").rename(top / name)
    assert "printable" in refused(top)


def test_a_name_that_is_not_utf_8(top):
    (top / "birch").rename(os.fsdecode(os.fsencode(top) + b"/\xff\xfe"))
    assert "printable" in refused(top)


def test_a_name_of_html_is_a_name(top):
    (top / "birch").rename(top / "<b>&bold;<img src=x onerror=alert(1)>")
    assert open_dataset(top).classes[0] == "<b>&bold;<img src=x onerror=alert(1)>"


def test_errors_show_names_without_escapes(top):
    (top / "birch" / "\x1b]0;x\x07.png").write_bytes(b"bad")
    assert "\\x1b]0;x\\x07.png: is not" in refused(top)


def test_one_class(top):
    (top / "birch").rename(top.parent / "birch")
    assert "pictures of one class, ash; two or more" in refused(top)


def test_pictures_without_folders(top):
    for name in ("ash", "birch"):
        for row in range(3):
            (top / name / f"{row}.png").rename(top / f"{name}{row}.png")
    assert "has 6 pictures, but in no folder of a class" in refused(top)


def test_names_that_differ_in_case(top):
    (top / "Ash").mkdir()
    (top / "Ash" / "1.png").write_bytes(PNG)
    assert "Ash and ash differ only in case" in refused(top)
    for old, new in (("ash", "a"), ("Ash", "A")):
        (top / old).rename(top / new)
    assert open_dataset(top).classes == ("A", "a", "birch")


def test_two_folders_for_one_split(top):
    for name in ("train", "Training"):
        (top / name / "ash").mkdir(parents=True)
        (top / name / "ash" / "1.png").write_bytes(PNG)
    assert "Training and train are both train" in refused(top)


def test_no_train(tmp_path, top):
    (tmp_path / "new").mkdir()
    top.rename(tmp_path / "new" / "test")
    (tmp_path / "new" / "val" / "ash").mkdir(parents=True)
    (tmp_path / "new" / "val" / "ash" / "1.png").write_bytes(PNG)
    assert "has the folders test, val, but no train" in refused(tmp_path / "new")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["../ash/9.png", "/ash/9.png", "ash\\..\\..\\9.png", "C:\\9.png", "ash/../../9.png"])
def test_zip_that_leaves_its_folder(tmp_path, name):
    before = sorted(tmp_path.parent.rglob("*"))
    path = zipped(tmp_path / "some.zip", (name, PNG))
    assert "leads out of the archive" in refused(path, UnsafeFileError)
    assert set(tmp_path.parent.rglob("*")) - set(before) == {path}


def test_zip_with_links_and_devices(tmp_path):
    members = []
    for name, kind in (("ash/link.png", stat.S_IFLNK), ("ash/pipe.png", stat.S_IFIFO), ("ash/dev.png", stat.S_IFCHR)):
        member = zipfile.ZipInfo(name)
        member.external_attr = (kind | 0o644) << 16
        members.append((member, b"/etc/passwd"))
    dataset = open_dataset(zipped(tmp_path / "some.zip", *members))
    assert len(dataset.train) == 3
    assert dataset.notes == ("Left out: a link that leads out of it or nowhere, 2 pipes or devices.",)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_name_twice(tmp_path):
    assert "comes twice" in refused(zipped(tmp_path / "some.zip", ("ash/1.png", PNG)), UnsafeFileError)


def altered(path, offset, form, value):
    """Another number in the central directory's entry of the first member."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, raw.index(b"PK\x01\x02") + offset, value)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("size", [1, len(PNG) - 1, len(PNG) + 1, 2**26, 2**26 + 1, 2**30 + 1, 2**32 - 2])
def test_zip_that_lies_about_a_size(tmp_path, size):
    said = refused(altered(zipped(tmp_path / "some.zip"), 24, "<I", size))
    assert "some.zip" in said


def test_zip_whose_members_share_their_bytes(tmp_path):
    path = altered(zipped(tmp_path / "some.zip"), 20, "<I", 2**20)
    assert "which share what they hold" in refused(path, UnsafeFileError)


def test_zip_bomb(tmp_path):
    path = zipped(tmp_path / "some.zip", ("ash/bomb.png", PNG + bytes(2**26)))
    assert "ash/bomb.png: announces 67," in refused(path, UnsafeFileError)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_of_other_methods(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "some.zip", "w", method) as archive:
        archive.writestr("ash/1.png", PNG)
        archive.writestr("birch/1.png", PNG)
    assert "pack it again" in refused(tmp_path / "some.zip")


def test_zip_that_is_encrypted(tmp_path):
    assert "is encrypted" in refused(altered(zipped(tmp_path / "some.zip"), 8, "<H", 1))


@pytest.mark.slow
def test_damaged_zips(tmp_path):
    whole = zipped(tmp_path / "whole.zip").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "some.zip"
    for cut in [0, 1, 30, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        refused(path)
    for _ in range(300):
        raw = bytearray(whole)
        for place in rng.integers(0, len(raw), 3):
            raw[place] = rng.integers(256)
        path.write_bytes(raw)
        try:
            open_dataset(path)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("notes.txt", "x")
    assert "has no pictures (a file that is not PNG, JPEG or WebP)" in refused(tmp_path / "some.zip")


def test_a_picture_that_decodes_to_another_size_than_it_announces_fills_nothing(top):
    # Rows for far more than the header's 2 x 2 pixels.
    (top / "ash" / "long.png").write_bytes(png(bytes(2**22), 2, 2, 8, 0))
    assert zlib.crc32(PNG)
    try:
        assert open_dataset(top).train.X.shape[1:] == (6, 5, 3)
    except DataError as error:
        assert "long.png" in str(error)  # noqa: PT017
