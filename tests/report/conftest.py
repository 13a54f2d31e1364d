"""What the tests of pictures share: is everything on the page, and does nothing lie on anything else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from linprobe.report.sheet import Sheet


@pytest.fixture(scope="session")
def check_layout() -> Callable[[Sheet], None]:
    return _check_layout


def _check_layout(sheet: Sheet) -> None:
    assert sheet.pixels().shape == (sheet.height, sheet.width, 3)
    texts = sheet.figure.texts
    boxes = np.array([text.get_window_extent().extents for text in texts]).reshape(-1, 4)
    words = [text.get_text() for text in texts]
    assert all(words)

    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2] > sheet.width) | (boxes[:, 3] > sheet.height)
    assert not outside.any(), [words[k] for k in np.flatnonzero(outside)]

    for k, box in enumerate(boxes):
        hit = _overlap(box, boxes[k + 1 :])
        assert not hit.any(), (words[k], [words[k + 1 + other] for other in np.flatnonzero(hit)])

    # A number in a cell lies inside the map; every other text lies beside all maps, tiles, keys and plots.
    areas = [(i.ox, i.oy, i.ox + i.get_size()[1], i.oy + i.get_size()[0]) for i in sheet.figure.images]
    areas += [axes.get_window_extent().extents for axes in sheet.figure.axes]
    for area in areas:
        inside = (boxes[:, :2] >= area[:2]).all(axis=1) & (boxes[:, 2:] <= area[2:]).all(axis=1)
        across = _overlap(np.array(area), boxes) & ~inside
        assert not across.any(), [words[k] for k in np.flatnonzero(across)]


def _overlap(box: np.ndarray, others: np.ndarray) -> Any:
    """Whether boxes (left, bottom, right, top) share more than half a pixel in both directions."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return np.all(shared > 0.5, axis=1)
