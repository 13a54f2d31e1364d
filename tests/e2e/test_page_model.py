"""The model inside the page: about the same bytes it says what `linprobe predict` says, whatever brings them."""

import base64
import functools
import io
import json
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from linprobe.cli import main
from linprobe.data.sight import see
from linprobe.errors import DataError
from linprobe.report.page import render, write_page
from linprobe.report.page.model import model_of as payload
from linprobe.report.page.names import class_names, isolated
from linprobe.report.page.template import ASSETS
from makers import picture  # pyright: ignore[reportMissingImports]
from runs import HOSTILE, made_up, run_of  # pyright: ignore[reportMissingImports]

NEAR = 1e-6  # in probability and score; what is asked for is 1e-4


def gentle(run, scale, **changes):
    """The same run with smaller weights, so that its probabilities are neither 0 nor 1."""
    classifier = run.classifier
    preparation = replace(classifier.preparation, **changes)
    return replace(run, classifier=replace(classifier, W=classifier.W * np.float32(scale), preparation=preparation))


def photographs():
    """A run of noise in the shape of CIFAR-10, about a mean that is not 0, with names that mean harm."""
    run = made_up(shape=(32, 32, 3), classes=HOSTILE)
    return gentle(run, 1 / 2000, mean=np.random.default_rng(1).uniform(90, 150, 3072).astype(np.float32))


RUNS = {
    "digits": lambda: run_of("worksheet"),
    "svm": lambda: gentle(run_of("hinge"), 10, unit_rows=True),
    "photographs": photographs,
    "portraits": lambda: gentle(made_up(K=3, shape=(12, 9, 3)), 1 / 1000),
}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """A folder with model.safetensors, report.html and model.html: the page with no other scripts than the model's.

    Most tests are about these. Without the others, plotly's above all, a page is there at once.
    """

    @functools.cache
    def make(kind):
        folder = tmp_path_factory.mktemp(kind)
        run = RUNS[kind]()
        run.classifier.save(folder / "model.safetensors")
        html = render(run)
        (folder / "report.html").write_bytes(html.encode(errors="replace"))
        kept = {path.read_text(encoding="utf-8") for path in (ASSETS / "theme.js", *ASSETS.glob("model*.js"))}
        lean = re.sub(
            r"<script>(.*?)</script>", lambda found: found[0] if found[1] in kept else "", html, flags=re.DOTALL
        )
        assert lean.count("<script>") == len(kept)
        (folder / "model.html").write_bytes(lean.encode(errors="replace"))
        return folder

    return make


@pytest.fixture
def digits(folder_of):
    return folder_of("digits")


@pytest.fixture
def photos(folder_of):
    return folder_of("photographs")


@pytest.fixture
def predict(tmp_path, monkeypatch, capsys):
    """What `linprobe predict --json` says about a file of these bytes, with all classes."""

    def call(run, content, *options):
        path = tmp_path / "file"
        path.write_bytes(content)
        arguments = ["linprobe", "predict", run / "model.safetensors", path, "--top", "1000", "--json", *options]
        monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0
        (one,) = json.loads(capsys.readouterr().out)["predictions"]
        return one

    return call


# As the page shows them.
NAMES: dict[str, str] = dict(zip(HOSTILE, map(isolated, class_names(HOSTILE)), strict=True))


def choose(page, content, name="picture.png"):
    page.set_input_files("#model-file", {"name": name, "mimeType": "", "buffer": content})
    page.wait_for_selector("#model-answer[data-class], #model-error:not(:empty)")


def assert_agrees(page, predicted):
    """All that the page says, against what predict says; returns the largest difference of a probability."""
    rows = page.eval_on_selector_all("#model-classes label", "rows => rows.map(row => ({...row.dataset}))")
    said = {row["class"]: row for row in rows}
    names = NAMES if predicted["class"] in NAMES else {one["class"]: one["class"] for one in predicted["top"]}
    assert list(said) == [names[one["class"]] for one in predicted["top"]]
    difference = 0.0
    for one in predicted["top"]:
        assert float(said[names[one["class"]]]["score"]) == pytest.approx(one["score"], abs=NEAR)
        if one["probability"] is None:
            assert "probability" not in said[names[one["class"]]]
        else:
            difference = max(difference, abs(float(said[names[one["class"]]]["probability"]) - one["probability"]))
    assert difference <= NEAR
    answer = page.locator("#model-answer")
    assert answer.get_attribute("data-class") == names[predicted["class"]]
    assert answer.text_content().startswith(f"{names[predicted['class']]}: ")
    assert float(answer.get_attribute("data-score")) == pytest.approx(predicted["score"], abs=NEAR)
    return difference


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(width=61, height=47, mode="RGB", seed=0):
    """A picture with soft and hard edges and some noise, as a photograph has; transparent in places where it can be."""
    y, x = np.mgrid[0:height, 0:width]
    bands = [
        128 + 90 * np.sin(x / (5 + band) + seed) * np.cos(y / 7) + 40 * ((x + y * band) % 23 < 9) for band in range(4)
    ]
    values = np.stack(bands, axis=2) + np.random.default_rng(seed).normal(0, 9, (height, width, 1))
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8), "RGBA")
    if mode == "LA":
        return Image.merge("LA", (image.convert("L"), image.getchannel("A")))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def turned(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def swapped_colours():
    """A colour profile in which red is blue: whoever applies it shows another picture."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {}
    for entry in range(struct.unpack(">I", profile[128:132])[0]):
        name, place, _ = struct.unpack(">4sII", profile[132 + 12 * entry : 144 + 12 * entry])
        places[name] = slice(place, place + 20)
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    profile[red], profile[blue] = profile[blue], profile[red]
    return bytes(profile)


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = {
    0: [(0, 0, 1, 1)],
    1: [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)],
}


def png(width, height, depth, kind, *further, interlaced=0):
    """A PNG of any sort, also those that Pillow does not write: random samples, every filter, further chunks."""
    rng = np.random.default_rng(width * height + depth)
    rows = b""
    for x, y, dx, dy in PASSES[interlaced]:
        columns = -(-(width - x) // dx)
        for row in range(-(-(height - y) // dy) if columns > 0 else 0):
            size = -(-columns * CHANNELS[kind] * depth // 8)
            rows += bytes([row % 5]) + rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    return assembled(width, height, depth, kind, rows, *further, interlaced=interlaced)


def assembled(width, height, depth, kind, rows, *further, interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *further, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def pngs():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"Pillow's {mode}", encoded(scene(mode=mode))
    yield "with a colour profile", encoded(scene(), icc_profile=swapped_colours())
    yield "optimised palette, transparent", encoded(scene(mode="P"), transparency=3, optimize=True)
    palette = (b"PLTE", bytes(range(0, 240, 5)) * 16)
    for kind, depths in {0: (1, 2, 4, 8), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            further = [(b"PLTE", palette[1][: 3 * 2**depth])] if kind == 3 else []
            for interlaced in (0, 1):
                for width, height in ((1, 1), (3, 2), (9, 17), (21, 13)):
                    sort = f"kind {kind}, {depth} bits, interlaced {interlaced}, {width} x {height}"
                    yield sort, png(width, height, depth, kind, *further, interlaced=interlaced)
            clear = {0: struct.pack(">H", 1), 2: bytes([0, 7] * 3), 3: bytes([0, 90, 255, 180][: 2**depth])}.get(kind)
            if clear:
                yield f"kind {kind}, {depth} bits, transparent", png(21, 13, depth, kind, *further, (b"tRNS", clear))
    yield "colours that are not in the palette", png(21, 13, 8, 3, (b"PLTE", bytes(range(30))))
    yield "gamma", png(21, 13, 8, 2, (b"gAMA", struct.pack(">I", 100_000)))
    yield "sRGB", png(21, 13, 8, 2, (b"sRGB", b"\0"))
    yield "chromaticities", png(21, 13, 8, 2, (b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", bytes(range(32))))
    yield "Pillow's RGB with more behind it", encoded(scene()) + b"more"
    for orientation in range(1, 9):
        yield f"turned, {orientation}", encoded(scene(mode="RGBA"), exif=turned(orientation))
    content = encoded(scene(), exif=turned(6))
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    yield "turned, said behind the pixels", content[:start] + content[end:-12] + content[start:end] + content[-12:]


def jpegs():
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            for size in ((61, 47), (16, 16), (33, 90)):
                for quality in (40, 75, 95):
                    options = {"subsampling": subsampling, "progressive": progressive, "quality": quality}
                    yield f"{options}, {size}", encoded(scene(*size), "JPEG", **options)
    yield "one pixel", encoded(scene(1, 1), "JPEG")
    yield "grey", encoded(scene(mode="L"), "JPEG")
    yield "RGB, not YCbCr", encoded(scene(), "JPEG", keep_rgb=True)
    yield "restarts", encoded(scene(), "JPEG", restart_marker_rows=1)
    yield "with a colour profile", encoded(scene(), "JPEG", icc_profile=swapped_colours())
    yield "with a comment", encoded(scene(), "JPEG", comment=b"\xff\xd9" * 9)
    for orientation in range(1, 9):
        yield f"turned, {orientation}", encoded(scene(), "JPEG", exif=turned(orientation))


def every_transparency():
    """Each value with each transparency: what a canvas, which multiplies the two, may round in its own way."""
    value, alpha = np.meshgrid(np.arange(256), np.arange(256))
    return Image.fromarray(np.stack([value, 255 - value, value * 7 % 256, alpha], axis=2).astype(np.uint8), "RGBA")


def webps():
    for size in ((61, 47), (16, 16), (33, 90), (1, 1)):
        for mode in ("RGB", "RGBA", "L"):
            yield f"lossless, {mode}, {size}", encoded(scene(*size, mode), "WEBP", lossless=True, exact=True)
            for quality in (5, 40, 95):
                yield f"{mode}, {quality}, {size}", encoded(scene(*size, mode), "WEBP", quality=quality)
    yield "every transparency", encoded(every_transparency(), "WEBP", lossless=True, exact=True)
    for orientation in range(1, 9):
        for mode in ("RGB", "RGBA"):
            yield f"turned, {mode}, {orientation}", encoded(scene(mode=mode), "WEBP", exif=turned(orientation))
    yield "with a colour profile", encoded(scene(), "WEBP", icc_profile=swapped_colours())
    yield "with more behind it", encoded(scene(), "WEBP") + b"more"
    hidden = bytearray(encoded(scene(), "WEBP", exif=turned(6)))
    hidden[20] &= ~0x08
    yield "turned, but its header does not say so", bytes(hidden)
    frames = [scene(mode="RGBA", seed=seed) for seed in range(3)]
    yield "moving", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


SEE = """async ([files, shape]) => {
  const { decode, see } = document.getElementById("model");
  const seen = [];
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    try {
      const { levels } = see(await decode(new Blob([bytes])), shape);
      seen.push(Array.from(levels));
    } catch (error) {
      seen.push(error.message);
    }
  }
  return seen;
}"""


def seen_by_page(page, files, shape):
    return page.evaluate(SEE, [[base64.b64encode(file).decode() for file in files], list(shape)])


@pytest.mark.parametrize("sort", [pngs, jpegs, webps])
@pytest.mark.parametrize("shape", [(8, 8, 1), (24, 33, 3)])
def test_every_picture_is_seen_to_the_last_bit_as_predict_sees_it(sort, shape, digits, open_page):
    cases = dict(sort())
    seen = seen_by_page(open_page(digits / "model.html"), cases.values(), shape)
    different = {}
    for (name, file), levels in zip(cases.items(), seen, strict=True):
        expected = see(file, shape, 255.0, name)
        if not np.array_equal(levels, expected.ravel()):
            different[name] = levels if isinstance(levels, str) else np.abs(levels - expected.ravel()).max()
    assert different == {}


def test_a_picture_of_the_right_size_is_not_touched(digits, open_page):
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    (levels,) = seen_by_page(open_page(digits / "model.html"), [picture(values)], values.shape)
    np.testing.assert_array_equal(levels, values.ravel())


FILES = {
    "digit.png": encoded(scene(40, 60, "L")),
    "transparent.png": encoded(scene(mode="LA", seed=4)),
    "palette.png": encoded(scene(mode="P", seed=2)),
    "colour.png": encoded(scene(31, 77, "RGBA", seed=3)),
    "photo.jpg": encoded(scene(320, 213), "JPEG", quality=85),
    "turned.jpg": encoded(scene(90, 40, seed=5), "JPEG", exif=turned(6)),
    "turned.webp": encoded(scene(90, 40, "RGBA", seed=6), "WEBP", exif=turned(8)),
}


@pytest.mark.parametrize("kind", RUNS)
def test_what_is_chosen_is_answered_as_predict_answers(kind, folder_of, predict, open_page):
    run = folder_of(kind)
    page = open_page(run / ("report.html" if kind == "digits" else "model.html"))
    spread = []
    for name, content in FILES.items():
        choose(page, content, name)
        assert_agrees(page, one := predict(run, content))
        spread.append(one["probability"])
        if name in ("digit.png", "photo.jpg"):
            page.check("#model-invert")
            assert_agrees(page, predict(run, content, "--invert"))
            page.uncheck("#model-invert")
        page.click("#model-clear")
        assert page.is_hidden("#model-result")
        assert page.get_attribute("#model-answer", "data-class") is None
    # Agreement on 0 and 1 would say nothing.
    assert kind == "svm" or sum(0.02 < share < 0.98 for share in spread) >= 3


TRANSFER = """([content, name]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""


def transfer(page, content, name="picture.png"):
    return page.evaluate_handle(TRANSFER, [base64.b64encode(content).decode(), name])


def test_a_picture_can_be_dropped_anywhere(photos, predict, open_page):
    from playwright.sync_api import expect

    page = open_page(photos / "model.html")
    content = encoded(scene(seed=7), "JPEG")
    dropped = transfer(page, content)
    page.dispatch_event("h1", "dragover", {"dataTransfer": dropped})
    assert "model-over" in page.get_attribute("#model", "class")
    page.dispatch_event("h1", "drop", {"dataTransfer": dropped})
    page.wait_for_selector("#model-answer[data-class]")
    assert page.get_attribute("#model", "class") == ""
    assert_agrees(page, predict(photos, content))
    expect(page.locator("#model-answer")).to_be_in_viewport()


def test_a_picture_can_be_pasted(photos, predict, open_page):
    page = open_page(photos / "model.html")
    content = encoded(scene(seed=8))
    page.evaluate(
        """pasted => document.body.dispatchEvent(
             new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true, cancelable: true }))""",
        transfer(page, content),
    )
    page.wait_for_selector("#model-answer[data-class]")
    assert_agrees(page, predict(photos, content))


def test_a_copied_picture_can_be_pasted_from_the_keyboard(photos, predict, open_page):
    page = open_page(photos / "model.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    content = encoded(scene(seed=9))
    page.evaluate(
        """async (content) => {
             const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
             const copied = new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) });
             await navigator.clipboard.write([copied]);
           }""",
        base64.b64encode(content).decode(),
    )
    page.keyboard.press("Control+V")
    page.wait_for_selector("#model-answer[data-class]")
    assert_agrees(page, predict(photos, content))


@pytest.mark.parametrize("touch", [False, True])
def test_a_digit_can_be_drawn(touch, digits, predict, open_page):
    page = open_page(digits / "model.html", has_touch=touch)
    paper = page.locator("#model-paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    points = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ((0.5, 0.1), (0.55, 0.6), (0.4, 0.95))
    ]
    if touch:
        page.touchscreen.tap(*points[1])
    else:
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=4)
        page.mouse.up()
    page.wait_for_selector("#model-answer[data-class]")
    drawn = pixels_of(page, "model-paper")
    assert 0.005 < (drawn > 128).mean() < 0.5
    assert_agrees(page, predict(digits, picture(drawn.astype(np.uint8))))
    page.click("#model-clear")
    assert pixels_of(page, "model-paper").max() == 0


def test_from_the_keyboard_alone(digits, predict, open_page):
    page = open_page(digits / "model.html")
    run = RUNS["digits"]()
    content = FILES["digit.png"]
    chosen = {"name": "digit.png", "mimeType": "image/png", "buffer": content}
    # Heard from before the key is pressed: a chooser that opens earlier than somebody listens is lost.
    page.on("filechooser", lambda chooser: chooser.set_files(chosen))
    page.locator("#model-pick").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#model-answer[data-class]")
    assert_agrees(page, predict(digits, content))

    # On to the samples: the first is a mistake of the run, and predicted as the run predicted it.
    page.locator("#model-pick").focus()
    page.keyboard.press("Tab")
    mistakes, classes = run.evidence.mistakes, run.classifier.classes
    name = f"{classes[mistakes.labels[0]]}, predicted as {classes[mistakes.predicted[0]]}"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name
    page.keyboard.press("Enter")
    buffer = io.BytesIO()
    np.save(buffer, mistakes.X[0])
    assert_agrees(page, predict(digits, buffer.getvalue()))
    assert page.get_attribute("#model-answer", "data-class") == classes[mistakes.predicted[0]]

    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "model-invert":
            break
    page.keyboard.press("Space")
    assert_agrees(page, predict(digits, buffer.getvalue(), "--invert"))

    # The classes are one group: arrows choose, and the reasons follow.
    page.locator("#model-classes input:checked").focus()
    reasons = []
    for _ in range(3):
        page.keyboard.press("ArrowDown")
        reasons.append(page.text_content("#model-why"))
    names = page.eval_on_selector_all("#model-classes label", "rows => rows.map(row => row.dataset.class)")
    assert reasons == names[1:4]
    page.locator("#model-clear").focus()
    page.keyboard.press("Enter")
    assert page.is_hidden("#model-result")


def test_the_reasons_add_up_to_the_score_of_every_class(photos, open_page):
    page = open_page(photos / "model.html")
    content = encoded(scene(32, 32, seed=1))
    choose(page, content)
    classifier = RUNS["photographs"]().classifier
    row = classifier.preparation.apply(see(content, (32, 32, 3), 255.0, "x")[None], np.float64)[0]
    for k, name in enumerate(classifier.classes):
        page.check(f"#model-classes input[value='{k}']")
        value = {part: float(page.get_attribute(f"#model-{part}", "data-value")) for part in ("sum", "bias", "total")}
        assert page.text_content("#model-why") == NAMES[name]
        assert value["sum"] == pytest.approx(row @ classifier.W[:, k].astype(float), abs=NEAR)
        assert value["bias"] == classifier.b[k]
        assert value["sum"] + value["bias"] == pytest.approx(value["total"], abs=NEAR)
        places = (row * classifier.W[:, k]).reshape(32, 32, 3).sum(axis=2)
        assert page.text_content("#model-high") == f"+{np.abs(places).max():.4f}"
        drawn = pixels_of(page, "model-map")
        paper, above, below = ([255, 255, 255], [0x0B, 0x62, 0xA8], [0xB3, 0x26, 0x1E])
        ends = np.where(places[..., None] > 0, np.array(above), below)
        expected = paper + np.abs(places / np.abs(places).max())[..., None] * (ends - paper)
        assert np.abs(drawn - expected).max() <= 1


def pixels_of(page, canvas):
    url = page.eval_on_selector(f"#{canvas}", "canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)


def test_what_is_shown_is_what_the_model_sees(digits, open_page):
    page = open_page(digits / "model.html")
    content = FILES["colour.png"]
    choose(page, content)
    levels = see(content, (8, 8, 1), 255.0, "x")
    np.testing.assert_array_equal(pixels_of(page, "model-seen"), np.broadcast_to(levels, (8, 8, 3)))
    centred = RUNS["digits"]().classifier.preparation.apply(levels[None] * 16 / 255).reshape(8, 8)
    redder = pixels_of(page, "model-centred")[..., 0] > pixels_of(page, "model-centred")[..., 2]
    clear = np.abs(centred) > 0.1 * np.abs(centred).max()
    np.testing.assert_array_equal(redder[clear], centred[clear] < 0)
    assert page.text_content("#model-given-caption") == "As given, 31 × 77 pixels"
    assert "8 × 8" in page.get_attribute("#model-seen", "aria-label")


def test_pictures_follow_the_theme(digits, open_page):
    page = open_page(digits / "model.html", color_scheme="light")
    choose(page, FILES["digit.png"])
    light = pixels_of(page, "model-map")
    page.evaluate("document.documentElement.dataset.theme = 'dark'; document.dispatchEvent(new Event('themechange'))")
    dark = pixels_of(page, "model-map")
    assert light.mean() > 150 > 100 > dark.mean()


def test_an_svm_says_its_scores_and_its_lead(folder_of, predict, open_page):
    svm = folder_of("svm")
    page = open_page(svm / "model.html")
    choose(page, FILES["digit.png"])
    one = predict(svm, FILES["digit.png"])
    said = page.text_content("#model-answer").replace("−", "-")
    assert f"score {one['score']:.4f}; it leads {one['top'][1]['class']} by {one['margin']:.4f}" in said
    assert "it has no probabilities" in said
    assert page.locator(".model-heads .model-probability").is_hidden()


BROKEN = {
    "words.png": (b"words", "is not a PNG, JPEG or WebP image; convert it"),
    "empty.png": (b"", "is not a PNG, JPEG or WebP image; convert it"),
    "moving.gif": (encoded(scene(mode="P"), "GIF"), "is not a PNG, JPEG or WebP image; convert it"),
    "sound.webp": (b"RIFF\4\0\0\0WAVE", "is not a PNG, JPEG or WebP image; convert it"),
    "half.webp": (encoded(scene(), "WEBP")[:-300], "is a damaged picture; replace it"),
    "start.webp": (encoded(scene(), "WEBP")[:14], "is a damaged picture; replace it"),
    "half.png": (encoded(scene())[:-900], "is a damaged picture; replace it"),
    "half.jpg": (encoded(scene(), "JPEG")[:-300], "is a damaged picture; replace it"),
    "start.jpg": (encoded(scene(), "JPEG")[:30], "is a damaged picture; replace it"),
    "noise.jpg": (b"\xff\xd8\xff" + bytes(range(256)), "is a damaged picture; replace it"),
    "huge.png": (
        assembled(5000, 4000, 8, 2, b""),
        "announces 5,000 x 4,000 pixels, 1 to 16,777,216 are decoded; make it smaller",
    ),
    "ink.jpg": (encoded(Image.new("CMYK", (9, 9)), "JPEG"), "has CMYK colours, grey or RGB is expected; convert it"),
    "deep.png": (png(9, 9, 16, 0), "has 16 bits a pixel, 8 are expected; convert it"),
    "<img src=x onerror=alert(1)>.png": (b"words", "is not a PNG, JPEG or WebP image; convert it"),
    "n" * 200 + ".png": (b"words", "is not a PNG, JPEG or WebP image; convert it"),
}


def test_what_is_no_picture_gets_a_line_and_the_next_picture_an_answer(digits, open_page):
    page = open_page(digits / "model.html")
    for name, (content, finding) in BROKEN.items():
        choose(page, FILES["digit.png"])
        page.set_input_files("#model-file", {"name": name, "mimeType": "", "buffer": content})
        page.wait_for_selector("#model-error:not(:empty)")
        said = page.text_content("#model-error")
        assert said.endswith(f": {finding}")
        assert said.startswith(name[:40])
        assert len(said) < 160
        assert page.is_hidden("#model-result")
        assert page.text_content("#model-answer") == ""
        page.click("#model-clear")
        assert page.text_content("#model-error") == ""


def test_damaged_files_are_never_seen_differently(digits, open_page):
    page = open_page(digits / "model.html")
    rng = np.random.default_rng(11)
    whole = [encoded(scene()), png(21, 13, 8, 3, (b"PLTE", bytes(range(240))), interlaced=1), encoded(scene(), "JPEG")]
    whole += [encoded(scene(mode="RGBA"), "WEBP", lossless=lossless, exif=turned(6)) for lossless in (True, False)]
    files = []
    for content in whole:
        for _ in range(40):
            broken = bytearray(content[: len(content) - rng.choice([0, 0, 0, 3, 12, 200])])
            for position in rng.integers(0, len(broken), rng.integers(0, 3)):
                broken[position] = rng.integers(256)
            files.append(bytes(broken))
    read = 0
    for content, levels in zip(files, seen_by_page(page, files, (8, 8, 3)), strict=True):
        try:
            expected = see(content, (8, 8, 3), 255.0, "x").ravel().tolist()
        except DataError:
            expected = None
        if isinstance(levels, str):  # the page may be stricter
            assert levels.endswith(("; convert it", "; replace it", "; make it smaller"))
        else:
            read += 1
            assert levels == expected
    assert read > 20


def test_hostile_names_stay_text(photos, open_page):
    page = open_page(photos / "model.html")
    choose(page, FILES["photo.jpg"])
    assert page.locator("#model img, #model b, #model script").count() == 0
    names = page.eval_on_selector_all("#model-classes .model-name", "names => names.map(name => name.textContent)")
    assert sorted(names) == sorted(NAMES.values())


def with_payload(run, folder, part):
    """The page of a run with another model in it."""
    text = json.dumps(part).replace("<", "\\u003c")
    html = (run / "model.html").read_text(encoding="utf-8")
    page = folder / "page.html"
    block = re.compile(r'(<script type="application/json" id="data-model">).*?(</script>)', re.DOTALL)
    page.write_text(block.sub(lambda found: found[1] + text + found[2], html))
    return page


def random_run(digits, K):
    run, rng = RUNS["digits"](), np.random.default_rng(0)
    W = rng.normal(size=(64, K)).astype(np.float32) / 20
    names = tuple(f"class {k}" for k in range(K))
    return replace(run, classifier=replace(run.classifier, W=W, b=np.zeros(K, np.float32), classes=names))


def test_of_a_thousand_classes_the_first_are_shown_and_others_found(digits, tmp_path, open_page):
    run = random_run(digits, 1000)
    page = open_page(with_payload(digits, tmp_path, payload(run, 500_000)))
    content = FILES["digit.png"]
    choose(page, content)
    scores = (
        run.classifier.preparation.apply(see(content, (8, 8, 1), 16.0, "x")[None], np.float64)[0] @ run.classifier.W
    )
    shown = "rows => rows.map(row => row.dataset.class)"
    order = np.argsort(-scores)
    assert page.eval_on_selector_all("#model-classes label", shown) == [f"class {k}" for k in order[:20]]
    assert page.text_content("#model-shown") == "20 of 1,000 classes are shown."
    page.fill("#model-search", "CLASS 12")
    found = [k for k in order if str(k).startswith("12")]
    assert page.eval_on_selector_all("#model-classes label", shown) == [f"class {k}" for k in found]
    page.select_option("#model-order", "class")
    assert page.eval_on_selector_all("#model-classes label", shown) == [f"class {k}" for k in sorted(found)]
    page.check(f"#model-classes input[value='{found[-1]}']")
    assert page.text_content("#model-why") == f"class {found[-1]}"
    assert float(page.get_attribute("#model-total", "data-value")) == pytest.approx(scores[found[-1]], abs=NEAR)
    page.fill("#model-search", "nothing")
    assert page.text_content("#model-shown") == "None of the 1,000 classes is called that."


def test_a_model_that_is_not_in_the_page_is_explained(digits, tmp_path, open_page):
    page = open_page(with_payload(digits, tmp_path, payload(random_run(digits, 1000), 1000)))
    assert page.is_hidden("#model-works")
    assert "has no room for the model: 1,000 classes with 64 weights each" in page.text_content("#model-absent")
    assert "linprobe predict model.safetensors" in page.text_content("#model-absent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_a_screen_reader(scheme, digits, open_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(digits / "model.html", color_scheme=scheme)
    assert axe.run(page, context="#model").response["violations"] == []
    choose(page, FILES["digit.png"])
    assert axe.run(page, context="#model").response["violations"] == []
    assert page.get_attribute("#model-answer", "role") == "status"


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_is_wider_than_the_screen(width, photos, open_page):
    page = open_page(photos / "model.html", viewport={"width": width, "height": 800})
    choose(page, FILES["photo.jpg"])
    box = page.locator("#model").bounding_box()
    inside = """section => [...section.querySelectorAll("*")].filter(e => e.getClientRects().length)
      .map(e => e.getBoundingClientRect())
      .every(box => box.left >= -1 && box.right <= document.documentElement.clientWidth + 1)"""
    assert page.eval_on_selector("#model", inside)
    assert box["x"] + box["width"] <= width


@pytest.mark.real_data
def test_real_pictures_on_the_whole_page(shared, tmp_path, predict, open_page):
    from linprobe import open_dataset

    source = shared / "data" / "cifar10"
    run = tmp_path / "run"
    options = ("--learning-rate", "2e-7", "--reg", "1000", "--iterations", "300", "--out", run)
    command = [sys.executable, "-m", "linprobe", "worksheet", source, *options]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    write_page(run)
    page = open_page(run / "report.html")
    test = open_dataset(source).test
    assert test is not None
    worst = 0.0
    for row in range(6):
        image = Image.fromarray(test.X[row])
        for content in (
            encoded(image),
            encoded(image, "JPEG", quality=90),
            encoded(image.resize((500, 375), Image.Resampling.BICUBIC), "JPEG", quality=80, progressive=True),
        ):
            choose(page, content)
            worst = max(worst, assert_agrees(page, predict(run, content)))
            page.click("#model-clear")
    assert worst <= NEAR
