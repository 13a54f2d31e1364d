import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, recall_score

from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.errors import UsageError
from linprobe.report.confusion import confusion_sheet, draw_confusion


def counts_of(classes: int, examples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(classes, 0.1), classes) * 0.3 + 0.7 * np.eye(classes)
    return np.array([rng.multinomial(examples, row / row.sum()) for row in share])


def words(sheet) -> list[str]:
    return [text.get_text() for text in sheet.figure.texts]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("classes", "examples", "numbered"),
    [
        *[(1, 3, True), (2, 100_000, True), (3, 5, True), (10, 1000, True), (30, 90, True)],
        *[(47, 100, False), (100, 100, False), (101, 10, False), (400, 5, False)],
    ],
)
def test_nothing_overlaps_and_counts_are_there_or_said_to_be_missing(classes, examples, numbered, check_layout):
    names = [f"class {k}" if k % 3 else f"a rather long name of class {k}" for k in range(classes)]
    counts = counts_of(classes, examples)
    if classes > 2:
        counts[1] = 0
    sheet = confusion_sheet(counts, names, title="Confusion on test")
    check_layout(sheet)
    shown = words(sheet)
    assert any("Too many classes" in line for line in shown) != numbered
    if numbered:
        assert all(str(count) in shown for count in counts[counts.any(axis=1)].flat)
    if classes <= 100:
        assert all(shown.count(f"class {k}") == 2 for k in range(classes) if k % 3)  # beside the row, below the column
    assert max(sheet.width, sheet.height) < 2200


@examples(12)
@given(st.lists(st.text(max_size=40), min_size=2, max_size=25), st.integers(1, 10**9))
def test_nothing_overlaps_whatever_the_names(check_layout, names, examples):
    check_layout(confusion_sheet(counts_of(len(names), examples), names, title="t"))


def test_recall_and_accuracy_are_those_of_scikit_learn():
    y = load_digits(return_X_y=True)[1]
    rng = np.random.default_rng(0)
    guess = np.where(rng.random(len(y)) < 0.7, y, rng.integers(0, 10, len(y)))
    sheet = confusion_sheet(confusion_matrix(y, guess), [f"digit {k}" for k in range(10)], title="t")
    rows = {text.get_position()[1]: [] for text in sheet.figure.texts}
    for text in sheet.figure.texts:
        rows[text.get_position()[1]].append(text.get_text())
    for k in range(10):
        recall = recall_score(y == k, guess == k)
        row = next(row for row in rows.values() if f"digit {k}" in row and len(row) > 2)
        assert f"{recall:.2f}" in row
    assert f"{(y == guess).sum():,} of 1,797 examples right, accuracy {(y == guess).mean():.3f}." in words(sheet)


def test_a_class_without_examples_is_hatched_and_has_no_recall(check_layout):
    counts = np.array([[5, 1, 0], [0, 0, 0], [2, 0, 7]])
    sheet = confusion_sheet(counts, ["a", "b", "c"], title="t")
    check_layout(sheet)
    assert words(sheet).count("–") == 1
    assert "no examples of this class: 1" in words(sheet)
    assert words(sheet).count("0") == 2  # the zeros of the two rows that have examples
    with_all = confusion_sheet(counts + np.eye(3, dtype=int), ["a", "b", "c"], title="t")
    assert not any("no examples" in line for line in words(with_all))


def test_no_examples_at_all(check_layout):
    sheet = confusion_sheet(np.zeros((3, 3), int), ["a", "b", "c"], title="t")
    check_layout(sheet)
    assert "No examples." in words(sheet)


def test_hostile_names_are_shown_literally(check_layout):
    names = ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "猫", "\U0001f408 cat", "line\nbreak"]
    sheet = confusion_sheet(counts_of(7, 50), names, title="$\\alpha$ 猫")
    check_layout(sheet)
    shown = ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "class 4", "□ cat", "line break"]
    assert all(words(sheet).count(name) == 2 for name in shown)
    assert "$\\alpha$ □" in words(sheet)


@pytest.mark.parametrize(
    ("counts", "finding"),
    [
        (np.zeros((3, 3), int), r"shape \(3, 3\); give \(2, 2\)"),
        (np.zeros((2, 3), int), r"shape \(2, 3\)"),
        (np.full((2, 2), 0.5), "not whole numbers"),
        (np.array([[1, -1], [0, 2]]), "not whole numbers"),
    ],
)
def test_what_are_no_counts_is_refused_and_nothing_is_written(counts, finding, tmp_path):
    with pytest.raises(UsageError, match=finding):
        draw_confusion(tmp_path / "confusion.png", counts, ["a", "b"], title="t")
    assert list(tmp_path.iterdir()) == []


def test_no_classes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="one class at least"):
        draw_confusion(tmp_path / "confusion.png", np.zeros((0, 0), int), [], title="t")
