"""Several runs on the same test rows, compared."""

from linprobe.tasks.compare_runs.steps import best_step, lead, method, runs_step, span, verdict
from linprobe.tasks.compare_runs.task import ComparedPair, ComparedRun, RunsComparison, compare_runs

__all__ = [
    "ComparedPair",
    "ComparedRun",
    "RunsComparison",
    "best_step",
    "compare_runs",
    "lead",
    "method",
    "runs_step",
    "span",
    "verdict",
]
