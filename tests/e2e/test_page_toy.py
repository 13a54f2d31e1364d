"""The two-dimensional toy of a run's page: trained to the optimum, movable by every hand, true in all its numbers."""

import json
import math
import re

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from linprobe import open_dataset
from linprobe.compare.settings import Axis
from linprobe.core.exact.solver import solve
from linprobe.core.sgd.settings import Training
from linprobe.learn.loops import softmax_loss_naive, svm_loss_naive
from linprobe.learn.worksheet import WorksheetOptions, run_worksheet
from linprobe.report.folder import write_run
from linprobe.report.page import write_page

WIDE, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
REGS = (1e-5, 1e-3, 0.05, 1.0, 10.0)


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The page of a short worksheet."""
    folder = tmp_path_factory.mktemp("toy")
    axes = Axis(np.array([1e-3])), Axis(np.array([1e-2]))
    result = run_worksheet(open_dataset("digits"), WorksheetOptions(Training(iterations=20), *axes))
    write_run(folder, result, result.search.curves, command="linprobe worksheet digits")
    return write_page(folder)


@pytest.fixture
def open_toy(open_page, page_file):
    """Opens the page at the toy; options as those of `open_page`."""

    def open_at(**options):
        page = open_page(page_file, **{"viewport": WIDE, "reduced_motion": "reduce", **options})
        page.locator("#toy").scroll_into_view_if_needed()
        page.wait_for_selector("#toy[data-objective]")
        return page

    return open_at


def read(page):
    """What the toy says of itself, once what was done to it has been drawn: numbers as numbers, JSON as objects."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    told = page.evaluate("() => ({...document.getElementById('toy').dataset})")
    return {name: text if name in ("state", "loss") else json.loads(text) for name, text in told.items()}


def choose(page, *, loss=None, reg=None):
    if loss is not None:
        page.locator(f'#toy input[value="{loss}"]').check()
    if reg is not None:
        page.get_by_label("Regularisation strength").fill(f"{math.log10(reg):.1f}")


def arrays(toy):
    points = toy["points"]
    return np.array([[point["x"], point["y"]] for point in points]), np.array([point["label"] for point in points])


def classifier(toy):
    """W (3, 3): a row of weights of x, one of y, one of biases, as the loops want it with a column of ones."""
    return np.array(toy["weights"]).reshape(3, 3).T


def losses_of(toy, W):
    """Each point's softmax loss and hinge loss, (n,) each, by the formulas."""
    X, y = arrays(toy)
    scores = np.column_stack([X, np.ones(len(X))]) @ W
    of_label = scores[np.arange(len(y)), y]
    softmax = np.log(np.exp(scores - of_label[:, None]).sum(axis=1))
    return softmax, np.maximum(0, scores - of_label[:, None] + 1).sum(axis=1) - 1


def lowest(toy):
    """The lowest objective, by solvers that share nothing with the page."""
    X, y = arrays(toy)
    if toy["loss"] == "softmax":
        return float(solve(X, y, np.array([toy["reg"]]), classes=3, tol=1e-9).objective[0])
    return lowest_hinge(X, y, toy["reg"])


def lowest_hinge(X, y, reg):
    """The quadratic program itself, dense: W (2, 3) and b (3,), then an excess for every point and wrong class."""
    rows = []
    for x, label in zip(X, y, strict=True):
        for k in {0, 1, 2} - {label}:
            row = np.zeros((3, 3))
            row[:, k], row[:, label] = [*x, 1], [*(-x), -1]
            rows.append(row.ravel())
    A = np.hstack([np.array(rows), -np.eye(len(rows))])  # A v <= -1
    cost = np.r_[np.zeros(9), np.full(len(rows), 1 / len(X))]
    weight = np.r_[np.full(6, reg), np.zeros(3 + len(rows))]
    found = minimize(
        lambda v: (cost @ v + weight @ v**2, cost + 2 * weight * v),
        np.r_[np.zeros(9), np.full(len(rows), 1.0)],
        jac=True,
        method="SLSQP",
        bounds=[(None, None)] * 9 + [(0, None)] * len(rows),
        constraints=[LinearConstraint(A, -np.inf, -1)],
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    W = np.array(found.x[:9]).reshape(3, 3)
    loss, _ = svm_loss_naive(W, np.column_stack([X, np.ones(len(X))]), y, 0.0)
    return loss + reg * np.sum(W[:2] ** 2)


def check_optimum(toy):
    X, y = arrays(toy)
    W = classifier(toy)
    naive = softmax_loss_naive if toy["loss"] == "softmax" else svm_loss_naive
    loss, _ = naive(W, np.column_stack([X, np.ones(len(X))]), y, 0.0)
    assert toy["meanLoss"] == pytest.approx(loss, rel=1e-9)
    assert toy["penalty"] == pytest.approx(toy["reg"] * np.sum(W[:2] ** 2), rel=1e-9)
    assert toy["objective"] == pytest.approx(toy["meanLoss"] + toy["penalty"], rel=1e-12)
    best = lowest(toy)
    tolerance = {"softmax": 1e-8, "hinge": 1e-6}[toy["loss"]]
    assert toy["objective"] == pytest.approx(best, rel=tolerance)
    assert toy["gap"] <= 1e-7 * toy["objective"]
    scores = np.column_stack([X, np.ones(len(X))]) @ W
    assert toy["accuracy"] == np.mean(scores.argmax(axis=1) == y)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_the_page_finds_the_lowest_objective(open_toy, loss):
    page = open_toy()
    choose(page, loss=loss)
    seen = []
    for reg in REGS:
        choose(page, reg=reg)
        toy = read(page)
        assert (toy["loss"], toy["state"]) == (loss, "trained")
        assert toy["reg"] == pytest.approx(reg, rel=1e-6)
        check_optimum(toy)
        seen.append(toy["objective"])
    assert seen == sorted(seen)
    assert len(set(seen)) == len(REGS)


def point_at(page, index):
    return page.locator(".toy-point").nth(index)


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def on_screen(page, x, y):
    """Where a place of the plane is in the window."""
    box = page.locator(".toy-plane > svg").bounding_box()
    return box["x"] + (x + 3) / 6 * box["width"], box["y"] + (3 - y) / 6 * box["height"]


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_dragging_with_the_mouse_trains_again(open_toy, loss):
    page = open_toy()
    choose(page, loss=loss)
    before = read(page)
    point = before["points"][0]
    page.mouse.move(*on_screen(page, point["x"], point["y"]))
    page.mouse.down()
    objectives = []
    for x, y in ((-0.5, 0.2), (1.0, 0.1), (1.7, 0.9)):
        page.mouse.move(*on_screen(page, x, y), steps=3)
        toy = read(page)
        assert (toy["points"][0]["x"], toy["points"][0]["y"]) == pytest.approx((x, y), abs=0.02)
        check_optimum(toy)
        objectives.append(toy["objective"])
    page.mouse.up()
    assert objectives[-1] > before["objective"]  # among the squares it cannot be right
    page.mouse.move(*on_screen(page, -2, -2))
    after = read(page)
    assert after == toy
    assert after["points"][1:] == before["points"][1:]
    assert after["selected"] == point["id"]
    # No further than the plane, however far the hand goes.
    page.mouse.move(*on_screen(page, 1.7, 0.9))
    page.mouse.down()
    page.mouse.move(*on_screen(page, 3.4, -3.5))
    page.mouse.up()
    assert [read(page)["points"][0][axis] for axis in "xy"] == [3, -3]


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_moving_and_removing_with_the_keyboard(open_toy, loss):
    page = open_toy()
    choose(page, loss=loss, reg=1e-3)
    before = read(page)
    point_at(page, 3).focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "Shift+ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    toy = read(page)
    old, new = before["points"][3], toy["points"][3]
    assert (new["x"], new["y"]) == pytest.approx((old["x"] - 0.3, old["y"] + 0.4), abs=1e-9)
    assert toy["selected"] == old["id"]
    check_optimum(toy)
    name = point_at(page, 3).get_attribute("aria-label")
    assert name.startswith(f"circle at {new['x']:.2f}, {new['y']:.2f}: ".replace("-", "−"))

    page.keyboard.press("Tab")
    assert read(page)["selected"] == before["points"][4]["id"]
    page.keyboard.press("Delete")
    toy = read(page)
    assert [point["id"] for point in toy["points"]] == [
        point["id"] for point in before["points"] if point["id"] != before["points"][4]["id"]
    ]
    check_optimum(toy)
    # The next of its class has the focus, and goes as well, until one is left.
    for _ in range(6):
        page.keyboard.press("Delete")
    toy = read(page)
    assert [point["label"] for point in toy["points"]] == [0] + [1] * 6 + [2] * 6
    assert "last circle" in page.locator("#toy [role=status]").inner_text()
    check_optimum(toy)


def test_a_finger_moves_the_point_and_not_the_page(open_toy):
    page = open_toy(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    page.locator(".toy-plane").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.toy-plane').scrollIntoView({block: 'center'})")
    hand = page.context.new_cdp_session(page)

    def swipe(start, end):
        hand.send(
            "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [dict(zip("xy", start, strict=True))]}
        )
        for share in np.linspace(0.1, 1, 10):
            place = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
            hand.send(
                "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [dict(zip("xy", place, strict=True))]}
            )
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return read(page)

    before, scrolled = read(page), page.evaluate("scrollY")
    point = before["points"][0]
    toy = swipe(on_screen(page, point["x"], point["y"]), on_screen(page, -0.2, 2.5))
    assert page.evaluate("scrollY") == scrolled
    assert (toy["points"][0]["x"], toy["points"][0]["y"]) == pytest.approx((-0.2, 2.5), abs=0.05)
    check_optimum(toy)
    # Where no point is, the same swipe scrolls the page.
    after = swipe(on_screen(page, -2.7, -2.7), on_screen(page, -2.7, 2.0))
    assert after["points"] == toy["points"]
    assert page.evaluate("scrollY") > scrolled + 50


def test_weights_at_zero_cost_log_k_and_k_minus_one(open_toy):
    page = open_toy()
    trained = read(page)
    page.get_by_role("button", name="Weights at zero").click()
    toy = read(page)
    assert (toy["state"], toy["penalty"], set(toy["weights"])) == ("zero", 0, {0})
    assert toy["objective"] == pytest.approx(math.log(3), abs=1e-14)
    # Wherever the points are, and at whatever strength.
    point_at(page, 0).focus()
    page.keyboard.press("Shift+ArrowRight")
    choose(page, reg=1)
    assert read(page)["objective"] == pytest.approx(math.log(3), abs=1e-14)
    choose(page, loss="hinge")
    assert read(page)["objective"] == 2
    card = page.locator(".toy-questions article").first
    assert card.locator("tbody tr").all_inner_texts() == ["softmax\t1.0986\t1.0986", "hinge\t2.0000\t2.0000"]
    assert "log 10 = 2.3026" in card.inner_text()
    assert page.locator(".toy-region").count() == 0

    point_at(page, 0).focus()
    page.keyboard.press("Shift+ArrowLeft")
    choose(page, loss="softmax", reg=trained["reg"])
    card.get_by_role("button", name="Train").click()
    toy = read(page)
    assert toy["state"] == "trained"
    assert toy["objective"] == trained["objective"]
    assert page.locator(".toy-region").count() == 3


def test_training_is_seen_unless_motion_is_unwanted(open_toy):
    page = open_toy(reduced_motion="no-preference")
    best = read(page)["objective"]
    page.get_by_role("button", name="Weights at zero").click()
    page.locator(".toy-state").get_by_role("button", name="Train").click()
    page.wait_for_selector('#toy[data-state="growing"]')
    page.wait_for_selector('#toy[data-state="trained"]')
    toy = read(page)
    assert (toy["scale"], toy["objective"]) == (1, best)


def test_the_trained_scale_is_the_best_one(open_toy):
    page = open_toy()
    best = read(page)
    for scale in (0.5, 0.9, 1.1, 3):
        page.get_by_label("Scale of the trained weights").fill(str(scale))
        toy = read(page)
        assert toy["state"] == "held"
        np.testing.assert_allclose(toy["weights"], scale * np.array(best["weights"]), rtol=1e-12)
        assert toy["objective"] > best["objective"]
        assert toy["accuracy"] == best["accuracy"]


@pytest.mark.parametrize(("loss", "reg"), [("softmax", 1e-3), ("hinge", 0.01), ("softmax", 10), ("hinge", 10)])
def test_a_sure_point_adds_to_the_softmax_sum_only(open_toy, loss, reg):
    page = open_toy()
    choose(page, loss=loss, reg=reg)
    before = read(page)
    page.get_by_role("button", name="Add a point deep in its region").click()
    toy = read(page)
    assert toy["state"] == "held"
    assert toy["points"][:-1] == before["points"]
    factor = toy["scale"] / before["scale"]
    assert factor == 1 if reg < 1 else factor > 1
    np.testing.assert_allclose(toy["weights"], factor * np.array(before["weights"]), rtol=1e-12)

    softmax, hinge = losses_of(toy, classifier(toy))
    answer = toy["answer"]
    assert answer["hinge"]["added"] == hinge[-1] == 0
    assert answer["hinge"]["before"] == answer["hinge"]["after"] == pytest.approx(hinge.sum(), rel=1e-9)
    assert answer["softmax"]["added"] == pytest.approx(softmax[-1], rel=1e-9)
    assert answer["softmax"]["added"] > 0
    assert answer["softmax"]["before"] == pytest.approx(softmax[:-1].sum(), rel=1e-9)
    assert answer["softmax"]["after"] == pytest.approx(softmax.sum(), rel=1e-9)
    words = page.locator('[data-text="answer"]').inner_text()
    assert "True." in words
    assert ("scaled by" in words) == (factor > 1)

    # Surer still: softmax's share shrinks, and is there.
    page.get_by_label("Scale of the trained weights").fill("4" if reg < 1 else str(math.ceil(toy["scale"])))
    shares = [read(page)["answer"][name]["added"] for name in ("softmax", "hinge")]
    assert 0 < shares[0] < answer["softmax"]["added"]
    assert shares[1] == 0
    # Elsewhere the hinge pays, too.
    page.locator(f'.toy-point[data-id="{toy["selected"]}"]').focus()
    towards = "Shift+ArrowLeft" if toy["points"][-1]["x"] > 0 else "Shift+ArrowRight"
    for _ in range(10):
        page.keyboard.press(towards)
        page.keyboard.press("Shift+ArrowDown" if toy["points"][-1]["y"] > 0 else "Shift+ArrowUp")
    moved = read(page)
    assert moved["answer"]["hinge"]["added"] > 0
    assert "True." not in page.locator('[data-text="answer"]').inner_text()
    page.locator(".toy-state").get_by_role("button", name="Train").click()
    toy = read(page)
    assert toy["answer"] is None
    check_optimum(toy)


def test_adding_points_and_starting_again(open_toy):
    page = open_toy()
    start = read(page)
    for k, shape in enumerate(("circle", "square", "triangle")):
        page.get_by_role("button", name=f"Add a {shape}").click()
        toy = read(page)
        assert toy["points"][-1]["label"] == k
        assert toy["points"][-1]["id"] == toy["selected"]
        places, _ = arrays(toy)
        assert np.linalg.norm(places[:-1] - places[-1], axis=1).min() >= 0.4 - 1e-3
        check_optimum(toy)
    page.get_by_role("button", name="Remove the selected").click()
    assert len(read(page)["points"]) == 20
    for _ in range(30):
        page.get_by_role("button", name="Add a square").dispatch_event("click")
    assert len(read(page)["points"]) == 40
    choose(page, loss="hinge", reg=1)
    page.get_by_role("button", name="Reset").click()
    toy = read(page)
    assert [{**point, "id": 0} for point in toy["points"]] == [{**point, "id": 0} for point in start["points"]]
    assert toy["objective"] == start["objective"]


def test_the_selected_point_is_explained(open_toy):
    page = open_toy()
    choose(page, reg=1e-3)
    point_at(page, 8).focus()
    toy = read(page)
    softmax, hinge = losses_of(toy, classifier(toy))
    assert toy["pointSoftmax"] == pytest.approx(softmax[8], rel=1e-9)
    assert toy["pointHinge"] == pytest.approx(hinge[8], rel=1e-9, abs=1e-12)
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#toy tr[data-row]").all()]
    shown = np.array([[float(cell.replace("−", "-")) for cell in row[:2]] for row in rows])
    x, y = (toy["points"][8][axis] for axis in "xy")
    scores = np.array([x, y, 1]) @ classifier(toy)
    np.testing.assert_allclose(shown[:, 0], scores, atol=6e-4)
    np.testing.assert_allclose(shown[:, 1], np.exp(scores) / np.exp(scores).sum(), atol=6e-4)
    assert [row[2] for row in rows].index("its own") == toy["points"][8]["label"]


def test_hollow_points_are_those_that_cost_nothing(open_toy):
    page = open_toy()
    assert page.locator(".toy-free").count() == 0
    choose(page, loss="hinge", reg=0.1)
    toy = read(page)
    _, hinge = losses_of(toy, classifier(toy))
    hollow = [point_at(page, i).evaluate("node => node.classList.contains('toy-free')") for i in range(len(hinge))]
    assert hollow == list(hinge < 1e-6)
    assert 0 < sum(hollow) < len(hollow)


def test_regions_and_margins_are_where_the_scores_say(open_toy):
    page = open_toy()
    choose(page, loss="hinge")
    toy = read(page)
    places = np.random.default_rng(0).uniform(-3, 3, (300, 2))
    inside = page.evaluate(
        """(places) => {
            const size = document.querySelector(".toy-plane > svg").clientWidth;
            const polygons = [...document.querySelectorAll(".toy-region, .toy-margin")];
            return places.map(([x, y]) => polygons.map((polygon) =>
                polygon.isPointInFill(new DOMPoint((x + 3) / 6 * size, (3 - y) / 6 * size))));
        }""",
        places.tolist(),
    )
    scores = np.column_stack([places, np.ones(len(places))]) @ classifier(toy)
    lead = np.array([scores[:, k] - np.delete(scores, k, axis=1).max(axis=1) for k in range(3)]).T
    clear = (np.abs(lead) > 0.05).all(axis=1) & (np.abs(lead - 1) > 0.05).all(axis=1)
    np.testing.assert_array_equal(np.array(inside)[clear], np.hstack([lead > 0, lead > 1])[clear])
    assert {tuple(row) for row in (lead > 1)[clear]} == {(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)}


def test_the_screen_reader_is_told_once_it_is_quiet(open_toy):
    page = open_toy()
    page.evaluate("""() => {
        window.told = [];
        const said = document.querySelector("#toy [role=status]");
        new MutationObserver(() => told.push(said.textContent)).observe(said, {childList: true});
    }""")
    point_at(page, 0).focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        read(page)
    page.wait_for_function("() => told.length > 0")
    told = page.evaluate("() => told")
    assert len(told) <= 2
    toy = read(page)
    right = round(toy["accuracy"] * len(toy["points"]))
    assert told[-1] == f"Objective {toy['objective']:.4f}, {right} of {len(toy['points'])} points right."


def picture(page):
    """Corners and middle of the shading, red, green and blue."""
    return page.evaluate("""() => {
        const copy = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const place = [[0, 0], [199, 0], [0, 199], [100, 100]];
        copy.canvas.width = copy.canvas.height = 200;
        copy.drawImage(document.querySelector(".toy-plane > canvas"), 0, 0);
        return place.map(([x, y]) => [...copy.getImageData(x, y, 1, 1).data].slice(0, 3));
    }""")


def luminance(colour):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_shading_follows_theme_and_probabilities(open_toy):
    page = open_toy()
    toy = read(page)
    variables = ("--paper", "--toy-0", "--toy-1", "--toy-2", "--toy-tint")
    shots = {}
    for theme in ("light", "dark"):
        page.evaluate(
            """(theme) => {
            document.documentElement.dataset.theme = theme;
            document.dispatchEvent(new CustomEvent("themechange"));
        }""",
            theme,
        )
        read(page)
        values = page.evaluate(
            "(names) => names.map((n) => getComputedStyle(document.getElementById('toy')).getPropertyValue(n).trim())",
            variables,
        )
        paper, *hues = (np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) for text in values[:4])
        tint = float(values[4])
        shots[theme] = picture(page)
        for (x, y), seen in zip([(-3, 3), (3, 3), (-3, -3), (0, 0)], shots[theme], strict=True):
            scores = np.array([x, y, 1]) @ classifier(toy)
            p = np.exp(scores) / np.exp(scores).sum()
            expected = paper + sum(p[k] ** 2 * tint * (hues[k] - paper) for k in range(3))
            np.testing.assert_allclose(seen, expected, atol=6)
        for hue in hues:
            assert contrast(hue, paper) >= 4.5
            assert contrast(hue, paper + tint * (hue - paper)) >= 3
    assert shots["light"] != shots["dark"]


@pytest.mark.parametrize("viewport", [PHONE, WIDE], ids=["phone", "wide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_violation_and_nothing_cut_off(open_toy, theme, viewport):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_toy(viewport=viewport, color_scheme=theme)
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
    for loss in ("softmax", "hinge"):
        choose(page, loss=loss)
        page.get_by_role("button", name="Add a point deep in its region").click()
        read(page)
        found = axe.Axe().run(page, context="#toy").response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        wide = page.evaluate("""() => [...document.querySelectorAll("#toy *:not(.unseen):not(.toy-skip)")]
            .filter((node) => !node.closest("svg") && node.getBoundingClientRect().right > innerWidth + 0.5)
            .map((node) => node.className)""")
        assert wide == []
        clipped = page.evaluate("""() => [...document.querySelectorAll("#toy :is(button, td, th, dd, dt, output)")]
            .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0)
            .map((node) => node.textContent)""")
        assert clipped == []
    small = page.evaluate("""() => [...document.querySelectorAll("#toy button")]
        .map((node) => node.getBoundingClientRect()).filter((box) => box.height < 24 || box.width < 24).length""")
    assert small == 0


def test_everything_can_be_reached_with_tab_alone(open_toy):
    page = open_toy()
    page.locator('.toy-state [data-do="train"]').focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip the points"
    visible = page.locator(".toy-skip").bounding_box()
    assert visible["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "toy-loss"
    page.keyboard.press("ArrowRight")
    assert read(page)["loss"] == "hinge"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    toy = read(page)
    assert toy["reg"] == pytest.approx(10**-1.9, rel=0.04)
    assert re.fullmatch(r"0\.013", page.locator("#toy-reg").get_attribute("aria-valuetext"))
    check_optimum(toy)
