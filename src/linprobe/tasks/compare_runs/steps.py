"""What is said of a comparison of runs, on a terminal and on its page."""

from linprobe.results.steps import LONGEST_CELL, Step, Table, brief, counted
from linprobe.tasks.compare_runs.task import ComparedPair, RunsComparison

__all__ = ["best_step", "lead", "method", "rows_said", "runs_step", "span", "verdict"]


def runs_step(found: RunsComparison) -> Step:
    """Every run with its accuracy."""
    rows = tuple(
        (
            brief(run.name, LONGEST_CELL),
            brief(run.source, LONGEST_CELL),
            f"{run.features:,}",
            run.loss,
            f"{run.accuracy:.4f}",
            span(run.interval),
        )
        for run in found.runs
    )
    whose = "95 % interval (Wilson)" if found.groups is None else "95 % interval (by group)"
    header = ("run", "source", "features", "loss", "accuracy", whose)
    table = Table(header, ("word", "word", "number", "word", "number", "number"), rows, marked=0)
    return Step(None, f"{len(found.runs)} runs on the same {rows_said(found)}", table=table)


def best_step(found: RunsComparison) -> Step:
    """The best run beside every other, and how that was found."""
    rows = tuple(
        (
            brief(pair.second, LONGEST_CELL),
            f"{pair.difference:.4f}",
            span(pair.interval),
            verdict(pair, len(found.pairs)),
        )
        for pair in found.with_best
    )
    name = brief(found.runs[0].name)
    table = Table(("than", "higher by", "95 % interval", "verdict"), ("word", "number", "number", "word"), rows)
    return Step(None, f"Is {name} better?", notes=method(found), table=table)


def verdict(pair: ComparedPair, comparisons: int) -> str:
    """What is shown of the first of a pair, among so many comparisons."""
    return f"not shown among {comparisons} comparisons" if pair.verdict == "better alone" else pair.verdict


def rows_said(found: RunsComparison) -> str:
    """How many test examples there are, and of how many groups."""
    of = "" if found.groups is None else f" of {counted(found.groups, 'group')}"
    return f"{counted(found.n, 'test example')}{of}"


def span(interval: tuple[float, float]) -> str:
    """An interval in words, with a minus sign that is as wide as a digit."""
    return " to ".join(f"{end:.4f}".replace("-", "−") for end in interval)


def lead(found: RunsComparison) -> str:
    """What is found, in a sentence."""
    best, others = found.runs[0], len(found.runs) - 1
    better = sum(pair.verdict == "better" for pair in found.with_best)
    than = {0: "is not shown to be better than " + ("the other" if others == 1 else "any other")}
    than[others] = "is better than " + ("the other" if others == 1 else f"all {others} others")
    said = than.get(better, f"is shown to be better than {better} of the {others} others")
    same = [run.name for run in found.runs[1:] if run.correct == best.correct]
    tie = f", as has {brief(same[0])}" if same else ""
    return f"{brief(best.name)} has the highest accuracy, {best.accuracy:.4f}{tie}, and {said}."


def method(found: RunsComparison) -> tuple[str, ...]:
    """How the intervals of differences were made, and what they allow for."""
    what = "test examples" if found.groups is None else f"the {found.groups} groups, each whole"
    said = [f"Intervals of differences: paired bootstrap of {what}, {found.resamples:,} resamples."]
    if found.few_groups:
        said.append(f"With {found.groups} groups all intervals are rough.")
    if len(found.pairs) > 1:
        many = f"the {len(found.pairs)} comparisons of {len(found.runs)} runs"
        said.append(f'"Better" allows for {many}: it is said where wider intervals, of all pairs at once, exclude 0.')
    return tuple(said)
