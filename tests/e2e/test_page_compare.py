"""The page of a comparison in a browser: on a desk and a phone, light and dark, sorted by its headings."""

import pytest

from linprobe.report.page.runs import render_runs
from linprobe.tasks.compare_runs import ComparedPair, ComparedRun, RunsComparison

WIDE, PHONE = (1440, 900), (390, 844)


def compared(names):
    """Runs with accuracies that fall, each pair with its difference."""
    accuracies = [0.9 - 0.013 * k for k in range(len(names))]
    runs = tuple(
        ComparedRun(
            name=name, folder=f"runs/{name}", source=name, loss="softmax", solver="exact", features=8 + k,
            correct=int(1000 * share), accuracy=share, interval=(share - 0.02, share + 0.02),
        )
        for k, (name, share) in enumerate(zip(names, accuracies, strict=True))
    )  # fmt: skip
    pairs = tuple(
        ComparedPair(
            first=names[a], second=names[b], difference=(lead := accuracies[a] - accuracies[b]),
            interval=(lead - 0.02, lead + 0.02), interval_of_all=(lead - 0.03, lead + 0.03),
            verdict="better" if lead > 0.03 else "no difference shown",
        )
        for a in range(len(names)) for b in range(a + 1, len(names))
    )  # fmt: skip
    return RunsComparison(n=1000, fingerprint="sha256:" + 64 * "a", resamples=10_000, runs=runs, pairs=pairs)


@pytest.fixture
def show(open_page, tmp_path):
    def open_with(names, size):
        path = tmp_path / "compare.html"
        path.write_text(render_runs(compared(names)), encoding="utf-8")
        return open_page(path, viewport=dict(zip(("width", "height"), size, strict=True)))

    return open_with


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_it_fits_and_axe_finds_nothing_serious(show, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = show(["a", "b", "c", "a-name-" * 30, "<b>bold</b>"], size)
    for _ in ("light", "dark"):
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        found = axe.Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        page.locator("#theme").click()


def test_the_tables_are_sorted_by_their_headings(show):
    page = show(["layer2", "layer10", "layer1"], WIDE)
    cells = page.locator("#runs tbody tr td:first-child")
    assert cells.all_inner_texts() == ["layer2", "layer10", "layer1"]
    page.locator("#runs th button", has_text="run").click()
    assert cells.all_inner_texts() == ["layer1", "layer2", "layer10"]
    page.locator("#pairs th button", has_text="higher by").click()
    assert page.locator("#pairs tbody tr td:nth-child(4)").all_inner_texts() == ["0.0260", "0.0130", "0.0130"]
