from typing import Any

import numpy as np
import pytest
from PIL import Image

from linprobe.errors import UsageError
from linprobe.report.path import draw_path, path_sheet

REGS = np.geomspace(1e-3, 10, 9)
TRAIN = np.linspace(1.0, 0.6, 9)
VAL = np.array([0.7, 0.72, 0.75, 0.8, 0.82, 0.8, 0.75, 0.7, 0.6])
BAND = np.stack([VAL - 0.05, VAL + 0.05], axis=1)
WORDS = {"title": "digits: accuracy along the path", "caption": "softmax; chosen: λ 0.1."}


def words(sheet):
    return [text.get_text() for text in sheet.figure.texts]


def test_the_curves_the_band_and_the_ring(check_layout):
    sheet = path_sheet(REGS, TRAIN, VAL, BAND, best=4, **WORDS)
    check_layout(sheet)
    (axes,) = sheet.figure.axes
    train, val, ring = (np.array(line.get_data(), float) for line in axes.lines)
    np.testing.assert_allclose(train, [np.log10(REGS), TRAIN])
    np.testing.assert_allclose(val, [np.log10(REGS), VAL])
    np.testing.assert_allclose(ring.ravel(), [np.log10(REGS[4]), 0.82])
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(BAND.min())
    low, high = axes.get_ylim()
    assert low < BAND.min()
    assert high == 1.0  # and not above, where no accuracy can be
    assert {"0.001", "0.01", "0.1", "1", "10", "train", "chosen", "reg λ (logarithmic scale)"} <= set(words(sheet))


@pytest.mark.parametrize(
    "regs", [np.array([0.3]), np.array([1e-300, 1e300]), np.array([2.0, 2.1]), np.geomspace(1e-8, 1e8, 200)]
)
def test_any_path_can_be_drawn(regs, check_layout, tmp_path):
    flat = np.full(len(regs), 0.5)
    sheet = path_sheet(regs, flat, flat, np.stack([flat, flat], axis=1), best=0, **WORDS)
    check_layout(sheet)
    draw_path(tmp_path / "path.png", regs, flat, flat, np.stack([flat, flat], axis=1), best=0, **WORDS)
    with Image.open(tmp_path / "path.png") as image:
        assert image.size == (sheet.width, sheet.height)


@pytest.mark.parametrize(
    "wrong",
    [{"regs": REGS[::-1]}, {"regs": REGS - 1}, {"regs": REGS[:8]}, {"regs": []}, {"train_accuracy": TRAIN + 1},
     {"val_accuracy": VAL * np.nan}, {"val_interval": BAND[:, :1]}, {"best": 9}, {"best": -1}],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong):
    given: dict[str, Any] = {
        "regs": REGS,
        "train_accuracy": TRAIN,
        "val_accuracy": VAL,
        "val_interval": BAND,
        "best": 4,
    }
    with pytest.raises(UsageError, match=r"path\.png"):
        path_sheet(**(given | wrong | WORDS))
