"""What a model sees of a picture: against Pillow called directly, and against plain loops of what is promised."""

import io
import math
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data.pictures import middle
from linprobe.data.sight import see
from linprobe.errors import DataError, UnsafeFileError
from makers import complaint, picture, pictures, png  # pyright: ignore[reportMissingImports]


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width, height, mode="RGB", seed=0):
    """Random pixels of any mode, smooth here and there, so that a resize has something to round."""
    rng = np.random.default_rng(seed)
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze(2) if channels == 1 else values, mode if mode != "P" else None)


# The twin in plain loops.


def triangle(size, new):
    """For each new pixel the first old one and the whole-numbered weights, as `linprobe.data.sight` tells."""
    scale = size / new
    support = max(scale, 1.0)
    places = []
    for place in range(new):
        centre = (place + 0.5) * scale
        first = max(0, int(centre - support + 0.5))
        last = min(size, int(centre + support + 0.5))
        weights = [max(0.0, 1 - abs((x - centre + 0.5) * (1 / support))) for x in range(first, last)]
        total = sum(weights)
        places.append((first, [int(0.5 + weight / total * 2**22) for weight in weights]))
    return places


def resize_loops(pixels, width, height):
    """pixels[y][x][channel], whole numbers -> the same of another size: rows first, then columns, rounded each time."""

    def along(row, places):
        return [
            [
                min(255, (sum(w * row[first + i][c] for i, w in enumerate(weights)) + 2**21) >> 22)
                for c in range(len(row[0]))
            ]
            for first, weights in places
        ]

    if len(pixels[0]) != width:
        places = triangle(len(pixels[0]), width)
        pixels = [along(row, places) for row in pixels]
    if len(pixels) != height:
        places = triangle(len(pixels), height)
        columns = [along(column, places) for column in zip(*pixels, strict=True)]
        pixels = [list(row) for row in zip(*columns, strict=True)]
    return pixels


def on_white(value, alpha):
    return math.floor((value * alpha + 255 * (255 - alpha)) / 255 + 0.5)


def see_loops(rgba, shape, white):
    height, width, channels = shape
    pixels = [[[on_white(int(v), int(p[3])) for v in p[:3]] for p in row] for row in rgba]
    if channels == 1:
        pixels = [[[(19595 * r + 38470 * g + 7471 * b + 32768) >> 16] for r, g, b in row] for row in pixels]
    high, wide = len(pixels), len(pixels[0])
    if wide / high > width / height:
        new = max(1, math.floor(high * width / height + 0.5))
        left = (wide - new) // 2
        pixels = [row[left : left + new] for row in pixels]
    else:
        new = max(1, math.floor(wide * height / width + 0.5))
        top = (high - new) // 2
        pixels = pixels[top : top + new]
    return np.array(resize_loops(pixels, width, height), dtype=float) * white / 255


SIDES = st.integers(1, 24)


@examples(60)
@given(
    SIDES, SIDES, SIDES, SIDES, st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.sampled_from([1, 3]), st.integers(0, 99)
)
@example(1, 1, 5, 3, "RGB", 1, 0)
@example(24, 1, 1, 24, "RGBA", 3, 0)
@example(7, 7, 7, 7, "LA", 3, 0)
@example(2, 6, 1, 3, "L", 1, 1)  # Pillow alone would begin with the columns
def test_a_picture_is_seen_as_the_loops_see_it(width, height, to_width, to_height, mode, channels, seed):
    image = noise(width, height, mode, seed)
    shape = (to_height, to_width, channels)
    found = see(encoded(image), shape, 16.0, "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, see_loops(np.asarray(image.convert("RGBA")), shape, 16.0))


def test_a_photograph_is_resized_as_pillow_does():
    image = noise(321, 240)
    box = ImageOps.fit(image, (240, 240), centering=(0.5, 0.5)).size
    assert box == (240, 240)
    expected = image.crop((40, 0, 280, 240)).resize((32, 240), Image.Resampling.BILINEAR)
    expected = expected.resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(see(encoded(image), (32, 32, 3), 255.0, "x"), np.asarray(expected))


@given(*[st.integers(1, 10**4)] * 4)
@example(3, 2, 1, 1)
@example(1, 10**4, 10**4, 1)
def test_the_cut_is_in_the_picture_about_its_middle_and_as_large_as_it_can_be(width, height, to_width, to_height):
    left, top, right, bottom = middle(width, height, to_width, to_height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == width or bottom - top == height
    assert (width - right) - left in (0, 1)
    assert (height - bottom) - top in (0, 1)
    # The nearest whole number to the exact side, which is below 1 only where nothing else is left.
    assert abs((right - left) - min(width, height * to_width / to_height)) <= 0.5 or right - left == 1
    assert abs((bottom - top) - min(height, width * to_height / to_width)) <= 0.5 or bottom - top == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_the_right_size_is_taken_as_it_is(channels):
    values = pictures(1, 6, 5, channels)[0].reshape(6, 5, channels)
    found = see(picture(values.squeeze()), (6, 5, channels), 255.0, "x")
    np.testing.assert_array_equal(found, values)


def test_the_digits_come_back_in_their_own_units_and_inverted():
    levels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
    found = see(picture(levels), (4, 4, 1), 16.0, "x")
    np.testing.assert_allclose(found[..., 0], levels / 255 * 16, rtol=1e-15)
    np.testing.assert_array_equal(see(picture(levels), (4, 4, 1), 16.0, "x", invert=True), 16 - found)
    assert found.max() == 16


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(10))
def test_orientation_is_applied_as_pillow_does(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(noise(9, 5), kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))
    assert (expected.shape == (9, 5, 3)) == (orientation in range(5, 9))
    np.testing.assert_array_equal(see(file, expected.shape, 255.0, "x"), expected)


def test_metadata_that_a_browser_does_not_ask_turns_nothing():
    turned = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + turned
    rows = b"".join(b"\0" + bytes(range(9 * y, 9 * y + 9)) for y in range(2))
    plain = png(rows, 3, 2, 8, 2)
    found = see(png(rows, 3, 2, 8, 2, (b"iTXt", body), (b"gAMA", struct.pack(">I", 100_000))), (2, 3, 3), 255.0, "x")
    np.testing.assert_array_equal(found, see(plain, (2, 3, 3), 255.0, "x"))


@pytest.mark.parametrize(
    "exif", [b"", b"no TIFF", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0"]
)
def test_a_damaged_block_of_metadata_leaves_the_picture(exif):
    rows = b"".join(b"\0" + bytes(range(9 * y, 9 * y + 9)) for y in range(2))
    found = see(png(rows, 3, 2, 8, 2, (b"eXIf", exif)), (2, 3, 3), 255.0, "x")
    np.testing.assert_array_equal(found, see(png(rows, 3, 2, 8, 2), (2, 3, 3), 255.0, "x"))


def test_of_sixteen_bits_the_upper_eight_count():
    samples = np.array([0x0000, 0x00FF, 0x0100, 0x80FF, 0xFF00, 0xFFFF], ">u2")
    found = see(png(b"\0" + samples.tobytes(), 2, 1, 16, 2), (1, 2, 3), 255.0, "x")
    np.testing.assert_array_equal(found.ravel(), [0, 0, 1, 128, 255, 255])


@pytest.mark.parametrize(
    ("kind", "depth", "key", "rows", "expected"),
    [
        (0, 8, [70], bytes([0, 70, 71, 255]), [255, 71, 255]),
        (0, 1, [0], bytes([0, 0b01000000]), [255, 255, 255]),
        (2, 8, [1, 2, 3], bytes([0, 1, 2, 3, 1, 2, 4, 9, 9, 9]), [255] * 3 + [1, 2, 4, 9, 9, 9]),
    ],
)
def test_a_transparent_colour_is_white(kind, depth, key, rows, expected):
    file = png(rows, 3, 1, depth, kind, (b"tRNS", np.array(key, ">u2").tobytes()))
    np.testing.assert_array_equal(see(file, (1, 3, 1 if kind == 0 else 3), 255.0, "x").ravel(), expected)


REFUSED = {
    "CMYK": (encoded(Image.new("CMYK", (4, 4)), "JPEG"), "has CMYK colours, grey or RGB is expected; convert it"),
    "16 bits of grey": (png(bytes(9), 2, 2, 16, 0), "has 16 bits a pixel, 8 are expected; convert it"),
    "GIF": (picture(pictures(1)[0], "GIF"), "is not a PNG, JPEG or WebP image; convert it"),
    "words": (b"not a picture", "is not a PNG, JPEG or WebP image; convert it"),
    "half a PNG": (picture(pictures(1)[0])[:-30], "is a damaged picture"),
    "half a JPEG": (picture(pictures(1)[0], "JPEG")[:-40], "is a damaged picture"),
    "half a WebP": (picture(pictures(1)[0], "WEBP")[:-40], "is a damaged picture"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_said_in_one_line(case):
    file, finding = REFUSED[case]
    with pytest.raises(DataError, match=finding) as caught:
        see(file, (6, 5, 3), 255.0, "a.png")
    assert str(caught.value).startswith("a.png: ")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with pytest.raises(UnsafeFileError, match="announces 5,000 x 4,000 pixels, 1 to 16,777,216 are decoded"):
        see(png(b"", 5_000, 4_000, 8, 2), (6, 5, 3), 255.0, "x")
    with pytest.raises(UnsafeFileError, match="announces far more than the 16,777,216 pixels"):
        see(png(b"", 30_000, 30_000, 8, 2), (6, 5, 3), 255.0, "x")
    small = bytearray(encoded(noise(4, 4), "WEBP", save_all=True, append_images=[noise(4, 4, seed=1)]))
    assert small[12:16] == b"VP8X"
    small[24:30] = 2 * (4_999).to_bytes(3, "little")  # the size of the canvas
    with pytest.raises(UnsafeFileError, match="announces 5,000 x 5,000 pixels, 1 to 16,777,216 are decoded"):
        see(bytes(small), (6, 5, 3), 255.0, "x")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_bytes_are_pictures_or_data_errors(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(noise(12, 10), kind, exif=exif)
    rng = np.random.default_rng(3)
    for _ in range(300):
        broken = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for position in rng.integers(0, len(broken), rng.integers(0, 4)):
            broken[position] = rng.integers(256)
        assert "\n" not in complaint(lambda file=bytes(broken): see(file, (8, 8, 3), 255.0, "x"))
