import numpy as np
import pytest

from linprobe.report.heatmap import cells, colours, hatching, readable_on
from linprobe.report.style import ORDERED_MAP, SHARE_MAP

GREY = np.array([0.299, 0.587, 0.114])
# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DICHROMATS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: np.ndarray) -> np.ndarray:
    parts = colour / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("name", [ORDERED_MAP, SHARE_MAP])
def test_more_is_always_lighter_or_always_darker_in_grey_and_to_the_colour_blind(name):
    shades = colours(np.linspace(0, 1, 17), name)
    for lightness in [shades @ GREY, *(linear(shades) @ np.array(m).T @ GREY for m in DICHROMATS.values())]:
        steps = np.diff(lightness)
        assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("name", [ORDERED_MAP, SHARE_MAP])
def test_numbers_are_readable_on_every_colour(name):
    for shade in colours(np.linspace(0, 1, 101), name):
        ground = float(linear(shade) @ (0.2126, 0.7152, 0.0722))
        text = 1.0 if readable_on(shade) == "#ffffff" else 0.0
        light, dark = max(text, ground), min(text, ground)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_cells_have_their_colour_a_white_line_and_hatching_where_there_is_no_value():
    shades = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]]], dtype=np.uint8)
    hatched = np.array([[False, False], [True, False]])
    pixels = cells(shades, hatched, 14, 12)
    assert pixels.shape == (24, 28, 3)
    assert (pixels[11] == 255).all()
    assert (pixels[:, 13] == 255).all()
    assert (pixels[:11, :13] == shades[0, 0]).all()
    assert (pixels[12:23, 14:27] == shades[1, 1]).all()
    np.testing.assert_array_equal(pixels[12:23, :13], hatching(24, 28)[12:23, :13])
    assert np.unique(pixels[12:23, :13]).size > 2


def test_tiny_cells_have_no_lines():
    shades = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(
        cells(shades, np.zeros((2, 2), bool), 3, 3), np.kron(shades, np.ones((3, 3, 1), np.uint8))
    )
