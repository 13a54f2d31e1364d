"""docs/check.md is what the corpus and the messages make of it."""

import check_page  # pyright: ignore[reportMissingImports]
import pytest
from corpus.registry import ENTRIES  # pyright: ignore[reportMissingImports]

from linprobe.learn.checker.codes import CODES


def test_the_page_has_a_part_for_every_code_and_nothing_else():
    written = check_page.sections()
    assert list(written) == list(CODES)
    template = check_page.TEMPLATE.read_text(encoding="utf-8")
    assert check_page.PAGE.read_text(encoding="utf-8") == template.replace("{codes}\n", "\n".join(written.values()))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("code", check_page.FILES)
def test_a_part_with_a_file_is_up_to_date(code):
    """The others are beside the verdicts on the corpus."""
    check_page.assert_up_to_date(code)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_one_example(code):
    examples = [entry.name for entry in ENTRIES if entry.example and entry.codes[0] == code]
    assert len(examples) + (code in check_page.FILES) == 1, examples
