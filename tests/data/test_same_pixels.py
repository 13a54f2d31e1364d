"""Training and prediction see the same pixels of a picture, or refuse it in the same words: all modes and formats."""

import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.data.sight import see
from linprobe.errors import DataError
from makers import png, read_parquet, write_parquet  # pyright: ignore[reportMissingImports]

pytest.importorskip("pyarrow")

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I", "F")
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}}
FORMATS = {**LOSSLESS, "JPEG": {"quality": 90}, "GIF": {}, "TIFF": {}, "BMP": {}}


def scene(mode, width, height, seed=0):
    """Random pixels of any mode; a third of them transparent, a third in part, where the mode has that."""
    rng = np.random.default_rng(seed)
    bands = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    bands[..., 3] = rng.choice([0, 90, 255], (height, width))
    image = Image.fromarray(bands, "RGBA")
    if mode in ("LA", "PA"):
        return Image.merge("LA", (image.convert("L"), image.getchannel("A"))).convert(mode)
    if mode == "CMYK":
        return Image.fromarray(bands, "CMYK")
    if mode == "LAB":
        return Image.fromarray(np.ascontiguousarray(bands[..., :3]), "LAB")
    if mode == "I;16":
        return Image.fromarray(bands[..., 0].astype(np.uint16) * 257)
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def encoded(image, kind, orientation=None, **options):
    if orientation is not None and kind in ("PNG", "JPEG", "WEBP"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, kind, **FORMATS[kind], **options)
    return buffer.getvalue()


def can_be_written(mode, kind):
    try:
        encoded(scene(mode, 7, 5), kind)
    except (OSError, KeyError, ValueError):
        return False
    return True


WRITTEN = [(mode, kind) for mode in MODES for kind in FORMATS if can_be_written(mode, kind)]


def seen_in_training(folder, content):
    """The pixels of the first row of a data set, and what is said where there are none."""
    path = write_parquet(folder / "x.parquet", [content, content], [0, 1])
    try:
        return read_parquet(path).train.X[0], None
    except DataError as error:
        return None, str(error).removeprefix(f"{path}: row 0: ")


def seen_in_prediction(content, shape):
    try:
        return see(content, shape, 255.0, "x"), None
    except DataError as error:
        return None, str(error).removeprefix("x: ")


def read(folder, content):
    seen = seen_by_both(folder, content)
    assert seen is not None
    return seen


def seen_by_both(folder, content):
    """The pixels; None where the picture is refused."""
    trained, reason = seen_in_training(folder, content)
    shape = (5, 7, 3) if trained is None else trained.shape
    predicted, same_reason = seen_in_prediction(content, shape)
    assert reason == same_reason
    if trained is not None:
        np.testing.assert_array_equal(trained, predicted)
    return trained


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("mode", "kind"), WRITTEN)
def test_every_mode_in_every_format(tmp_path, mode, kind):
    for orientation in (None, *range(1, 9)):
        content = encoded(scene(mode, 7, 5), kind, orientation)
        stored = Image.open(io.BytesIO(content))
        if stored.format not in ("PNG", "JPEG", "WEBP") or stored.mode in ("CMYK", "I;16", "I"):
            assert seen_by_both(tmp_path, content) is None
            continue
        seen = read(tmp_path, content)
        # Against Pillow's own turn, and in float64, which rounds no other way here: 255 is odd.
        rgba = np.asarray(ImageOps.exif_transpose(stored).convert("RGBA")).astype(float)
        colours, alpha = rgba[..., :3], rgba[..., 3:]
        expected = np.floor((colours * alpha + 255 * (255 - alpha)) / 255 + 0.5)
        np.testing.assert_array_equal(np.broadcast_to(seen, expected.shape), expected)


@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_sixteen_bits_a_channel(tmp_path, kind):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    samples = np.random.default_rng(kind).integers(0, 2**16, (5, 7, channels)).astype(">u2")
    content = png(b"".join(b"\0" + row.tobytes() for row in samples), 7, 5, 16, kind)
    if kind == 0:
        assert seen_by_both(tmp_path, content) is None
        return
    seen = read(tmp_path, content)
    upper = (samples >> 8).astype(float)
    alpha = upper[..., -1:] if kind in (4, 6) else 255
    colours = upper[..., :3] if channels >= 3 else upper[..., :1]
    expected = np.floor((colours * alpha + 255 * (255 - alpha)) / 255 + 0.5)
    np.testing.assert_array_equal(seen, np.broadcast_to(expected, seen.shape))


@examples(40)
@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]),
    kind=st.sampled_from(sorted(LOSSLESS)),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
    orientation=st.sampled_from([None, *range(10)]),
    clear=st.sampled_from([None, 0, 3, 255]),
    seed=st.integers(0, 99),
)
@example("P", "PNG", 9, 4, 6, 3, 0)
@example("RGBA", "WEBP", 9, 4, 5, None, 0)
def test_any_size_turn_and_transparent_colour(tmp_path_factory, mode, kind, width, height, orientation, clear, seed):
    options = {}
    if kind == "PNG" and clear is not None and mode in ("1", "L", "P", "RGB"):
        options["transparency"] = (clear,) * 3 if mode == "RGB" else clear
    content = encoded(scene(mode, width, height, seed), kind, orientation, **options)
    seen = read(tmp_path_factory.mktemp("any"), content)
    assert seen.shape[:2] == ((width, height) if orientation in range(5, 9) else (height, width))


def test_of_several_pictures_in_a_file_the_first_is_seen(tmp_path):
    first, second = (Image.new("RGB", (7, 5), colour) for colour in ("red", "blue"))
    for kind, options in {"PNG": {}, "WEBP": {"lossless": True}, "MPO": {}}.items():
        buffer = io.BytesIO()
        first.save(buffer, kind, save_all=True, append_images=[second], **options)
        seen = read(tmp_path, buffer.getvalue())
        assert getattr(Image.open(buffer), "n_frames", 1) == 2
        np.testing.assert_allclose(seen, np.asarray(first), atol=3)


def test_a_turned_picture_among_others_has_the_size_that_is_seen(tmp_path):
    upright = scene("RGB", 5, 7)
    contents = [encoded(upright, "PNG"), encoded(upright.transpose(Image.Transpose.ROTATE_90), "PNG", 6)]
    X = read_parquet(write_parquet(tmp_path / "x.parquet", contents, [0, 1])).train.X
    assert X.shape == (2, 7, 5, 3)
    np.testing.assert_array_equal(X[0], X[1])


def test_an_orientation_that_stands_behind_the_pixels_counts(tmp_path):
    stored = scene("RGB", 7, 5)
    content = encoded(stored, "PNG", 6)
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    behind = content[:start] + content[end:-12] + content[start:end] + content[-12:]
    np.testing.assert_array_equal(read(tmp_path, behind), np.asarray(stored.transpose(Image.Transpose.ROTATE_270)))
