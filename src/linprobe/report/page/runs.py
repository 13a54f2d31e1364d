"""compare.html: runs on the same test rows as one page that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linprobe.publish import publish_file
from linprobe.report.page.names import class_names, shown
from linprobe.report.page.template import asset, fill
from linprobe.results.steps import number
from linprobe.tasks.compare_runs import ComparedPair, RunsComparison, lead, method, runs_step, span, verdict

__all__ = ["render_runs", "write_runs_page"]

MOST_PAIRS = 2_000  # of a page; of more runs, those with the best
MARGIN = 0.04  # of the width of a scale


@dataclass(frozen=True)
class _Scale:
    """From where to where intervals are drawn."""

    low: float
    high: float

    @classmethod
    def of(cls, intervals: Sequence[tuple[float, float]], *more: float) -> "_Scale":
        low = min(*(ends[0] for ends in intervals), *more, 1.0)
        high = max(*(ends[1] for ends in intervals), *more, -1.0)
        room = MARGIN * ((high - low) or 1.0)
        return cls(low - room, high + room)

    def at(self, value: float) -> float:
        """A value in hundredths of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True)
class _Whisker:
    """An interval and its value in hundredths of a width; zero: where that is, if it is drawn."""

    low: float
    value: float
    high: float
    zero: float | None = None


@dataclass(frozen=True)
class _RunRow:
    """A run in words, and its interval to be drawn."""

    name: str
    source: str
    features: str
    loss: str
    solver: str
    accuracy: str
    interval: str
    whisker: _Whisker


@dataclass(frozen=True)
class _PairRow:
    """A pair in words, and its interval to be drawn."""

    first: str
    second: str
    difference: str
    interval: str
    interval_of_all: str
    verdict: str
    better: bool
    whisker: _Whisker


def write_runs_page(found: RunsComparison, path: Path) -> None:
    """Write the page of a comparison. Raises OutputError where it cannot be written."""
    page = render_runs(found)
    with publish_file(path) as partial:
        partial.write_bytes(page.encode(errors="replace"))


def render_runs(found: RunsComparison) -> str:
    """The page of a comparison, HTML."""
    names = dict(zip([run.name for run in found.runs], class_names([run.name for run in found.runs]), strict=True))
    scale = _Scale.of([run.interval for run in found.runs])
    pairs = found.pairs if len(found.pairs) <= MOST_PAIRS else found.with_best
    return fill(
        "runs.html.j2",
        [asset("page.css"), asset("runs.css")],
        asset("theme.js"),
        [asset("page.js")],
        title=shown(runs_step(found).title, 120),
        lead=shown(lead(found), 300),
        method=method(found),
        found=found,
        runs=[
            _RunRow(
                names[run.name],
                shown(run.source, 80),
                f"{run.features:,}",
                shown(run.loss),
                shown(run.solver),
                f"{run.accuracy:.4f}",
                span(run.interval),
                _Whisker(*map(scale.at, (run.interval[0], run.accuracy, run.interval[1]))),
            )
            for run in found.runs
        ],
        ends=(number(max(0.0, scale.low)), number(min(1.0, scale.high))),
        pairs=_pairs(pairs, names, len(found.pairs)),
        folders=[(names[run.name], shown(run.folder, 300)) for run in found.runs],
    )


def _pairs(pairs: Sequence[ComparedPair], names: dict[str, str], comparisons: int) -> list[_PairRow]:
    scale = _Scale.of([pair.interval_of_all for pair in pairs], 0.0)
    return [
        _PairRow(
            names[pair.first],
            names[pair.second],
            f"{pair.difference:.4f}",
            span(pair.interval),
            span(pair.interval_of_all),
            verdict(pair, comparisons),
            pair.verdict == "better",
            _Whisker(*map(scale.at, (pair.interval[0], pair.difference, pair.interval[1])), zero=scale.at(0.0)),
        )
        for pair in pairs
    ]
