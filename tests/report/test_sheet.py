import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from PIL import Image

from linprobe.errors import MissingDependencyError, OutputError
from linprobe.report import draw_confusion, draw_grid, draw_losses, draw_templates
from linprobe.report.sheet import Heading, Sheet
from linprobe.report.words import width

VALUES = np.random.default_rng(0).uniform(0.2, 0.9, (4, 5))


def losses(path: Path) -> None:
    draw_losses(
        path, np.arange(300), {"best": np.geomspace(770, 2, 300), "lost": [3.0] * 9 + [np.nan] * 291}, title="a"
    )


def grid(path: Path) -> None:
    values = np.where(VALUES > 0.8, np.nan, VALUES)
    draw_grid(path, np.geomspace(1e-7, 1e-3, 4), np.arange(5), values, best=(0, 0), title="b")


def templates(path: Path) -> None:
    draw_templates(path, VALUES.reshape(2, 5, 2, 1), ["cat", "dog"], title="c")


def confusion(path: Path) -> None:
    draw_confusion(path, np.array([[3, 1], [0, 0]]), ["cat", "dog"], title="d")


PICTURES = [losses, grid, templates, confusion]
every_picture = pytest.mark.parametrize("draw", PICTURES, ids=lambda draw: draw.__name__)


@every_picture
def test_a_picture_is_a_png_of_150_dpi_that_says_nothing_about_the_machine(draw, tmp_path):
    draw(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert set(image.info) == {"dpi"}
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert 600 < image.width < 1300
        assert 300 < image.height < 1300
        corner = np.asarray(image)[:20, :20]
    assert (corner == 255).all()
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.sampled(2)
@every_picture
def test_same_input_same_bytes_and_other_peoples_settings_do_not_matter(draw, tmp_path):
    draw(tmp_path / "a.png")
    first = (tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context():
        matplotlib.style.use("dark_background")
        matplotlib.rcParams.update({
            "font.size": 30, "figure.dpi": 40, "savefig.bbox": "tight", "text.usetex": True, "lines.linewidth": 9,
            "image.origin": "lower", "figure.autolayout": True, "savefig.transparent": True,
        })  # fmt: skip
        before = dict(matplotlib.rcParams)
        draw(tmp_path / "a.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == first


@pytest.mark.slow
def test_pictures_drawn_in_threads_are_the_same_as_one_after_another(tmp_path):
    for draw in PICTURES:
        draw(tmp_path / draw.__name__)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(draw, tmp_path / f"{draw.__name__}{k}") for k in range(4) for draw in PICTURES]:
            done.result()
    for draw in PICTURES:
        alone = (tmp_path / draw.__name__).read_bytes()
        assert [(tmp_path / f"{draw.__name__}{k}").read_bytes() == alone for k in range(4)] == [True] * 4


@every_picture
def test_a_full_disk_leaves_the_old_picture_and_nothing_else(draw, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")

    def full(self, file, **options):
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="no space left"):
        draw(tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        grid(tmp_path / "missing" / "a.png")


@every_picture
def test_without_matplotlib_the_message_says_how_to_install_it(draw, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"matplotlib is not installed.*pip install './linprobe\[plots\]'"):
        draw(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_waits_until_a_picture_is_drawn_and_pyplot_for_ever(tmp_path):
    program = """
import sys, numpy
import linprobe.report
assert "matplotlib" not in sys.modules
linprobe.report.draw_confusion(sys.argv[1], numpy.eye(2, dtype=int), ["a", "b"], title="c")
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program, tmp_path / "a.png"], check=True)


@pytest.mark.parametrize("size", [(1, 1), (799, 601), (1001, 333), (1277, 2311)])
def test_a_page_has_exactly_the_pixels_that_were_asked_for(size):
    assert Sheet(*size).pixels().shape == (size[1], size[0], 3)


def test_an_image_lies_on_the_page_pixel_for_pixel():
    pixels = np.random.default_rng(1).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    sheet = Sheet(101, 67)
    sheet.image(31, 9, pixels)
    page = sheet.pixels()
    np.testing.assert_array_equal(page[9:26, 31:54], pixels)
    page[9:26, 31:54] = 255
    assert (page == 255).all()


def test_letters_are_as_wide_as_they_were_measured_and_centred_where_they_were_asked_for():
    sheet = Sheet(400, 300)
    sheet.text(50, 100, "EEEHHH")
    sheet.text(300, 200, "EEEHHH", upright=True, align="center")
    ink = np.argwhere(sheet.pixels()[:, :200].min(axis=2) < 128)
    assert ink[:, 0].mean() == pytest.approx(100, abs=2)
    assert 50 <= ink[:, 1].min() <= 54
    assert ink[:, 1].max() - 50 == pytest.approx(width("EEEHHH", 9.0), abs=4)
    ink = np.argwhere(sheet.pixels()[:, 200:].min(axis=2) < 128)
    assert (ink.min(axis=0) + ink.max(axis=0)) / 2 == pytest.approx((200, 100), abs=2)


def test_a_heading_is_broken_to_its_width_and_takes_the_room_it_says(check_layout):
    heading = Heading("validation accuracy of many " * 5 + "w" * 200, ["short", "a sentence of some length " * 20], 500)
    sheet = Sheet(572, 400)
    below = heading.draw(sheet)
    check_layout(sheet)
    assert len(sheet.figure.texts) == 6  # two lines of title, one and three of captions
    assert max(text.get_window_extent().x1 for text in sheet.figure.texts) <= 536.5
    assert min(sheet.height - text.get_window_extent().y0 for text in sheet.figure.texts) < below
    assert below == 36 + heading.height
