"""What the tests of pictures share: is every word on the paper, and does none lie on another."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from linprobe.report.pictures import Figure, drawn
from linprobe.report.pictures.paper import pixels


def words_of(paper) -> list[Any]:
    """The texts that are seen, but for the numbers in cells."""
    found = [*paper.texts]
    for axes in paper.axes:
        found += [text for text in axes.texts if text.get_in_layout() or not axes.axison]
        found += [axes.title, axes._left_title, axes._right_title]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                found += [axis.label, *axis.get_ticklabels()] if axis.get_visible() else []
        if axes.get_legend() is not None:
            found += axes.get_legend().get_texts()
    return [text for text in found if text.get_visible() and text.get_text()]


@pytest.fixture(scope="session")
def laid_out() -> Callable[[Figure], Any]:
    return _laid_out


def _laid_out(figure: Figure) -> Any:
    """A figure drawn, after a look at all of its words."""
    paper: Any = drawn(figure)
    height, width = pixels(paper).shape[:2]
    assert (width, height) == tuple(paper.bbox.size.astype(int))
    assert max(width, height) < 2500
    texts = words_of(paper)
    boxes = np.array([text.get_window_extent().extents for text in texts]).reshape(-1, 4)
    words = [text.get_text() for text in texts]
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2] > width) | (boxes[:, 3] > height)
    assert not outside.any(), [words[k] for k in np.flatnonzero(outside)]
    for k, box in enumerate(boxes):
        hit = _overlap(box, boxes[k + 1 :])
        assert not hit.any(), (words[k], [words[k + 1 + other] for other in np.flatnonzero(hit)])
    # Beside all plots, maps and tiles, and a number in a cell within its own.
    for axes in paper.axes:
        areas = [image.get_window_extent().extents for image in axes.images] if not axes.axison else [axes.bbox.extents]
        for area in areas:
            across = _overlap(np.array(area), boxes)
            assert not across.any(), [words[k] for k in np.flatnonzero(across)]
        for number in axes.texts:
            if axes.axison and not number.get_in_layout():
                box = axes.transData.inverted().transform(number.get_window_extent().get_points())
                assert (np.abs(box - np.round(number.get_position())) <= 0.5).all(), number.get_text()
    return paper


def _overlap(box: np.ndarray, others: np.ndarray) -> Any:
    """Whether boxes (left, bottom, right, top) share more than half a pixel in both directions."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return np.all(shared > 0.5, axis=1)
