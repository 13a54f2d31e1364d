"""The PDF that is handed in, page by page: what is on it, that nothing is cut off, and that text stays text."""

import base64
import io
import re

import nbformat
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from linprobe.errors import OutputError
from linprobe.learn.notebook import make_notebook, print_pdf
from linprobe.learn.notebook.cells import WIDTH

MM = 72 / 25.4


@pytest.fixture(scope="module")
def printed(executed, tmp_path_factory):
    path = tmp_path_factory.mktemp("pdf") / "w.pdf"
    print_pdf(path, executed)
    return path


def pages(path):
    return list(pypdfium2.PdfDocument(path))


def text(path):
    return "\n".join(page.get_textpage().get_text_bounded() for page in pages(path)).replace("\r", "")


def squeezed(words):
    """Without spaces and line ends, which are not where they were once a paragraph is set."""
    return re.sub(r"\s+", "", words)


def ink(page):
    """Where a page is not white: bool (height, width), one entry a third of a millimetre."""
    grey = np.asarray(page.render(scale=3 / MM).to_pil().convert("L"))
    return grey < 200


def pictures(path):
    return [found for page in pages(path) for found in page.get_objects() if isinstance(found, pypdfium2.PdfImage)]


@pytest.mark.slow
def test_every_page_is_full_numbered_and_within_its_margins(printed):
    found = pages(printed)
    assert 7 <= len(found) <= 13
    for number, page in enumerate(found, start=1):
        width, height = page.get_size()
        assert (width / MM, height / MM) == pytest.approx((210, 297), abs=0.1)
        words = page.get_textpage().get_text_bounded()
        assert len(words) > 300
        assert f"{number} / {len(found)}" in words
        marks = ink(page)
        assert marks[:, : 3 * 10].sum() == 0
        assert marks[:, -3 * 18 :].sum() == 0
        assert marks[: 3 * 15].sum() == 0
        assert marks[-3 * 10 :].sum() == 0


def test_all_that_was_said_is_on_paper(printed, executed):
    on_paper = squeezed(text(printed))
    for cell in executed.cells:
        if "hosted" in cell.metadata.get("tags", []):
            assert squeezed(cell.source) not in on_paper
        elif cell.cell_type == "code":
            for line in cell.source.split("\n"):
                assert squeezed(line) in on_paper
            for output in cell.outputs:
                lines = output.text if output.output_type == "stream" else output.data.get("text/markdown", "")
                if "|" not in lines:
                    for line in lines.split("\n"):
                        assert squeezed(line.replace("**", "")) in on_paper
        else:
            heading = re.search(r"^#+ (.*)$", cell.source, re.MULTILINE)
            assert heading is None or squeezed(heading[1]) in on_paper
    assert "−logpy,wherepk=expsk/Σjexpsj" in on_paper
    assert "**" not in on_paper.replace("**SIZES", "").replace("**Answer.**", "")
    assert "<sub>" not in on_paper
    assert "bestvalidationaccuracy" in on_paper


def test_all_pictures_are_there_and_whole(printed, executed):
    drawn = [out for cell in executed.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    found = pictures(printed)
    assert len(found) == len(drawn) == 5
    for picture, output in zip(found, drawn, strict=True):
        with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as image:
            assert picture.get_px_size() == image.size
            left, bottom, right, top = picture.get_bounds()
            assert (right - left) / (top - bottom) == pytest.approx(image.width / image.height, rel=0.01)
            assert image.width / (right - left) * 72 > 150  # pixels an inch: sharp in print
        assert left > 20 * MM
        assert right < (210 - 20) * MM
        assert bottom > 20 * MM


def test_the_document_says_what_it_is(printed):
    document = pypdfium2.PdfDocument(printed)
    assert document.get_metadata_value("Title") == "A linear classifier, from its first loss to its templates"
    assert pypdfium2.raw.FPDFCatalog_IsTagged(document.raw)  # for those who have it read to them
    contents = [item.get_title() for item in document.get_toc()]
    assert [title for title in contents if title[0].isdigit()] == [
        "1 · Data", "2 · The first loss", "3 · The gradient", "4 · Matrix form", "5 · Tune", "6 · Test", "7 · Look",
    ]  # fmt: skip


def with_outputs(*outputs, source="1"):
    notebook = make_notebook()
    v4 = nbformat.v4
    notebook.cells = [
        v4.new_markdown_cell("# A title"),
        v4.new_code_cell(source, outputs=list(outputs), execution_count=1),
    ]
    return notebook


def said(words):
    return nbformat.v4.new_output("stream", text=words)


HOSTILE = [
    '#import "/etc/passwd"', "$x^2$ *b* _i_ `r` = h", "<script>alert(1)</script>", '"quoted" \\n \\u{41}', "[#panic()]",
    "@reference <label> ~ -- ... 'single'", "// comment /* other */", "&amp; <b>bold</b>",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words, tmp_path):
    notebook = with_outputs(said(words), source=f"path = {words!r}")
    print_pdf(tmp_path / "w.pdf", notebook)
    on_paper = text(tmp_path / "w.pdf")
    assert words in on_paper
    assert f"path = {words!r}" in on_paper


@pytest.mark.parametrize(
    "words",
    [
        "\x1b[31mred\x07",
        "\u202egnp.exe",
        "\ud83d\ude00 \udcff",
        "日本語 العربية עברית ไทย 🎉 ☃ ﷽",
        "a\u0301\u0327",
        "\ue000",
    ],
)
def test_letters_of_all_kinds_can_be_set(words, tmp_path):
    print_pdf(tmp_path / "w.pdf", with_outputs(said(f"before {words} after")))
    on_paper = text(tmp_path / "w.pdf")
    assert "before" in on_paper
    assert "after" in on_paper


def test_long_lines_go_on_in_the_next(tmp_path):
    words = "".join(chr(ord("a") + k % 26) for k in range(500))
    print_pdf(tmp_path / "w.pdf", with_outputs(said(words), source=f"SOURCE = '{words}'"))
    assert squeezed(text(tmp_path / "w.pdf")).replace("↪", "").count(words) == 2
    marks = ink(pages(tmp_path / "w.pdf")[0])
    assert marks[:, -3 * 20 :].sum() == 0
    assert marks[:, -3 * 40 : -3 * 20].any()
    assert WIDTH < 100


@pytest.mark.parametrize("shape", [(4000, 300), (300, 4000), (8, 8)])
def test_pictures_of_any_shape_fit_one_page(shape, tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)).save(file, "PNG")
    picture = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "a picture"}
    print_pdf(tmp_path / "w.pdf", with_outputs(said("before"), nbformat.v4.new_output("display_data", data=picture)))
    (found,) = pictures(tmp_path / "w.pdf")
    left, bottom, right, top = found.get_bounds()
    assert left > 20 * MM
    assert right < 190 * MM
    assert bottom > 20 * MM
    assert top < (297 - 15) * MM
    assert (right - left) / (top - bottom) == pytest.approx(shape[1] / shape[0], rel=0.01)


def test_a_pdf_that_cannot_be_made_leaves_nothing(tmp_path):
    broken = nbformat.v4.new_output("display_data", data={"image/png": base64.b64encode(b"no picture").decode()})
    with pytest.raises(OutputError, match=r"w\.pdf: cannot be set"):
        print_pdf(tmp_path / "w.pdf", with_outputs(broken))
    assert list(tmp_path.iterdir()) == []
