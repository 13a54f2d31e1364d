"""The page of a run, read without a browser: what it may do, how large it is, and that it says what the run found."""

# A figure of a run may be None, which fails the tests that compare it.
# pyright: reportOptionalOperand=false, reportOptionalIterable=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false

import base64
import copy
import functools
import hashlib
import html
import io
import json
import operator
import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from linprobe.core.measure import wilson_interval
from linprobe.errors import DataError
from linprobe.model.evidence import Reliability
from linprobe.report.page import MOST_BYTES, failures, render, settings, write_page
from linprobe.report.page.facts import facts_of
from linprobe.report.page.figures import figures_of
from linprobe.report.page.names import class_names, in_figure, shown
from linprobe.report.page.pictures import mistake_pictures, template_pictures
from linprobe.report.run import write_evidence
from linprobe.report.settings import Settings, settings_of
from linprobe.results import FieldError, Results, Tried, of_json, to_json
from linprobe.results.steps import TITLES, number
from runs import HOSTILE, KINDS, made_up, run_of  # pyright: ignore[reportMissingImports]

PAGES: dict[str, "Page"] = {}
EVERYWHERE = {"summary", "settings", "solver", "templates", "model", "failures", "calibration", "toy", "reproduce"}
ROOM: dict[str, int] = dict.fromkeys(
    ("templates", "mistakes", "table", "grid", "losses", "confusion", "classes"), 200_000
)


class Page(HTMLParser):
    """The elements of a page, its scripts and its words, as a browser would see them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.raw, self.elements, self.scripts, self.words = text, [], [], []
        self._inside = []
        self.feed(text)
        self.close()
        self.text = " ".join("".join(self.words).split())
        self.ids = {attributes["id"] for _, attributes in self.elements if "id" in attributes}

    def handle_starttag(self, tag, attrs):
        self.words.append(" " if tag in ("td", "dd") else "")
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
            if tag == "script":
                self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside.pop()

    def handle_data(self, data):
        if "script" in self._inside:
            attributes, before = self.scripts.pop()
            self.scripts.append((attributes, before + data))
        elif not self._inside:
            self.words.append(data)

    def data(self, name):
        return next(json.loads(text) for attributes, text in self.scripts if attributes.get("id") == f"data-{name}")

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def page_of(kind):
    if kind not in PAGES:
        PAGES[kind] = Page(render(run_of(kind)))
    return PAGES[kind]


# ---- what it may do


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", KINDS)
def test_only_its_own_scripts_run_and_nobody_is_asked(kind):
    page = page_of(kind)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert "connect-src" not in rules
    run = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in run}
    assert set(rules["script-src"].split()) == hashes
    for attribute in ("src", "srcset", "data", "action", "formaction", "poster", "background"):
        assert all(value.startswith("data:image/png;base64,") for value in page.attributes(attribute))
    assert all(value.startswith("#") for value in page.attributes("href"))
    assert not page.attributes("style")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_pointed_to_is_there_once(kind):
    page = page_of(kind)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    pointed = {value[1:] for value in page.attributes("href")}
    for name in ("aria-labelledby", "aria-describedby", "for"):
        pointed |= {one for value in page.attributes(name) for one in value.split()}
    assert pointed <= page.ids
    for name in page.data("figures"):
        assert f"plot-{name}" in page.ids
    assert all("alt" in attributes and attributes["alt"] for tag, attributes in page.elements if tag == "img")
    plots = [attributes for _, attributes in page.elements if attributes.get("class", "").startswith("plot ")]
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)


# ---- what it says


@pytest.mark.parametrize("kind", KINDS)
def test_the_headline_states_the_figures_of_the_run(kind):
    page, run = page_of(kind), run_of(kind)
    test, best = run.numbers.test, run.numbers.grid.best
    right = round(test.accuracy * test.n)
    assert page.ids >= EVERYWHERE
    assert ("worksheet" in page.ids) == (run.numbers.first_loss is not None)
    for words in (
        f"{test.accuracy:.4f}",
        f"{right:,} of {test.n:,} test example",
        f"{test.interval[0]:.4f} to {test.interval[1]:.4f}",
        f"chance among {len(run.classifier.classes)} classes is {1 / len(run.classifier.classes):.4f}",
        f"{best.val_accuracy:.4f}",
        run.numbers.data.fingerprint,
        f"git clone URL-OF-LINPROBE linprobe pip install './linprobe[all]' {run.numbers.command}",
        *(f"{name} {version}" for name, version in run.numbers.versions.items()),
    ):
        assert " ".join(words.split()) in page.text, words
    for row in run.numbers.grid.rows:
        assert f"{row.val_accuracy:.4f}" in page.text if row.val_accuracy is not None else "diverged" in page.text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tune", ["Yes, proven.", "no linear classifier has an objective below", "3 values of reg were each solved"]),
        ("folds", ["in 3 folds of 1,618 examples", "means over the folds", "on 1,618 examples"]),
        ("sgd", ["Not known.", "SGD proves nothing", "trained again on all"]),
        ("worksheet", ["the lowest possible one at this reg", "lowest objective", "log 10 = 2.3026", "Gradient check"]),
        ("hinge", ["Not known.", "the hinge loss is not smooth", "margins and no probabilities", "3 of 6 diverged"]),
        ("screening", ["8 principal directions", "All settings, as screened", "retrained on all features"]),
        ("trials", ["9 random settings", "Random trials"]),
        ("momentum", ["2 momenta", "2 batch sizes", "Each cell has the best of all values of momentum and batch size"]),
        ("one setting", ["One setting was trained by SGD", "There was no other.", "without another to compare with"]),
        ("one example", ["of 1 test example right", "compared on another", "on 1 test example that"]),
        ("features", ["rows of 12 features, not pictures", "predicted as"]),
    ],
)  # fmt: skip
def test_each_kind_of_run_says_what_is_special_about_it(kind, words):
    for one in words:
        assert one in page_of(kind).text, one


@pytest.mark.parametrize("kind", ["worksheet", "hinge"])
def test_the_questions_are_answered(kind):
    answers = run_of(kind).numbers.questions
    for key in ("first_loss", "svm_unchanged"):
        assert " ".join(getattr(answers, key).answer.split()) in page_of(kind).text


def test_an_edge_is_said_aloud_with_what_to_type():
    edges = run_of("worksheet").numbers.grid.edges
    assert edges  # this grid is far from the best learning rate
    assert "At the edge of the grid" in page_of("worksheet").text
    assert ("--learning-rate" in page_of("worksheet").text) == ("learning_rate" in edges)
    run = run_of("tune")
    inside = replace(run.numbers, grid=replace(run.numbers.grid, edges=()))
    assert "At the edge" not in Page(render(replace(run, numbers=inside))).text


# ---- the choice


def a_comparison(accuracies, losses=None, n=100):
    rows = [
        Tried(
            learning_rate=1e-3 * (k + 1),
            reg=0.1,
            train_accuracy=accuracy,
            val_accuracy=accuracy,
            val_loss=None if accuracy is None else (losses or accuracies)[k],
            objective=1.0,
            status="diverged" if accuracy is None else "max_iter",
        )
        for k, accuracy in enumerate(accuracies)
    ]
    return Settings(rows, 0, ("learning_rate", "reg", "val_accuracy", "status"), n)


def test_the_lead_is_counted_in_examples_and_judged_by_the_interval():
    found = settings.standing(a_comparison([0.9, 0.5, 0.88, None, 0.84, 0.82]))
    low, high = wilson_interval(90, 100)
    assert found.second == 2
    assert (found.others, found.examples) == (4, 2)
    assert found.behind == pytest.approx(0.02)
    assert found.interval == (low, high)
    assert found.within == sum(accuracy >= low for accuracy in (0.5, 0.88, 0.84, 0.82)) == 2
    first, second = settings.lead(a_comparison([0.9, 0.5, 0.88, None, 0.84, 0.82]))
    assert "(learning rate 0.003) by 0.0200 in accuracy: 2 of 100" in first
    assert "within the noise: 2 of the 4 other settings" in second
    assert "2 examples) above the runner-up's: within the noise" in settings.lead_in_brief(a_comparison([0.9, 0.88]))


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ([0.9, 0.2], "No other setting lies in"),
        ([0.9, 0.9, 0.9], "2 other settings have the same validation accuracy; the lowest validation loss decided"),
        ([0.9, 0.9], "1 other setting has the same"),
        ([0.9], "There was no other"),
        ([0.9, None, None], "All 2 others diverged"),
        ([0.9, None], "The other one diverged"),
        ([0.9, 0.89, 0.2], "within the noise: 1 of the 2 other settings lies in"),
        ([0.5, 0.6], "Another (learning rate 0.002) has a validation accuracy 0.1000 higher, 10 of 100 examples"),
        ([0.0, 0.0], "the same validation accuracy"),
        ([1.0, 0.99], "within the noise: the other setting lies in"),
    ],
)
def test_the_lead_in_words(accuracies, words):
    assert words in " ".join(settings.lead(a_comparison(accuracies, losses=list(range(len(accuracies))))))


def test_the_lead_of_none_is_not_said():
    assert "it came first" in settings.lead(a_comparison([0.9, 0.9]))[0]
    assert "it came first" in settings.lead_in_brief(a_comparison([0.9, 0.9]))
    assert "above" not in settings.lead_in_brief(a_comparison([0.5, 0.6]))
    assert "leads" not in " ".join(settings.lead(a_comparison([0.5, 0.6])))
    other = a_comparison([0.5, 0.6])
    failed = replace(other, rows=[other.rows[0], replace(other.rows[1], status="failed")])
    assert settings.lead(failed)[0].endswith("but nothing is proven of it.")


@pytest.mark.parametrize(("share", "side"), [(0.0, "lowest"), (0.04, "lowest"), (0.96, "highest"), (1.0, "highest")])
@pytest.mark.parametrize("log", [True, False])
def test_of_a_wide_range_the_right_end_is_named(share, side, log):
    low, high = 1e-10, 10.0
    best = low * (high / low) ** share if log else low + share * (high - low)
    run = run_of("trials")
    chosen = replace(run.numbers.grid.best, reg=best)
    grid = replace(run.numbers.grid, axes={"reg": (low, high)}, best=chosen, edges=("reg",))
    ((said, option),) = settings.edges(replace(run, numbers=replace(run.numbers, grid=grid)))
    assert f"near the {side} reg" in said
    first, last = map(float, option.split()[1].split(":")[:2])
    assert (best / first > last / best) == (side == "lowest")


def test_the_table_has_every_setting_best_first():
    run = run_of("momentum")
    table = settings.table(settings_of(run), 10**6)
    titles = [column.title for column in table.header]
    assert titles[:4] == ["learning rate", "reg", "momentum", "batch size"]
    assert len(table.rows) == table.all == 36
    assert [row.marked for row in table.rows] == [True] + [False] * 35
    accuracy = [float(row.cells[titles.index("validation")]) for row in table.rows]
    assert accuracy == sorted(accuracy, reverse=True)


# ---- the figures


def test_the_heat_map_has_every_figure_of_every_setting():
    run = run_of("worksheet")
    figure = figures_of(run, ROOM)["grid"]
    heat, grid = figure.data[0], run.numbers.grid
    assert (len(heat["y"]), len(heat["x"])) == (3, 3)
    for row in grid.rows:
        y, x = (grid.axes[name].index(row.setting[name]) for name in ("learning_rate", "reg"))
        assert heat["z"][y][x] == pytest.approx(row.val_accuracy, abs=1e-6)
        told = dict(zip(settings_of(run).columns, heat["customdata"][y][x], strict=True))
        for name in ("learning_rate", "reg", "train_accuracy", "val_accuracy", "val_loss", "objective"):
            assert float(told[name]) == pytest.approx(getattr(row, name), rel=6e-3, abs=5e-5)
    for place, name in enumerate(settings_of(run).columns):
        assert f"{TITLES[name]} <b>%{{customdata[{place}]}}</b>" in heat["hovertemplate"]
    frame = figure.layout["shapes"][0]
    chosen = grid.best
    assert frame["x0"] + 0.5 == grid.axes["reg"].index(chosen.reg)
    assert frame["y0"] + 0.5 == grid.axes["learning_rate"].index(chosen.learning_rate)


def test_settings_that_diverged_are_crossed_out_and_named():
    figure = figures_of(run_of("hinge"), ROOM)["grid"]
    (crosses,) = [trace for trace in figure.data if trace.get("name") == "diverged"]
    assert len(crosses["x"]) == 3
    assert all("1e30" in told and "diverged" in told for told in crosses["text"])
    assert "Crosses: 3 that diverged" in figure.caption
    heat = figure.data[0]
    assert [value is None for value in heat["z"][1]] == [True] * 3


def test_a_cell_has_the_best_of_what_differs_in_other_axes():
    run = run_of("momentum")
    heat, rows = figures_of(run, ROOM)["grid"].data[0], run.numbers.grid.rows
    axes = run.numbers.grid.axes
    for y, rate in enumerate(axes["learning_rate"]):
        for x, reg in enumerate(axes["reg"]):
            alike = [row.val_accuracy for row in rows if (row.learning_rate, row.reg) == (rate, reg)]
            assert len(alike) == 4
            assert heat["z"][y][x] == pytest.approx(max(alike), abs=1e-6)


def test_a_path_is_drawn_over_reg_with_its_interval():
    run = run_of("tune")
    figure, rows = figures_of(run, ROOM)["grid"], run.numbers.grid.rows
    assert figure.layout["xaxis"]["type"] == "log"
    low, high = figure.data[0]["y"], figure.data[1]["y"]
    val = next(trace for trace in figure.data if trace.get("name") == "validation")
    n = run.numbers.data.val
    for k, row in enumerate(rows):
        assert (figure.x[k], val["y"][k]) == (row.reg, row.val_accuracy)
        expected = wilson_interval(round(row.val_accuracy * n), n)
        assert (low[k], high[k]) == pytest.approx(expected, abs=1e-5)
    assert "proven gap" in val["hovertemplate"]
    assert "iterations" in val["hovertemplate"]


def test_folds_are_drawn_each():
    figure = figures_of(run_of("folds"), ROOM)["grid"]
    (folds,) = [trace for trace in figure.data if trace.get("name") == "each fold"]
    rows = run_of("folds").numbers.grid.rows
    assert folds["y"] == [accuracy for row in rows for accuracy in row.fold_accuracy]


def test_trials_are_points_and_screened_ones_that_were_retrained_are_ringed():
    trials = figures_of(run_of("trials"), ROOM)["grid"]
    assert trials.data[0]["mode"] == "markers"
    assert len(trials.data[0]["x"]) == 9
    screened = figures_of(run_of("screening"), ROOM)["grid"]
    rows = run_of("screening").numbers.grid.rows
    dotted = [shape for shape in screened.layout["shapes"] if shape["line"].get("dash") == "dot"]
    assert len(dotted) == len(rows) == 5
    assert sum(value is not None for line in screened.data[0]["z"] for value in line) == 9


def unpacked(array):
    values = np.frombuffer(base64.b64decode(array["bdata"]), f"<{array['dtype']}")
    return values.reshape([int(size) for size in array["shape"].split(", ")]) if "shape" in array else values


def test_every_loss_curve_is_there_the_best_on_top():
    run = run_of("hinge")
    figure = figures_of(run, ROOM)["losses"]
    drawn = {trace["name"]: unpacked(trace["y"]) for trace in figure.data if isinstance(trace["y"], dict)}
    assert len(drawn) == run.curves.shape[1] == 6
    found, order = settings_of(run), settings_of(run).order
    for word, k in zip(("chosen", "second", "third"), order[:3], strict=True):
        np.testing.assert_array_equal(drawn[f"{word}: {found.named(k)}"], run.curves[:, k])
    for k in order[3:]:
        assert f"diverged: {found.named(k)}" in drawn
    assert next(reversed(drawn)).startswith("chosen")
    assert figure.x == run.steps.tolist()


def test_what_diverges_has_no_say_in_the_axis():
    run = made_up(grid=(4, 4))
    run.curves[:, 0] = 1e30  # the first row is one that diverged
    _, high = figures_of(run, ROOM)["losses"].layout["yaxis"]["range"]
    assert high < 3  # the others lie between e^-4 and e^4


def test_the_confusion_matrix_tells_its_counts_in_words():
    run = run_of("worksheet")
    heat, counts = figures_of(run, ROOM)["confusion"].data[0], run.evidence.counts
    np.testing.assert_array_equal([[value or 0 for value in row] for row in heat["text"]], counts)
    share = unpacked(heat["z"]).astype(float)
    expected = 255 * np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    np.testing.assert_allclose(share, expected, atol=0.5)
    i, j = np.argwhere((counts > 0) & ~np.eye(10, dtype=bool))[0]
    assert heat["hovertext"][i][j].startswith(
        f"{counts[i, j]} of {counts[i].sum()} examples of <b>\u2068{i}\u2069</b> predicted as <b>\u2068{j}\u2069</b>"
    )


def test_the_confusions_of_very_many_classes_are_summed():
    run = made_up(K=333)
    figure = figures_of(run, ROOM | {"confusion": 50_000})["confusion"]
    heat, counts = figure.data[0], run.evidence.counts
    blocks = np.array(heat["text"])
    assert blocks.sum() == counts.sum()
    assert 100 * 100 >= blocks.size > 60 * 60
    side = -(-333 // len(blocks))
    for i, j in ((0, 0), (3, 7), (len(blocks) - 1, len(blocks) - 1)):
        assert blocks[i, j] == counts[side * i : side * (i + 1), side * j : side * (j + 1)].sum()
    assert heat["x"][:2] == ["\u2068class number 0 …\u2069", f"\u2068class number {side} …\u2069"]
    assert "333 classes" in figure.caption


@pytest.mark.parametrize("kind", KINDS)
def test_no_figure_holds_what_json_cannot(kind):
    raw = next(text for attributes, text in page_of(kind).scripts if attributes.get("id") == "data-figures")
    assert "NaN" not in raw
    assert "Infinity" not in raw
    assert not set("<>&") & set(raw)


# ---- pictures


def pixels_of(uri):
    assert uri.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(int)


def test_templates_of_one_channel_are_signed_about_zero():
    run = made_up(K=3)
    run.classifier.W[:, 0], run.classifier.W[:5, 0] = 0, [-2, -1, 0, 1, 2]
    run.classifier.W[:, 1:] /= np.abs(run.classifier.W[:, 1:]).max()
    first = pixels_of(template_pictures(run, 10**6).uris[0]).reshape(-1, 3)
    assert first[0].tolist() == [0x1F, 0x5A, 0xA6]
    assert first[4].tolist() == [0xC2, 0x5A, 0x06]
    assert first[2].tolist() == first[30].tolist() == [0xF4, 0xF4, 0xF2]
    assert first[1][2] > first[1][0]  # against: bluish
    assert first[3][0] > first[3][2]


def test_templates_of_three_channels_are_scaled_as_in_the_exercise():
    run = made_up(K=4, shape=(6, 5, 3))
    W = run.classifier.W
    expected = np.rint(255 * (W - W.min()) / (W.max() - W.min()))
    for k, uri in enumerate(template_pictures(run, 10**6).uris):
        assert np.abs(pixels_of(uri) - expected[:, k].reshape(6, 5, 3)).max() <= 1


def test_mistakes_are_the_examples_by_their_own_white():
    run = made_up(shape=(8, 8, 1))
    run = replace(run, classifier=replace(run.classifier, white=16.0))
    run.evidence.mistakes.X[:] //= 16
    run.evidence.mistakes.X[0, 0, 0] = 16
    drawn = mistake_pictures(run, 10**6)
    assert len(drawn.uris) == 24
    for uri, picture in zip(drawn.uris, run.evidence.mistakes.X, strict=True):
        expected = np.rint(picture[..., 0] * (255 / 16))
        assert np.abs(pixels_of(uri) - expected[:, :, None]).max() <= 1


def test_pictures_shrink_before_they_are_left_out():
    run = made_up(K=12, shape=(100, 50, 3))
    whole, small, few = (template_pictures(run, room) for room in (10**6, 60_000, 12_000))
    assert [len(drawn.uris) for drawn in (whole, small)] == [12, 12]
    assert 0 < len(few.uris) < 12
    assert whole.side == 64 > small.side > few.side == 24
    assert pixels_of(whole.uris[0]).shape == (64, 32, 3)
    assert sum(map(len, few.uris)) <= 12_000
    # What a small picture shows is the mean of what it covers.
    mean = run.classifier.W[:, 0].reshape(100, 50, 3).mean(axis=(0, 1))
    tile = pixels_of(few.uris[0]).mean(axis=(0, 1))
    assert np.argsort(mean).tolist() == np.argsort(tile).tolist()


# ---- how large it is


LARGE = {
    "a thousand classes": {"K": 1000},
    "a thousand classes in colour": {"K": 1000, "shape": (32, 32, 3)},
    "large pictures": {"shape": (224, 224, 3)},
    "thousands of settings": {"grid": (100, 100)},
    "thousands of trials": {"grid": (70, 70), "trials": 4900},
    "one long axis": {"grid": (1, 9999)},
    "long names": {"classes": tuple(f"{k} " + "long " * 3000 for k in range(300))},
    "wide letters": {"classes": tuple(f"{k}" + "字" * 3000 for k in range(1000))},
    "features": {"shape": (3000,), "K": 500},
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("case", LARGE)
def test_the_page_stays_small_and_says_what_it_leaves_out(case):
    text = render(made_up(**LARGE[case]))
    size = len(text.encode(errors="replace"))
    assert size <= MOST_BYTES
    page = Page(text)
    assert page.ids >= EVERYWHERE
    if case == "thousands of settings":
        assert re.search(r"The best [\d,]+ of 10,000, to keep the page small", page.text)
        assert re.search(r"[\d,]+ of the 10,000 curves are left out", page.text)
    if case == "a thousand classes in colour":
        assert re.search(r"The first [\d,]+ of 1,000 classes", page.text)
        assert re.search(r"lowest [\d,]+ of 1,000 classes", page.text)
    if case == "large pictures":
        assert re.search(r"Averaged from 224 x 224 down to \d+ pixels", page.text)
        assert len([value for value in page.attributes("src") if value.startswith("data:image/png")]) >= 34


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", ["a thousand classes in colour", "large pictures", "thousands of settings"])
def test_without_room_for_anything_there_is_a_page_all_the_same(case, monkeypatch):
    least = len(render(run_of("one setting")))
    monkeypatch.setattr("linprobe.report.page.MOST_BYTES", least)
    page = Page(render(made_up(**LARGE[case])))
    assert page.ids >= EVERYWHERE
    assert "has no room for them" in page.text
    assert len(page.raw) < least + 150_000


# ---- names


def test_hostile_names_stay_text_everywhere():
    run = made_up(classes=HOSTILE)
    text = render(run)
    text.encode(errors="replace").decode()
    page = Page(text)
    clean = page_of("worksheet")
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in clean.elements} | {
        "dl",
        "dt",
        "dd",
        "label",
        "input",
    }
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all(value.startswith("data:image/png;base64,") for value in page.attributes("src"))
    assert len(page.scripts) == len(clean.scripts)
    names = class_names(HOSTILE)
    assert len(set(names)) == len(HOSTILE)
    for name in names:
        assert html.escape(name) in text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;"), name
    assert "49" not in names[1]  # no template of ours has looked at it
    heat = page.data("figures")["confusion"]["data"][0]
    assert heat["y"] == heat["x"] == [in_figure(name) for name in class_names(names, 16)]
    assert len(set(heat["y"])) == len(HOSTILE)
    for label in (*heat["y"], *(told for line in heat["hovertext"] for told in line)):
        assert not set("<>") & set(label.replace("<b>", "").replace("</b>", ""))


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (0.97, "it is surer than it is right"),
        (0.35, "it is right more often than it is sure"),
        (0.58, "that is the same, within the noise of 100 examples"),
        (0.62, "that is the same, within the noise of 100 examples"),
    ],
)
def test_whether_it_knows_how_sure_it_is_is_judged_by_the_noise(confidence, words):
    run = made_up(K=2)
    n = np.array([100, *[0] * 9])
    found = Reliability(n, np.where(n, confidence, np.nan), np.where(n, 0.6, np.nan))
    evidence = replace(run.evidence, counts=np.array([[30, 20], [20, 30]]), reliability=found)
    assert words in failures.calibration(replace(run, evidence=evidence)).sentence


def test_a_single_bin_without_examples_is_one():
    run = made_up(K=2)
    n = np.array([5, 5, 5, 0, 5, 5, 5, 5, 5, 5])
    evidence = replace(run.evidence, reliability=Reliability(n, np.linspace(0.05, 0.95, 10), np.linspace(0.2, 1, 10)))
    assert "The other bin has no examples." in Page(render(replace(run, evidence=evidence))).text


def test_a_class_without_examples_is_named():
    run = made_up(K=3, classes=("a", "b", "c"))
    numbers = replace(run.numbers, data=replace(run.numbers.data, absent=("b", "c")))
    assert "Classes b and c have no example to learn from." in Page(render(replace(run, numbers=numbers))).text
    assert "to learn from" not in Page(render(run)).text


def test_a_path_that_did_not_reach_the_optimum_is_not_said_to_have():
    run = run_of("tune")
    shares = zip(run.numbers.grid.rows, (1e-9, 0.5, 2.0), strict=True)
    rows = tuple(replace(row, gap=share * (row.objective or 0)) for row, share in shares)
    assert run.numbers.refit is not None
    far = replace(run.numbers.refit, gap=9.0 * run.numbers.refit.objective, relative_gap=9.0)
    grid = replace(run.numbers.grid, rows=rows, best=rows[0])
    text = Page(render(replace(run, numbers=replace(run.numbers, grid=grid, refit=far)))).text
    assert "3 values of reg were solved, 1 of 3 to the optimum," in text
    assert "No. Nothing is proven of how near this is" in text
    assert "Yes, proven" not in text


def test_names_are_bounded_visible_and_different():
    names = class_names(("a" * 300, "a" * 301, "", " \n ", "class 2", "\u202e\u2066", "x" + "\u0301" * 50, "e\u0301"))
    assert all(0 < len(name) <= 60 for name in names)
    assert len(set(names)) == len(names)
    assert names[3] == "class 3"
    assert not set("\u202e\u2066\n") & set("".join(names))
    assert names[6].count("\u0301") <= 2
    assert names[7] == "é"
    assert shown("👩‍👩‍👧‍👦") == "👩‍👩‍👧‍👦"


def test_a_name_in_a_figure_is_escaped_and_isolated():
    assert in_figure("<b>&") == "\u2068&lt;b&gt;&amp;\u2069"
    assert in_figure("__proto__") != "__proto__"  # which plotly would lose
    assert in_figure("שלום") == "\u2068שלום\u2069"


# ---- the folder


@pytest.fixture
def folder(tmp_path):
    run = made_up()
    (tmp_path / "run.json").write_text(run.numbers.text)
    run.classifier.save(tmp_path / "model.safetensors")
    write_evidence(tmp_path, run.evidence, run.steps, run.curves)
    return tmp_path


def test_the_page_is_written_from_the_folder_alone(folder):
    path = write_page(folder)
    assert path == folder / "report.html"
    assert path.read_text() == render(made_up())
    assert write_page(folder, folder / "other.html").read_text() == path.read_text()
    assert sorted(file.name for file in folder.iterdir()) == [
        *("evidence.safetensors", "model.safetensors", "other.html", "report.html", "run.json"),
    ]  # fmt: skip


def edited(change):
    def edit(folder):
        numbers = json.loads((folder / "run.json").read_text())
        change(numbers)
        (folder / "run.json").write_text(json.dumps(numbers))

    return edit


DAMAGED = {
    "no rows": edited(lambda numbers: numbers["grid"].pop("rows")),
    "empty rows": edited(lambda numbers: numbers["grid"].update(rows=[])),
    "a best that is no row": edited(lambda numbers: numbers["grid"]["best"].update(reg=17)),
    "fewer rows than curves": edited(lambda numbers: numbers["grid"].update(rows=[numbers["grid"]["best"]])),
    "an accuracy in words": edited(lambda numbers: numbers["test"].update(accuracy="high")),
    "an interval of one": edited(lambda numbers: numbers["test"].update(interval=[0.5])),
    "NaN": edited(lambda numbers: numbers["grid"]["rows"][1].update(val_accuracy=float("nan"))),
    "an edge of no axis": edited(lambda numbers: numbers["grid"].update(edges=["size"])),
    "an axis of no row": edited(lambda numbers: numbers["grid"]["axes"].update(size=[1])),
    "rows of different axes": edited(lambda numbers: numbers["grid"]["rows"][1].pop("momentum")),
    "no sizes": edited(lambda numbers: numbers["data"].pop("val")),
    "no examples": edited(lambda numbers: numbers["data"].update(val=0)),
    "a grid that is a list": edited(lambda numbers: numbers.update(grid=[])),
    "versions of nothing": edited(lambda numbers: numbers.update(versions={})),
    "absent classes that are a number": edited(lambda numbers: numbers["data"].update(absent=10**400)),
    "a tolerance beyond float64": edited(lambda numbers: numbers["grid"].update(tol=10**400)),
    "an exact solver without a tolerance": edited(lambda numbers: numbers["grid"].update(solver="exact")),
    "axes of one value": edited(lambda numbers: numbers["grid"].update(axes={"reg": [1]})),
    "half a worksheet": edited(lambda numbers: numbers.update(first_loss={})),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_run_json_gets_one_line(folder, case):
    DAMAGED[case](folder)
    with pytest.raises(DataError) as caught:
        write_page(folder)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'run.json'}: does not tell what the page needs")
    assert said.endswith("make the run again")
    assert "\n" not in said
    assert not (folder / "report.html").exists()


def places(value, path=()):
    """Where there is something in JSON: of a list, its first and its last."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1}) if value else ():
            yield from places(value[index], (*path, index))


WRONG = (None, True, 0, -1, 1.5, float("nan"), 10**400, "x", [], {}, [1], {"a": 1}, [None])


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("folds", lambda numbers: numbers["data"].update(absent=None)),
        ("folds", lambda numbers: numbers["grid"].update(tol=None)),
        ("folds", lambda numbers: numbers["grid"].update(axes={})),
        ("folds", lambda numbers: numbers["grid"]["axes"].update(reg=[1])),
        ("folds", lambda numbers: numbers["grid"]["rows"][0].pop("objective")),
        ("folds", lambda numbers: numbers["grid"]["rows"][0].pop("gap")),
        ("worksheet", lambda numbers: numbers["optimum"].update(tol=None)),
    ],
)
def test_what_only_some_runs_need_is_asked_of_those(kind, damage):
    numbers = to_json(run_of(kind).numbers)
    damage(numbers)
    with pytest.raises(FieldError, match=r"absent|grid|optimum"):
        of_json(Results, numbers)


@pytest.mark.parametrize("kind", ["worksheet", "screening", "folds", "sgd", "tune"])
def test_whatever_is_wrong_in_run_json_is_said_before_the_page_is_made(kind):
    """What of the numbers passes the look at them makes a page: what fails then is a bug of ours."""
    run, rng = run_of(kind), random.Random(0)
    told = to_json(run.numbers)
    assert of_json(Results, told) == run.numbers
    refused = 0
    everywhere = [path for path in places(told) if len(path) > 1]
    for path in rng.sample(everywhere, 25):
        numbers = copy.deepcopy(told)
        holder = functools.reduce(operator.getitem, path[:-1], numbers)
        if rng.random() < 0.3:
            del holder[path[-1]]
        else:
            holder[path[-1]] = rng.choice(WRONG)
        try:
            changed = replace(run, numbers=of_json(Results, numbers))
        except FieldError:
            refused += 1
        else:
            figures_of(changed, ROOM)
            facts_of(changed, ROOM)
    assert refused > 5


def test_the_metrics_stand_in_a_table_of_the_runs_figures():
    page, test = page_of("tune"), run_of("tune").numbers.test
    assert test.metrics is not None
    for name in ("balanced_accuracy", "auroc", "log_loss", "calibration_error_scaled"):
        assert f"{test.metrics[name].value:.4f}" in page.text, name
    assert f"at temperature {number(test.temperature)}" in page.text
    assert "in each of 15 bins" in page.text
    assert "How good it is on test" not in page_of("worksheet").text


def test_settings_that_another_metric_chose_are_in_its_order():
    run = run_of("tune")
    rows = tuple(
        replace(row, val_metric=figure) for row, figure in zip(run.numbers.grid.rows, (0.3, 0.2, 0.7), strict=True)
    )
    grid = replace(run.numbers.grid, rows=rows, best=rows[1], metric="log_loss", edges=())
    found = replace(run, numbers=replace(run.numbers, grid=grid))
    facts = facts_of(found, dict.fromkeys(("table", "templates", "classes", "mistakes"), 10**6)).settings
    assert (facts.metric, facts.figure) == ("log-loss", "0.2000")
    place = [column.title for column in facts.table.header].index("log-loss")
    assert [row.cells[place] for row in facts.table.rows] == ["0.2000", "0.3000", "0.7000"]
    assert (facts.table.sorted_by, facts.table.ascending) == (place, True)
    assert facts.lead == [f"The runner-up (reg {rows[0].reg:g}) has 0.3000."]
    assert 'aria-sort="ascending"><button type="button">log-loss' in render(found)
