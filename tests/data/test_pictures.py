"""Encoded pictures into arrays, against Pillow used one by one."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from linprobe.data.pictures import (
    MOST_BYTES,
    PIXELS_WORTH_A_THREAD,
    ColourFoundError,
    OtherSizeFoundError,
    Shape,
    decode,
    shape_of,
)
from linprobe.data.sight import see
from linprobe.errors import DataError, UnsafeFileError
from makers import complaint, picture, pictures  # pyright: ignore[reportMissingImports]


def place(row):
    return f"file: row {row}"


def decoded(encoded, height, width, channels):
    images = np.full((len(encoded), height, width, channels), 77, np.uint8)
    decode(encoded, images, place)
    return images


def png_header(width, height, depth=8, kind=2):
    """A PNG that announces a size and has next to nothing inside."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 50)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("side", [5, 80])
def test_png_is_read_without_loss_in_order_on_one_thread_and_on_many(side, n, channels):
    values = pictures(n, side, side + 1, channels)
    found = decoded([picture(each) for each in values], side, side + 1, channels)
    np.testing.assert_array_equal(found, values.reshape(found.shape))


def test_large_pictures_are_decoded_on_several_threads_and_small_ones_on_this_one(monkeypatch):
    import linprobe.data.pictures as module

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    used = set()
    original = module._decode_one
    together = threading.Barrier(2, timeout=20)

    def watch(*arguments):
        used.add(threading.current_thread())
        if len(used) and not together.broken and side * side >= PIXELS_WORTH_A_THREAD:
            together.wait()
        original(*arguments)

    monkeypatch.setattr(module, "_decode_one", watch)
    side = 8
    decoded([picture(each) for each in pictures(8, side, side)], side, side, 3)
    assert used == {threading.current_thread()}
    used.clear()
    side = 64
    decoded([picture(each) for each in pictures(8, side, side)], side, side, 3)
    assert len(used) == 2


def test_jpeg_is_read_as_pillow_reads_it():
    encoded = [picture(each, "JPEG") for each in pictures(5, 16, 24)]
    expected = [np.asarray(Image.open(io.BytesIO(each))) for each in encoded]
    np.testing.assert_array_equal(decoded(encoded, 16, 24, 3), expected)


@pytest.mark.parametrize(
    ("mode", "kind", "channels"),
    [
        ("L", "PNG", 1),
        ("1", "PNG", 1),
        ("L", "JPEG", 1),
        ("P", "PNG", 3),
        ("RGB", "PNG", 3),
        ("RGB", "JPEG", 3),
        ("RGB", "WEBP", 3),
    ],
)
def test_modes_become_grey_or_rgb(mode, kind, channels):
    encoded = picture(pictures(1, 8, 9)[0], kind, mode)
    assert shape_of(encoded, "x") == Shape(8, 9, channels)
    expected = Image.open(io.BytesIO(encoded)).convert("L" if channels == 1 else "RGB")
    np.testing.assert_array_equal(decoded([encoded], 8, 9, channels)[0], np.asarray(expected).reshape(8, 9, channels))


def test_grey_among_colour_becomes_colour_and_colour_among_grey_is_reported():
    grey, colour = picture(pictures(1, channels=1)[0]), picture(pictures(1)[0])
    found = decoded([colour, grey], 6, 5, 3)
    np.testing.assert_array_equal(found[1], np.repeat(pictures(1, channels=1)[0][..., None], 3, axis=2))
    with pytest.raises(ColourFoundError):
        decoded([grey, colour], 6, 5, 1)


def test_a_picture_of_another_size_is_reported_and_fitted_where_that_is_asked_for():
    encoded = [picture(each) for each in (*pictures(5, 6, 5), *pictures(1, 7, 4))]
    with pytest.raises(OtherSizeFoundError):
        decoded(encoded, 6, 5, 3)
    for channels in (1, 3):
        images = np.empty((6, 6, 5, channels), np.uint8)
        decode(encoded, images, str, fit=True)
        np.testing.assert_array_equal(images, [see(each, (6, 5, channels), 255.0, "x") for each in encoded])


@pytest.mark.parametrize(("width", "height"), [(4097, 4096), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)])
def test_a_huge_announcement_is_refused_before_anything_is_decoded(monkeypatch, width, height):
    monkeypatch.setattr(Image.Image, "load", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    encoded = png_header(width, height)
    for read in (lambda: shape_of(encoded, "file: row 0"), lambda: decoded([encoded], 6, 5, 3)):
        with pytest.raises(DataError, match="file: row 0: ") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_the_refusal_of_a_huge_picture_says_its_size():
    with pytest.raises(UnsafeFileError, match="announces 5,000 x 4,000 pixels, 1 to 16,777,216 are decoded"):
        shape_of(png_header(5_000, 4_000), "x")


@pytest.mark.parametrize(
    ("encoded", "finding"),
    [
        (None, "holds no bytes of a picture"),
        (b"", "is not a PNG, JPEG or WebP image"),
        (b"not a picture", "is not a PNG, JPEG or WebP image"),
        (picture(pictures(1)[0], "GIF"), "is not a PNG, JPEG or WebP image"),
        (picture(pictures(1)[0], "TIFF"), "is not a PNG, JPEG or WebP image"),
        (picture(pictures(1)[0])[:-30], "is a damaged picture"),
        (picture(pictures(1)[0], "JPEG")[:-40], "is a damaged picture"),
        (png_header(6, 0), "file: row 0"),
        (png_header(5, 6, 16, 0), "has 16 bits a pixel, 8 are expected; convert it"),
        (png_header(5, 6), "is a damaged picture"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(encoded, finding):
    with pytest.raises(DataError, match=finding) as caught:
        decoded([encoded], 6, 5, 3)
    assert str(caught.value).startswith("file: row 0: ")
    assert "\n" not in str(caught.value)


def test_too_many_bytes_for_one_picture_are_not_given_to_a_decoder():
    with pytest.raises(UnsafeFileError, match="at most"):
        decoded([bytes(MOST_BYTES + 1)], 6, 5, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_bytes_are_pictures_or_data_errors(kind):
    whole = picture(pictures(1, 12, 10)[0], kind)
    rng = np.random.default_rng(3)
    for _ in range(400):
        broken = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for position in rng.integers(0, len(broken), rng.integers(0, 4)):
            broken[position] = rng.integers(256)
        encoded = bytes(broken)
        assert "\n" not in complaint(lambda encoded=encoded: decoded([encoded], *shape_of(encoded, "x")))
