"""The README's pictures, made from a run.

    python scripts/readme_pictures.py runs/worksheet-cifar10-softmax

templates.png and grid.png are the run's own; report.png is its page as Chromium shows it. They go into docs/images, at
most 300 kB each, and with a palette of 256 colours but for the templates: their colours are the weights.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image

from linprobe.errors import DataError, LinprobeError, MissingDependencyError, require

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
FROM_RUN = {"templates.png": None, "grid.png": 256}
PAGE, WINDOW = "report.html", {"width": 1440, "height": 850}
MOST_BYTES = 300_000


def main() -> None:
    """Make all pictures, or say in one line why not."""
    parser = argparse.ArgumentParser(description="Make the README's pictures from a run's folder.")
    parser.add_argument("run", type=Path, help="the folder that linprobe worksheet left")
    run = parser.parse_args().run
    try:
        for name, colours in FROM_RUN.items():
            path = run / name
            if not path.is_file():
                raise DataError(f"{path}: does not exist; give a folder that linprobe worksheet left")
            save(IMAGES / name, Image.open(path), colours=colours)
        save(IMAGES / "report.png", Image.open(io.BytesIO(photograph(run / PAGE))), colours=256)
    except LinprobeError as error:
        sys.exit(f"readme_pictures: {error}")


def photograph(page: Path) -> bytes:
    """The top of a page, as wide as a laptop shows it, PNG."""
    if not page.is_file():
        raise DataError(f"{page}: does not exist; write it: linprobe report {page.parent}")
    chromium = shutil.which("chromium")
    if chromium is None:
        raise MissingDependencyError("chromium is not installed, and this needs it: apt-get install chromium")
    playwright = require("playwright.sync_api", "test")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            tab = browser.new_page(viewport=WINDOW, color_scheme="light", reduced_motion="reduce")
            tab.goto(page.resolve().as_uri())
            tab.wait_for_load_state("load")
            tab.wait_for_timeout(1_500)  # the figures are drawn after the page has loaded
            return tab.screenshot()
        finally:
            browser.close()


def save(path: Path, picture: Image.Image, *, colours: int | None) -> None:
    """Write a PNG, with a palette of so many colours or, with None, with all that it has."""
    plain, buffer = picture.convert("RGB"), io.BytesIO()
    if colours is not None:
        plain = plain.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    plain.save(buffer, "PNG", optimize=True)
    size = len(buffer.getvalue())
    if size > MOST_BYTES:
        raise DataError(f"{path.name}: has {size:,} bytes, at most {MOST_BYTES:,} are wanted; make the picture smaller")
    path.write_bytes(buffer.getvalue())
    print(f"{path.relative_to(IMAGES.parents[1])}: {size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
