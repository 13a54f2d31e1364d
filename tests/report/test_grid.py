import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.errors import UsageError
from linprobe.report.grid import draw_grid, grid_sheet
from linprobe.report.heatmap import colours
from linprobe.report.style import ORDERED_MAP


def settings_of(rows: int, columns: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return np.geomspace(1e-7, 1e-1, rows), np.geomspace(1e-5, 5e4, columns), rng.uniform(0.1, 0.95, (rows, columns))


def words(sheet) -> list[str]:
    return [text.get_text() for text in sheet.figure.texts]


def number_of(sheet, label: str) -> list:
    return [text for text in sheet.figure.texts if text.get_text() == label]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("rows", "columns", "numbered"),
    [
        *[(1, 1, True), (2, 1, True), (1, 20, True), (10, 10, True), (3, 20, True), (30, 3, True), (23, 22, True)],
        *[(30, 30, False), (3, 40, False), (90, 2, False), (120, 120, False)],
    ],
)
def test_nothing_overlaps_and_every_number_is_there_or_said_to_be_missing(rows, columns, numbered, check_layout):
    rates, regs, accuracy = settings_of(rows, columns)
    best = (int(accuracy.argmax()) // columns, int(accuracy.argmax()) % columns)
    sheet = grid_sheet(rates, regs, accuracy, best=best, title="Validation accuracy of some settings on some data")
    check_layout(sheet)
    shown = words(sheet)
    assert all(shown.count(f"{number:.3f}") >= 1 for number in accuracy.flat) == numbered
    assert any("Too many settings" in line for line in shown) != numbered
    assert any(line.startswith(f"Best, framed: {accuracy.max():.3f} at learning rate") for line in shown)
    assert max(sheet.width, sheet.height) < 1700


@examples(15)
@given(st.integers(1, 34), st.integers(1, 34), st.floats(0, 1), st.integers(0, 2**32), st.booleans())
def test_nothing_overlaps_on_any_grid(check_layout, rows, columns, diverged, seed, linear):
    rates, regs, accuracy = settings_of(rows, columns, seed)
    if linear:
        rates, regs = np.linspace(1e-7, 5e-7, rows), np.linspace(0, 5e4, columns)
    accuracy[np.random.default_rng(seed).random(accuracy.shape) < diverged] = np.nan
    best = None
    if np.isfinite(accuracy).any():
        place = int(np.nanargmax(accuracy))
        best = (place // columns, place % columns)
    check_layout(grid_sheet(rates, regs, accuracy, best=best, title="t"))


def test_the_published_grid(shared, check_layout):
    with (shared / "worksheet" / "reference_grid.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    accuracy = np.array([float(row["val_accuracy"]) for row in rows]).reshape(10, 10)
    rates = [float(row["learning_rate"]) for row in rows[::10]]
    regs = [float(row["reg"]) for row in rows[:10]]
    sheet = grid_sheet(rates, regs, accuracy, best=(9, 1), title="Validation accuracy of 100 settings on cifar10")
    check_layout(sheet)
    shown = words(sheet)
    assert "Best, framed: 0.350 at learning rate 5e-7, λ 2.78e4." in shown
    assert {"1e-7", "1.44e-7", "5e-7", "2.5e4", "4.72e4", "5e4"} <= set(shown)
    assert 800 < sheet.width < 1000


def test_the_lowest_rate_is_at_the_bottom_and_each_number_stands_on_its_colour():
    accuracy = np.array([[0.111, 0.222, 0.333], [0.444, 0.555, 0.666]])
    sheet = grid_sheet([0.1, 0.2], [1, 2, 3], accuracy, best=None, title="t")
    page = sheet.pixels()
    shades = colours((accuracy - 0.111) / 0.555, ORDERED_MAP)
    for (i, j), number in np.ndenumerate(accuracy):
        box = number_of(sheet, f"{number:.3f}")[0].get_window_extent()
        beside = page[round(sheet.height - box.y0), round(box.x0) - 4]
        np.testing.assert_array_equal(beside, shades[i, j])
        row = number_of(sheet, ["0.1", "0.2"][i])[0].get_window_extent()
        column = number_of(sheet, str(j + 1))[0].get_window_extent()
        assert (row.y0 + row.y1) / 2 == pytest.approx((box.y0 + box.y1) / 2, abs=3)
        assert (column.x0 + column.x1) / 2 == pytest.approx((box.x0 + box.x1) / 2, abs=3)


def test_the_best_is_framed_whatever_its_colour():
    accuracy = np.full((3, 3), 0.5)
    plain = grid_sheet([1, 2, 3], [1, 2, 3], accuracy, best=None, title="t").pixels()
    page = grid_sheet([1, 2, 3], [1, 2, 3], accuracy, best=(2, 0), title="t").pixels()
    changed = np.argwhere((plain != page).any(axis=2))
    changed = changed[changed[:, 0] > 120]  # below the caption, which differs as well
    dark = np.asarray((page < 50).all(axis=2) & ~(plain < 50).all(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert dark[(top + bottom) // 2, left : left + 10].sum() >= 3
    assert dark[(top + bottom) // 2, right - 9 : right + 1].sum() >= 3
    assert dark[top : top + 10, (left + right) // 2].sum() >= 3
    assert dark[bottom - 9 : bottom + 1, (left + right) // 2].sum() >= 3


def test_diverged_settings_are_hatched_and_named(check_layout):
    rates, regs, accuracy = settings_of(4, 4)
    accuracy[3] = np.nan
    sheet = grid_sheet(rates, regs, accuracy, best=(0, 0), title="t")
    check_layout(sheet)
    assert "diverged: 4 of 16 settings" in words(sheet)
    assert not number_of(sheet, "nan")

    status = np.full((4, 4), "max_iter", dtype=object)
    status[3] = ["diverged", "diverged", "skipped", "skipped"]
    status[2, 0] = "diverged"  # its accuracy is finite, and means nothing
    sheet = grid_sheet(rates, regs, accuracy, best=(0, 0), status=status, title="t")
    assert "diverged: 3, skipped: 2 of 16 settings" in words(sheet)
    assert not number_of(sheet, f"{accuracy[2, 0]:.3f}")


def test_a_grid_without_any_accuracy_says_so(check_layout):
    sheet = grid_sheet([1e30], [1, 2], np.full((1, 2), np.nan), best=None, title="t")
    check_layout(sheet)
    assert {"No setting has an accuracy to show.", "diverged: 2 of 2 settings"} <= set(words(sheet))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"accuracy": np.zeros((2, 3))}, r"accuracy has the shape \(2, 3\)"),
        ({"status": np.zeros((3,))}, r"status has the shape \(3,\)"),
        ({"best": (3, 0)}, "outside the grid"),
        ({"best": (0, -1)}, "outside the grid"),
        ({"accuracy": np.full((3, 2), np.nan)}, "has no accuracy"),
        ({"learning_rates": [], "accuracy": np.zeros((0, 2))}, "no settings"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(change, finding, tmp_path):
    given = {"learning_rates": [1, 2, 3], "regs": [1, 2], "accuracy": np.zeros((3, 2)), "best": (0, 0), "title": "t"}
    with pytest.raises(UsageError, match=finding):
        draw_grid(tmp_path / "grid.png", **(given | change))
    assert list(tmp_path.iterdir()) == []
