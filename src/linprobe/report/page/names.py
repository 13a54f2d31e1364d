"""Names that strangers gave, as a page and its figures can show them: as text, of bounded length, each another."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["class_names", "in_figure", "isolated", "shown"]

LONGEST = 48  # characters of a name
ELLIPSIS = "…"
MARKS = 2  # combining marks on one letter; more of them reach into other lines

# They turn the direction of what follows, of other people's words too.
DIRECTIONS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


def shown(words: object, longest: int = LONGEST) -> str:
    """Text on one line, without what cannot be printed, cut in its middle where it is longer than `longest`."""
    kept, marks = [], 0
    text = " ".join(str(words)[: 20 * longest].translate(DIRECTIONS).split())
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if category not in ("Cc", "Cs", "Cn", "Co") and marks <= MARKS:
            kept.append(character)
    text = "".join(kept).strip()
    if len(text) <= longest:
        return text
    tail = longest // 3
    return text[: longest - tail - 1].rstrip() + ELLIPSIS + text[-tail:].lstrip()


def class_names(classes: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The names of the classes (K,), each a different one; a class without a name that can be shown gets its number."""
    names = [shown(name, longest) or f"class {k}" for k, name in enumerate(classes)]
    counts = Counter(names)
    return [f"{name} #{k}" if counts[name] > 1 else name for k, name in enumerate(names)]


def isolated(name: str) -> str:
    """A name inside a sentence: one that is written from right to left leaves the words around it in their order."""
    leftwards = any(unicodedata.bidirectional(character) in ("R", "AL") for character in name)
    return f"\u2068{name}\u2069" if leftwards else name


def in_figure(name: str) -> str:
    """A name as plotly shows it, which reads a little HTML in all texts.

    Isolated always: plotly looks names up in objects of JavaScript, where some, as `constructor`, are there already.
    """
    return f"\u2068{name.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\u2069"
