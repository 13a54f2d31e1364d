"""The page of a run as its reader uses it: by mouse and keyboard, in the dark, on a phone, with names that do harm."""

import re

import pytest

from linprobe.report.page import render
from linprobe.report.page.names import class_names
from linprobe.report.settings import settings_of
from linprobe.results.steps import TITLES
from runs import HOSTILE, made_up, run_of  # pyright: ignore[reportMissingImports]

WIDE, PHONE, WIDEST = (1440, 900), (390, 844), (2560, 1440)
MADE = {"hostile": {"classes": HOSTILE}, "many classes": {"K": 400, "grid": (30, 30)}}


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The page of a kind of run, in a folder with nothing else in it."""
    folder, files = tmp_path_factory.mktemp("pages"), {}

    def make(kind):
        if kind not in files:
            run = made_up(**MADE[kind]) if kind in MADE else run_of(kind)
            files[kind] = folder / f"{kind.replace(' ', '-')}.html"
            files[kind].write_bytes(render(run).encode(errors="replace"))
        return files[kind]

    return make


@pytest.fixture
def show(open_page, page_file):
    def open_kind(kind, size=WIDE, **options):
        page = open_page(
            page_file(kind),
            viewport=dict(zip(("width", "height"), size, strict=True)),
            reduced_motion="reduce",
            **options,
        )
        drawn = "() => [...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))"
        page.wait_for_function(drawn)
        return page

    return open_kind


def hover_cell(page, name, place, shape, words):
    """Point at a cell of a heat map, counted from above, until it says these words; returns all that it says."""
    page.locator(f"#plot-{name}").scroll_into_view_if_needed()
    box = page.locator(f"#plot-{name} .heatmaplayer image").bounding_box()
    (row, column), (rows, columns) = place, shape
    page.mouse.move(box["x"] + (column + 0.5) / columns * box["width"], box["y"] + (row + 0.3) / rows * box["height"])
    return said_by(page, name, words)


def said_by(page, name, words):
    # Names in figures are isolated from the direction of the words around them, by characters that are not seen.
    hover = f"document.querySelector('#plot-{name} .hoverlayer').textContent.replace(/[\\u2068\\u2069]/g, '')"
    page.wait_for_function(f"(words) => {hover}.includes(words)", arg=words)
    return page.evaluate(hover)


def test_every_section_is_reached_from_the_contents(show):
    page = show("worksheet")
    links = page.locator(".contents a")
    assert links.count() == 10
    for k in range(links.count()):
        links.nth(k).click()
        target = links.nth(k).get_attribute("href")
        assert page.evaluate("location.hash") == target
        top = page.locator(target).bounding_box()["y"]
        end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        assert -10 <= top < 60 or end, target
        assert page.locator(f"{target} h1, {target} h2").first.is_visible()
    page.locator(".contents a[aria-current]").wait_for()
    assert page.title() == "Softmax classifier on digits: linprobe worksheet"


def test_pointing_at_a_setting_shows_all_its_figures(show):
    run, page = run_of("worksheet"), show("worksheet")
    axes = run.numbers.grid.axes
    found = settings_of(run)
    for k in (0, 5, found.best):
        row = found.rows[k]
        place = axes["learning_rate"].index(row.learning_rate), axes["reg"].index(row.reg)
        said = hover_cell(
            page, "grid", (2 - place[0], place[1]), (3, 3), " ".join(("objective", *found.cells(k, ["objective"])))
        )
        for name, words in zip(found.columns, found.cells(k), strict=True):
            assert f"{TITLES[name]} {words}" in said


def test_pointing_at_a_confusion_says_it_in_words(show):
    run, page = run_of("worksheet"), show("worksheet")
    counts = run.evidence.counts
    hover_cell(page, "confusion", (3, 3), (10, 10), f"{counts[3, 3]} of {counts[3].sum()} examples of 3 recognised")
    hover_cell(
        page,
        "confusion",
        (8, 1),
        (10, 10),
        f"{counts[8, 1]} of {counts[8].sum()} examples of 8 predicted as 1",
    )


def test_a_path_is_pointed_at_too(show):
    run, page = run_of("tune"), show("tune")
    found = settings_of(run)
    page.locator("#plot-grid").scroll_into_view_if_needed()
    ring = page.locator("#plot-grid .scatterlayer .trace").last.locator(".point").bounding_box()
    page.mouse.move(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    said = said_by(page, "grid", "proven gap")
    for name, words in zip(found.columns, found.cells(found.best), strict=True):
        assert f"{TITLES[name]} {words}" in said


def test_tables_are_sorted_from_the_keyboard(show):
    page = show("hinge")
    table = page.locator("#settings table")
    column = [title.strip() for title in table.locator("thead th").all_text_contents()].index("reg")

    def cells(place):
        return table.locator(f"tbody td:nth-child({place + 1})").all_text_contents()

    best_first = cells(column + 2)
    assert best_first[-3:] == ["–"] * 3  # those that diverged
    heading = table.locator("thead th", has_text="reg")
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(cell) for cell in cells(column)] == sorted((float(cell) for cell in cells(column)), reverse=True)
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(cell) for cell in cells(column)] == sorted(float(cell) for cell in cells(column))
    assert table.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    # What has no figure stays at the end, whichever way.
    validation = table.locator("thead th button", has_text=re.compile("^validation$"))
    for _ in range(2):
        validation.click()
        assert cells(column + 2)[-3:] == ["–"] * 3
    assert table.locator("tr.marked td").first.text_content() == "chosen"


def test_the_theme_is_the_systems_until_the_reader_chooses(show):
    page = show("worksheet", color_scheme="dark")
    ink = "() => getComputedStyle(document.querySelector('#plot-grid .xtick text')).fill"
    theme = "() => document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    in_the_dark = page.evaluate(ink)
    page.evaluate("() => document.addEventListener('themechange', () => (window.told = (window.told ?? 0) + 1))")
    page.emulate_media(color_scheme="light")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
    assert page.evaluate("window.told") == 1
    assert page.evaluate(ink) != in_the_dark
    page.get_by_role("button", name="Use dark colours").click()
    assert page.evaluate(theme) == "dark"
    assert page.evaluate(ink) == in_the_dark
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(theme) == "dark"
    # On paper it is light, and only there.
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == "light"
    assert page.locator("#plot-grid .main-svg").first.bounding_box()["width"] == 640
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"
    assert page.locator("#plot-grid .main-svg").first.bounding_box()["width"] > 900


@pytest.mark.parametrize("granted", [True, False])
def test_the_command_is_copied_or_selected(show, granted):
    page = show("tune")
    if granted:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy").click()
    said = page.locator("#copied")
    said.get_by_text("Copied." if granted else "Selected").wait_for()
    text = page.evaluate("() => navigator.clipboard.readText()" if granted else "() => String(getSelection())")
    assert text.strip() == "git clone URL-OF-LINPROBE linprobe\npip install './linprobe[all]'\nlinprobe tune digits"


def test_hostile_names_are_words_and_nothing_else(show):
    page = show("hostile")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    names = class_names(HOSTILE)
    shown = page.locator("#templates .name").all_text_contents()
    assert shown == names
    ticks = "() => [...document.querySelectorAll('#plot-confusion .ytick text')].map((tick) => tick.textContent)"
    assert sorted(page.evaluate(ticks)) == sorted(f"\u2068{name}\u2069" for name in class_names(names, 16))
    K = len(names)
    hover_cell(page, "confusion", (0, 13), (K, K), f"examples of {names[0]} predicted as {names[13]}")
    assert page.locator("img[src='x'], [onerror], main script").count() == 0
    assert dialogs == []


def test_one_of_many_templates_is_found_by_its_name(show):
    page = show("many classes")
    tiles = page.locator("#tiles li")
    everything = tiles.count()
    assert everything > 100
    page.get_by_label("Find a class").fill("NUMBER 17")
    visible = page.locator("#tiles li:not([hidden]) .name").all_text_contents()
    assert visible == [f"class number {k}" for k in (17, *range(170, 180)) if k < everything]
    assert page.locator("#found").text_content() == f"{len(visible)} of {everything}"
    page.get_by_label("Find a class").fill("")
    assert page.locator("#tiles li:not([hidden])").count() == everything


CUT_OFF = """() => {
  const own = ".scroll, .contents ul, .plot, .unseen, .many, svg *";  // they push or cut what is in them
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    if (box.width * box.height === 0 || element.closest(own)) continue;
    if (getComputedStyle(element).position === "absolute") continue;
    if (box.left < -1 || box.right > innerWidth + 1) found.push(element.outerHTML.slice(0, 200));
  }
  return found;
}"""

TEXT_OUTSIDE_PLOTS = """() => {
  const found = [];
  for (const plot of document.querySelectorAll(".plot")) {
    const frame = plot.getBoundingClientRect();
    for (const text of plot.querySelectorAll(".xtick text, .ytick text, .legendtext, .xtitle, .ytitle, .cbaxis text")) {
      const box = text.getBoundingClientRect();
      if (box.width && (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 ||
          box.bottom > frame.bottom + 2)) found.push(`${plot.id}: ${text.textContent}`);
    }
  }
  return found;
}"""


def everything_fits(page, width):
    """On a screen of this width, with plots that are drawn for it."""
    frame = "document.querySelector('#plot-grid')"
    page.wait_for_function(f"() => {frame}.querySelector('.main-svg').clientWidth === {frame}.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(TEXT_OUTSIDE_PLOTS) == []
    return page.locator("#plot-grid").bounding_box()["width"]


@pytest.mark.parametrize("kind", ["worksheet", "hostile"])
def test_nothing_is_cut_off_on_a_phone(show, kind):
    page = show(kind, PHONE, has_touch=True, is_mobile=True)
    assert everything_fits(page, PHONE[0]) >= 340


@pytest.mark.parametrize("kind", ["worksheet", "hostile"])
def test_nothing_is_cut_off_on_wide_screens_which_are_used(show, kind):
    page = show(kind, WIDE)
    assert everything_fits(page, WIDE[0]) >= 1100
    for (width, height), least in ((WIDEST, 1400), ((600, 900), 550), (WIDE, 1100)):
        page.set_viewport_size({"width": width, "height": height})
        assert everything_fits(page, width) >= least


PUSHED = """() => [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.getAttribute("aria-labelledby"))"""


def test_no_table_is_wider_than_its_place_on_any_wide_screen(show):
    page = show("worksheet")
    for width in range(960, 1500, 20):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(PUSHED) == [], width


@pytest.mark.parametrize(("kind", "size"), [("worksheet", WIDE), ("hostile", PHONE), ("features", WIDE)])
def test_axe_finds_nothing_serious(show, kind, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = show(kind, size)
    for theme in ("light", "dark"):
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        told = [
            f"{one['impact']} {one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in axe.Axe().run(page).response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]
        assert told == []
        page.locator("#theme").click()


def test_without_scripts_the_words_the_tables_and_the_pictures_are_there(open_page, page_file):
    run = run_of("worksheet")
    page = open_page(page_file("worksheet"), java_script_enabled=False)
    text = page.locator("main").text_content()
    assert "scripts are switched off here" in text
    assert f"{run.numbers.test.accuracy:.4f}" in text
    assert page.locator("#settings tbody tr").count() == len(run.numbers.grid.rows)
    assert page.locator("#templates img").first.is_visible()


def test_pictures_are_enlarged_without_blur(show):
    page = show("worksheet")
    for picture in ("#templates img", "#failures img"):
        first = page.locator(picture).first
        assert first.evaluate("(image) => getComputedStyle(image).imageRendering") == "pixelated"
        assert first.evaluate("(image) => image.naturalWidth") == 8
        assert first.bounding_box()["width"] >= 90
