"""docs/check.md is what the corpus and the messages make of it."""

import check_page  # pyright: ignore[reportMissingImports]
import pytest
from corpus.registry import ENTRIES  # pyright: ignore[reportMissingImports]

from linprobe.checker.codes import CODES


def test_the_page_is_up_to_date():
    assert check_page.PAGE.read_text(encoding="utf-8") == check_page.render(), (
        "docs/check.md is not what the checker says now; make it anew: python tests/checker/check_page.py"
    )


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_one_example(code):
    examples = [entry.name for entry in ENTRIES if entry.example and entry.codes[0] == code]
    assert len(examples) + (code in check_page.FILES) == 1, examples
