"""One-line mutants of right functions: no wrong one is called right, few have no name, and the lines are theirs."""

import pytest
from mutants import judged, mutants  # pyright: ignore[reportMissingImports]


def hold(outcomes):
    for one in outcomes:
        assert not one.called_right, one.mutant
        assert not one.right or one.verdict.verdict in {"right", "right_unstable"}, one.mutant


@pytest.mark.slow
def test_a_few_mutants():
    outcomes = list(judged(6, seed=2))
    hold(outcomes)
    assert sum(not one.right for one in outcomes) >= 4
    assert sum(one.unnamed for one in outcomes) <= 1


@pytest.mark.slow
def test_the_mutants_are_different_and_the_same_again():
    texts = [one.text for one in mutants(12, seed=5)]
    assert len(set(texts)) == 12
    assert texts == [one.text for one in mutants(12, seed=5)]


# A sample of what is measured by python tests/learn/checker/mutants.py --count 300, where a tenth at most has no name:
# so few may have a few more.
@pytest.mark.real_data
def test_most_of_the_wrong_ones_have_a_name_and_the_lines_are_theirs():
    outcomes = list(judged(40, seed=0))
    hold(outcomes)
    wrong = [one for one in outcomes if not one.right]
    assert sum(one.unnamed for one in wrong) <= 0.15 * len(wrong)
    placed = [one for one in wrong if one.lines]
    assert len(placed) >= len(wrong) / 3
    assert sum(one.lines == {one.mutant.line} for one in placed) >= 0.9 * len(placed)
