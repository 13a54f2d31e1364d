import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.errors import UsageError
from linprobe.report.templates import draw_templates, scale_templates, templates_sheet


def words(sheet) -> list[str]:
    return [text.get_text() for text in sheet.figure.texts]


def scaled_with_loops(weights: np.ndarray) -> np.ndarray:
    low = high = float(weights[0, 0, 0, 0])
    for place in np.ndindex(weights.shape):
        low, high = min(low, float(weights[place])), max(high, float(weights[place]))
    scaled = np.empty(weights.shape, np.uint8)
    for place in np.ndindex(weights.shape):
        scaled[place] = round(255.0 * ((float(weights[place]) - low) / (high - low)))
    return scaled


@given(
    arrays.arrays(
        np.float32, st.tuples(*[st.integers(1, 4)] * 4), elements=st.floats(-1e6, 1e6, width=32), unique=True
    ).filter(lambda weights: weights.size > 1)
)
def test_templates_are_scaled_as_in_plain_loops(weights):
    scaled = scale_templates(weights)
    assert scaled.dtype == np.uint8
    np.testing.assert_array_equal(scaled, scaled_with_loops(weights))
    assert (scaled.min(), scaled.max()) == (0, 255)


def test_the_scale_is_the_same_for_all_classes():
    weights = np.zeros((2, 1, 3, 1))
    weights[0, 0, :, 0] = [-1, 0, 1]
    weights[1, 0, :, 0] = [0, 0, 3]
    assert scale_templates(weights)[..., 0].tolist() == [[[0, 64, 128]], [[64, 64, 255]]]


def test_extreme_and_equal_weights():
    assert (scale_templates(np.full((2, 3, 3, 1), 7.0)) == 128).all()
    assert scale_templates(np.array([-1.7e308, 0, 1.7e308]).reshape(1, 1, 3, 1)).ravel().tolist() == [0, 128, 255]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("count", "height", "width", "channels"),
    [
        *[(10, 32, 32, 3), (10, 8, 8, 1), (2, 28, 28, 1), (1, 1, 1, 1), (3, 5, 9, 3), (100, 32, 32, 3)],
        *[(7, 300, 200, 3), (17, 96, 96, 3), (37, 2, 40, 1)],
    ],
)
def test_each_weight_is_a_square_of_one_colour_in_the_file(count, height, width, channels, check_layout, tmp_path):
    weights = np.random.default_rng(0).normal(size=(count, height, width, channels)).astype(np.float32)
    names = [f"class {k}" for k in range(count)]
    sheet = templates_sheet(weights, names, title="Templates of the best head, softmax on something")
    check_layout(sheet)
    assert [name for name in words(sheet) if name.startswith("class ")] == names
    assert max(sheet.width, sheet.height) < 1700 or height > 200

    draw_templates(tmp_path / "templates.png", weights, names, title="Templates of the best head, softmax on something")
    with Image.open(tmp_path / "templates.png") as image:
        page = np.asarray(image)
    pixels = scale_templates(weights)
    assert len(sheet.figure.images) == count
    for k, tile in enumerate(sheet.figure.images):
        zoom = tile.get_size()[0] // height
        assert tile.get_size() == (height * zoom, width * zoom)
        top, left = sheet.height - tile.oy - height * zoom, tile.ox
        drawn = page[top : top + height * zoom, left : left + width * zoom]
        blocks = drawn.reshape(height, zoom, width, zoom, 3)
        assert (blocks == blocks[:, :1, :, :1]).all()
        assert (blocks[:, 0, :, 0] == pixels[k]).all()  # one channel against three: all three are equal


def test_the_name_stands_above_its_template():
    sheet = templates_sheet(np.random.default_rng(0).normal(size=(10, 8, 8, 1)), list("abcdefghij"), title="t")
    for name, tile in zip("abcdefghij", sheet.figure.images, strict=True):
        box = next(text for text in sheet.figure.texts if text.get_text() == name).get_window_extent()
        assert box.x0 == pytest.approx(tile.ox, abs=2)
        assert 0 < box.y0 - (tile.oy + tile.get_size()[0]) < 12


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_other_numbers_of_channels_are_drawn_as_their_mean_and_it_says_so(channels):
    weights = np.random.default_rng(0).normal(size=(2, 4, 4, channels))
    sheet = templates_sheet(weights, ["a", "b"], title="t")
    assert any(f"mean over {channels} channels" in line for line in words(sheet))
    mean = templates_sheet(weights.mean(axis=3, keepdims=True), ["a", "b"], title="t")
    below = sheet.height - sheet.figure.images[0].oy - sheet.figure.images[0].get_size()[0]
    np.testing.assert_array_equal(sheet.pixels()[below:], mean.pixels()[below:])


@examples(12)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=12), st.text(max_size=300))
def test_nothing_overlaps_whatever_the_names(check_layout, names, title):
    check_layout(templates_sheet(np.zeros((len(names), 4, 4, 1)), names, title=title))


def test_hostile_names_are_shown_literally():
    names = ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "猫", "\U0001f408 cat"]
    shown = words(templates_sheet(np.zeros((6, 4, 4, 3)), names, title="t"))
    assert shown[-6:] == ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "class 4", "□ cat"]


@pytest.mark.parametrize(
    ("weights", "finding"),
    [
        (np.zeros((2, 4, 4)), r"shape \(2, 4, 4\)"),
        (np.zeros((0, 4, 4, 1)), r"shape \(0, 4, 4, 1\)"),
        (np.zeros((2, 4, 4, 0)), r"shape \(2, 4, 4, 0\)"),
        (np.full((2, 4, 4, 1), np.nan), "not finite"),
        (np.full((2, 4, 4, 5), np.inf), "not finite"),
        (np.zeros((3, 4, 4, 1)), "3 templates for 2 classes"),
    ],
)
def test_what_are_no_templates_is_refused_and_nothing_is_written(weights, finding, tmp_path):
    with pytest.raises(UsageError, match=finding):
        draw_templates(tmp_path / "templates.png", weights, ["a", "b"], title="t")
    assert list(tmp_path.iterdir()) == []
