"""What the pictures draw of the figures, and the files that they become."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalOperand=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalIterable=false, reportOperatorIssue=false, reportAttributeAccessIssue=false

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import words_of  # pyright: ignore[reportMissingImports]
from examples import examples  # pyright: ignore[reportMissingImports]
from linprobe.errors import MissingDependencyError, OutputError
from linprobe.report import draw, figures, scale_templates
from linprobe.report.figures import Confusion, Losses, Map, Templates, TrialPoints
from linprobe.report.pictures.maps import readable_on
from linprobe.report.pictures.paper import colours, pixels
from linprobe.report.style import DPI, MARGIN, ORDERED_MAP, SHARE_MAP
from runs import KINDS, made_up, run_of  # pyright: ignore[reportMissingImports]

HOSTILE = ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "猫", "\U0001f408 cat", "line\nbreak"]
LITERAL = ["$x_1$", "a_b^{c}", "\\frac{1}{2}", "$\\undefined", "class 4", "□ cat", "line break"]


def losses():
    return figures.losses(made_up(grid=(2, 3)))


def grid():
    return figures.grid(made_up(grid=(4, 5)))


def points():
    return figures.grid(made_up(grid=(4, 5), trials=20))


def path():
    return figures.path(made_up(grid=(1, 9)))


def templates():
    return figures.templates(made_up(K=2, shape=(5, 2, 1)))


def confusion():
    return Confusion("d", np.array([[3, 1], [0, 0]]), ["cat", "dog"])


FIGURES = [losses, grid, points, path, templates, confusion]
every_figure = pytest.mark.parametrize("make", FIGURES, ids=lambda make: make.__name__)


def words(paper):
    return [text.get_text() for text in words_of(paper)]


def counts_of(classes, examples, seed=0):
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(classes, 0.1), classes) * 0.3 + 0.7 * np.eye(classes)
    return np.array([rng.multinomial(examples, row / row.sum()) for row in share])


# ---- the file


@every_figure
def test_a_picture_is_a_png_of_150_dpi_that_says_nothing_about_the_machine(make, tmp_path):
    draw(tmp_path / "a.png", make())
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert set(image.info) == {"dpi"}
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert 600 < image.width < 1300
        assert 300 < image.height < 1300
        page = np.asarray(image)
    # There is ink up to the margin, and none beyond; a frame of empty paper would be larger.
    ink = np.argwhere((page < 200).any(axis=2))
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    for edge in (top, left, page.shape[0] - 1 - bottom):
        assert MARGIN - 6 <= edge <= MARGIN + 10
    assert MARGIN - 6 <= page.shape[1] - 1 - right <= (MARGIN + 60 if make is not templates else 1000)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.sampled(2)
@every_figure
def test_same_figure_same_bytes_and_other_peoples_settings_do_not_matter(make, tmp_path):
    draw(tmp_path / "a.png", make())
    first = (tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context():
        matplotlib.style.use(["dark_background", "ggplot"])
        matplotlib.rcParams.update({
            "font.size": 30, "figure.dpi": 40, "savefig.bbox": "tight", "text.usetex": True, "lines.linewidth": 9,
            "image.origin": "lower", "figure.autolayout": True, "savefig.transparent": True, "axes.grid": True,
            "xtick.minor.visible": True, "ytick.minor.visible": True, "legend.fontsize": 30, "xtick.top": True,
            "axes.titlelocation": "right", "axes.xmargin": 0.4, "legend.frameon": True, "lines.marker": "s",
        })  # fmt: skip
        before = dict(matplotlib.rcParams)
        draw(tmp_path / "a.png", make())
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == first


@pytest.mark.slow
def test_pictures_drawn_in_threads_are_the_same_as_one_after_another(tmp_path):
    for make in FIGURES:
        draw(tmp_path / make.__name__, make())
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(draw, tmp_path / f"{make.__name__}{k}", make()) for k in range(4) for make in FIGURES]
        for job in jobs:
            job.result()
    for make in FIGURES:
        alone = (tmp_path / make.__name__).read_bytes()
        assert [(tmp_path / f"{make.__name__}{k}").read_bytes() == alone for k in range(4)] == [True] * 4


@every_figure
def test_a_full_disk_leaves_the_old_picture_and_nothing_else(make, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")

    def full(self, file, **options):
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="no space left"):
        draw(tmp_path / "a.png", make())
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        draw(tmp_path / "missing" / "a.png", confusion())


@every_figure
def test_without_matplotlib_the_message_says_how_to_install_it(make, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"matplotlib is not installed.*pip install './linprobe\[plots\]'"):
        draw(tmp_path / "a.png", make())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_matplotlib_waits_until_a_picture_is_drawn_and_pyplot_for_ever(tmp_path):
    program = """
import sys, numpy
import linprobe.report
from linprobe.report.figures import Confusion
assert "matplotlib" not in sys.modules
linprobe.report.draw(sys.argv[1], Confusion("c", numpy.eye(2, dtype=int), ["a", "b"]))
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program, tmp_path / "a.png"], check=True)


@pytest.mark.sampled(16)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_overlaps_in_any_kind_of_run(kind, laid_out):
    run = run_of(kind)
    made = [make(run) for make in (figures.losses, figures.path, figures.grid, figures.templates, figures.confusion)]
    for figure in made:
        if figure is not None:
            assert figure.title in words(laid_out(figure))[0] or len(figure.title) > 30


def test_a_title_is_broken_and_cut_and_a_hostile_one_is_shown_literally(laid_out):
    paper = laid_out(replace(confusion(), title="validation accuracy of many " * 9 + "w" * 200))
    assert words(paper)[0].startswith("validation accuracy of many")
    assert words(paper)[1].endswith("…")
    assert "$\\alpha$ □" in words(laid_out(replace(confusion(), title="$\\alpha$ 猫")))


# ---- loss curves


def lines(paper):
    return [np.array(line.get_data(), float) for line in paper.axes[0].lines]


def test_every_curve_is_drawn_the_best_named_on_top(laid_out):
    run = made_up(grid=(3, 4))
    figure = figures.losses(run)
    assert isinstance(figure, Losses)
    paper = laid_out(figure)
    (axes,) = paper.axes
    assert axes.get_ylim() == figure.limits
    by_height = sorted(axes.lines, key=lambda line: line.get_zorder())
    kept = [line for line in by_height if len(line.get_xdata()) == len(run.steps)]
    assert len(kept) == 12
    for k, line in zip(reversed(figure.best), kept[-3:], strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.log10(run.curves[:, k].astype(float)))
        np.testing.assert_array_equal(line.get_xdata(), run.steps)
    legend = [text.get_text().split("\n") for text in axes.get_legend().get_texts()]
    assert [entry[0] for entry in legend] == ["chosen", "second", "third", "diverged (6)", "the other 3"]
    for k, entry in zip(figure.best, legend, strict=False):
        assert " ".join(entry[1:-1]) == figure.settings.named(k)
        assert float(entry[-1].removeprefix("last value ")) == pytest.approx(run.curves[-1, k], rel=6e-3)
    assert {"objective (logarithmic scale)", "iteration"} <= set(words(paper))


def test_what_diverged_is_marked_where_it_leaves_the_plot_or_breaks_off(laid_out):
    run = made_up(grid=(1, 12))
    gone = figures.losses(run).lost
    run.curves[:, :] = 2.0
    run.curves[:, gone[0]] = 3.0 ** np.minimum(np.arange(101), 70)
    run.curves[50:, gone[1]] = np.nan
    figure = figures.losses(run)
    assert isinstance(figure, Losses)
    assert figure.limits is not None
    paper = laid_out(figure)
    marks = [line.ravel() for line in lines(paper) if line.shape == (2, 1)]
    np.testing.assert_allclose(marks[:2], [[run.steps[1], figure.limits[1]], [run.steps[49], 2.0]])
    assert len(marks) == len(gone)
    curves = np.concatenate([line[1] for line in lines(paper)])
    assert np.nanmax(curves) <= 2 * figure.limits[1] - figure.limits[0]  # and not 3^70


@examples(25)
@given(
    st.lists(st.lists(st.floats(width=32) | st.floats(0, 1000), min_size=6, max_size=6), min_size=1, max_size=7),
    st.booleans(),
)
def test_any_objectives_can_be_drawn_and_nothing_overlaps(laid_out, values, log):
    run = made_up(grid=(2, 3))
    curves = np.array(values)
    curves = np.abs(curves) + 1e-3 if log else curves
    with np.errstate(over="ignore"):
        laid_out(figures.losses(replace(run, steps=np.arange(len(values)) * 15, curves=curves.astype(np.float32))))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("value", [0.0, 1e-45, -2.0, 2.3, 770.0, 1e-30, 3e38, np.nan])
def test_one_step(value, laid_out):
    run = made_up(grid=(1, 2))
    laid_out(figures.losses(replace(run, steps=np.array([1]), curves=np.full((1, 2), value, np.float32))))


# ---- what was compared


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("rows", "columns", "numbered"),
    [
        *[(2, 2, True), (2, 20, True), (10, 10, True), (3, 18, True), (30, 3, True), (23, 18, True)],
        *[(30, 30, False), (3, 40, False), (90, 2, False), (120, 120, False)],
    ],
)
def test_every_accuracy_is_in_its_cell_or_said_to_be_missing(rows, columns, numbered, laid_out):
    figure = figures.grid(made_up(grid=(rows, columns)))
    assert isinstance(figure, Map)
    paper = laid_out(figure)
    axes = paper.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), figure.accuracy)
    assert axes.get_ylim() == (-0.5, rows - 0.5)  # the lowest rate at the bottom
    assert axes.images[0].origin == "upper"
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    expected = {(x, y): f"{figure.accuracy[y, x]:.3f}" for y, x in np.argwhere(np.isfinite(figure.accuracy))}
    assert shown == (expected if numbered else {})
    assert any("Too many settings" in line for line in words(paper)) != numbered
    y, x = figure.frame
    assert {(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in axes.patches} == {(x, y)}
    # A cell is a number of whole pixels.
    assert axes.bbox.width % columns == pytest.approx(0, abs=1e-6) or axes.bbox.width % columns > columns - 1e-6
    assert any(
        line.startswith(f"Framed: the chosen setting, {np.nanmax(figure.accuracy):.3f}") for line in words(paper)
    )


def test_a_number_stands_on_its_colour_the_chosen_is_framed_and_what_diverged_is_hatched(laid_out):
    figure = figures.grid(made_up(grid=(3, 4)))
    assert isinstance(figure, Map)
    paper = laid_out(figure)
    page, axes = pixels(paper), paper.axes[0]
    low, high = figure.limits
    for (y, x), accuracy in np.ndenumerate(figure.accuracy):
        left, bottom = axes.transData.transform((x - 0.5, y - 0.5))
        right, top = axes.transData.transform((x + 0.5, y + 0.5))
        cell = page[round(len(page) - top) + 8 : round(len(page) - bottom) - 8, round(left) + 8 : round(right) - 8]
        if np.isnan(accuracy):
            assert len(np.unique(cell)) > 3
            assert np.abs(cell.astype(int) - cell[..., :1]).max() <= 2  # grey
        else:
            shade = np.array(colours(ORDERED_MAP)((accuracy - low) / (high - low), bytes=True)[:3])
            np.testing.assert_array_equal(cell[0, 0], shade)
        # The frame is dark between light edges.
        edge = page[round(len(page) - (top + bottom) / 2), round(left) - 5 : round(left) + 6].astype(int)
        assert ((edge < 60).all(axis=1).sum() >= 3 and (edge > 240).all(axis=1).sum() >= 2) == ((y, x) == figure.frame)


def test_retrained_settings_are_dotted(laid_out):
    figure = figures.grid(run_of("screening"))
    assert isinstance(figure, Map)
    paper = laid_out(figure)
    dotted = [patch for patch in paper.axes[0].patches if patch.get_width() < 1]
    places = {(round(patch.get_y() + 0.38), round(patch.get_x() + 0.38)) for patch in dotted}
    assert places == set(figure.marked)
    assert any(line == "Dotted: the 5 retrained on all features." for line in words(paper))


def test_random_trials_are_points_in_their_colours(laid_out):
    figure = figures.grid(made_up(grid=(6, 7), trials=42))
    assert isinstance(figure, TrialPoints)
    paper = laid_out(figure)
    axes, rows = paper.axes[0], figure.settings.rows
    (points,) = axes.collections
    expected = [(np.log10(rows[k].reg), np.log10(rows[k].learning_rate)) for k in figure.trained]
    np.testing.assert_allclose(points.get_offsets(), expected)
    np.testing.assert_array_equal(points.get_array(), [rows[k].val_accuracy for k in figure.trained])
    assert points.get_clim() == figure.limits
    ring, crosses = axes.lines
    np.testing.assert_allclose(np.ravel(ring.get_data()), expected[-1])
    assert len(crosses.get_xdata()) == len(figure.lost) > 0
    assert {"learning rate (logarithmic scale)", "reg (logarithmic scale)", "1e-3"} <= set(words(paper))


def test_a_path_has_its_curves_its_band_and_its_ring(laid_out):
    run = run_of("folds")
    figure = figures.path(run)
    assert figure is not None
    paper = laid_out(figure)
    axes, rows = paper.axes[0], run.numbers.grid.rows
    x = np.log10([row.reg for row in rows])
    val, train, folds, ring = (np.array(line.get_data(), float) for line in axes.lines)
    np.testing.assert_allclose(val, [x, [row.val_accuracy for row in rows]])
    np.testing.assert_allclose(train, [x, [row.train_accuracy for row in rows]])
    np.testing.assert_allclose(folds[1], [accuracy for row in rows for accuracy in row.fold_accuracy or ()])
    best = rows.index(run.numbers.grid.best)
    np.testing.assert_allclose(ring.ravel(), val[:, best])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx(
        (min(low for low, _ in figure.intervals), max(high for _, high in figure.intervals))
    )
    assert axes.get_ylim()[1] <= 1.0  # and not above, where no accuracy can be
    assert {"0.1", "1", "10", "100", "train", "chosen", "each fold", "reg (logarithmic scale)"} <= set(words(paper))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "regs", [[1e-300, 1e300], [2.0, 2.1], [0.0, 1.0, 100.0], np.geomspace(1e-8, 1e8, 200), np.linspace(0, 1e3, 10_000)]
)
def test_any_path_can_be_drawn(regs, laid_out):
    run = made_up(grid=(1, len(regs)))
    grid = run.numbers.grid
    rows = tuple(replace(row, reg=float(reg)) for row, reg in zip(grid.rows, regs, strict=True))
    best = rows[grid.rows.index(grid.best)]
    numbers = replace(run.numbers, grid=replace(grid, rows=rows, best=best))
    laid_out(figures.path(replace(run, numbers=numbers), 1000))


# ---- classes


@pytest.mark.sampled(16)
@pytest.mark.parametrize(
    ("classes", "examples", "numbered"),
    [
        *[(1, 3, True), (2, 100_000, True), (3, 5, True), (10, 1000, True), (30, 90, True)],
        *[(47, 100, False), (100, 100, False), (101, 10, False), (1000, 5, False)],
    ],
)
def test_counts_are_in_their_cells_or_said_to_be_missing(classes, examples, numbered, laid_out):
    names = [f"class {k}" if k % 3 else f"a rather long name of class {k}" for k in range(classes)]
    counts = counts_of(classes, examples)
    if classes > 2:
        counts[1] = 0
    figure = Confusion("Confusion on test", counts, names)
    paper = laid_out(figure)
    axes, recall = paper.axes[0], paper.axes[-1]
    expected = np.where(figure.absent[:, None], np.nan, np.sqrt(figure.share))
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), expected)
    shown = {text.get_position(): text.get_text() for text in axes.texts if not text.get_in_layout()}
    assert shown == (
        {(x, y): str(counts[y, x]) for y in range(classes) if counts[y].any() for x in range(classes)}
        if numbered
        else {}
    )
    assert any("Too many classes" in line for line in words(paper)) != numbered
    ticks = [
        (round(tick), text.get_text()) for tick, text in zip(recall.get_yticks(), recall.get_yticklabels(), strict=True)
    ]
    assert all(text == (f"{figure.share[k, k]:.2f}" if counts[k].any() else "–") for k, text in ticks)
    assert axes.get_ylim() == recall.get_ylim() == (classes - 0.5, -0.5)
    if classes <= 100:
        assert len(ticks) == len(axes.get_xticks()) == classes
        assert all(words(paper).count(f"class {k}") == 2 for k in range(classes) if k % 3)
    if classes > 2:
        assert "Hatched: no examples of 1 class." in words(paper)


@examples(12)
@given(st.lists(st.text(max_size=40), min_size=2, max_size=25), st.integers(1, 10**9))
def test_nothing_overlaps_whatever_the_names(laid_out, names, examples):
    laid_out(Confusion("t", counts_of(len(names), examples), names))


def test_no_examples_at_all(laid_out):
    assert "No examples." in words(laid_out(Confusion("t", np.zeros((3, 3), int), ["a", "b", "c"])))


def test_hostile_names_are_shown_literally(laid_out):
    shown = words(laid_out(Confusion("t", counts_of(7, 50), HOSTILE)))
    assert all(shown.count(name) == 2 for name in LITERAL)
    weights = np.zeros((7, 4, 4, 3))
    shown = words(laid_out(Templates("t", scale_templates(weights), HOSTILE, (0, 0), 3)))
    assert shown[-7:] == LITERAL


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("count", "height", "width", "channels"),
    [
        *[(10, 32, 32, 3), (10, 8, 8, 1), (2, 28, 28, 1), (1, 1, 1, 1), (3, 5, 9, 3), (100, 32, 32, 3)],
        *[(7, 300, 200, 3), (17, 96, 96, 3), (37, 2, 40, 1)],
    ],
)
def test_each_weight_is_a_square_of_one_colour_in_the_file(count, height, width, channels, laid_out, tmp_path):
    run = made_up(shape=(height, width, channels), classes=[f"class {k}" for k in range(count)])
    figure = figures.templates(run)
    assert figure is not None
    paper = laid_out(figure)
    names = [text for text in words_of(paper) if text.get_text() in figure.classes]
    assert [name.get_text() for name in names[-count:]] == list(figure.classes)
    draw(tmp_path / "templates.png", figure)
    with Image.open(tmp_path / "templates.png") as image:
        page = np.asarray(image)
    tiles = paper.axes[0].images
    assert len(tiles) == count
    for k, (tile, name) in enumerate(zip(tiles, names[-count:], strict=True)):
        box = tile.get_window_extent()
        zoom = round(box.height / height)
        top, left = round(len(page) - box.y1), round(box.x0)
        shown = page[top : top + height * zoom, left : left + width * zoom]
        blocks = shown.reshape(height, zoom, width, zoom, 3)
        assert (blocks == blocks[:, :1, :, :1]).all()
        assert (blocks[:, 0, :, 0] == figure.pixels[k]).all()  # one channel against three: all three are equal
        assert name.get_window_extent().x0 == pytest.approx(box.x0, abs=2)
        assert 0 < name.get_window_extent().y0 - box.y1 < 12


@examples(12)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=12), st.text(max_size=300))
def test_no_names_of_templates_overlap(laid_out, names, title):
    laid_out(Templates(title, np.zeros((len(names), 4, 4, 1), np.uint8), names, (0, 0), 1))


@pytest.mark.parametrize(
    ("channels", "limits", "says"),
    [
        (1, (-1, 2), "one scale for all classes: −1 black, 2 white."),
        (3, (-1, 2), "one scale for all classes and channels: −1 is 0, 2 is 255."),
        (4, (-1, 2), "mean over 4 channels, one scale"),
        (1, (3, 3), "all of them are 3."),
    ],
)
def test_the_caption_says_what_black_and_white_are(channels, limits, says, laid_out):
    figure = Templates("t", np.zeros((2, 4, 4, 3 if channels == 3 else 1), np.uint8), ["a", "b"], limits, channels)
    assert says in " ".join(words(laid_out(figure)))


# ---- colours

GREY = np.array([0.299, 0.587, 0.114])
# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DICHROMATS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    parts = colour / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("name", [ORDERED_MAP, SHARE_MAP])
def test_more_is_always_lighter_or_always_darker_in_grey_and_to_the_colour_blind(name):
    shades = colours(name)(np.linspace(0, 1, 17), bytes=True)[:, :3]
    for lightness in [shades @ GREY, *(linear(shades) @ np.array(m).T @ GREY for m in DICHROMATS.values())]:
        steps = np.diff(lightness)
        assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("name", [ORDERED_MAP, SHARE_MAP])
def test_numbers_are_readable_on_every_colour(name):
    for shade in colours(name)(np.linspace(0, 1, 101), bytes=True)[:, :3]:
        ground = float(linear(shade) @ (0.2126, 0.7152, 0.0722))
        text = 1.0 if readable_on(shade) == "#ffffff" else 0.0
        light, dark = max(text, ground), min(text, ground)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_paper_has_the_resolution_that_sizes_are_in():
    assert DPI == 150
