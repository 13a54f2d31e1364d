"""The data of every figure, each made once from a run: what the pictures draw and the page plots."""

from linprobe.report.figures.classes import (
    Bin,
    Confusion,
    ReliabilityBars,
    Templates,
    confusion,
    reliability,
    scale_templates,
    templates,
)
from linprobe.report.figures.compared import Map, PathLines, TrialPoints, grid, path
from linprobe.report.figures.curves import BEST, Losses, losses
from linprobe.report.figures.scales import Scale

__all__ = [
    "BEST",
    "Bin",
    "Confusion",
    "Losses",
    "Map",
    "PathLines",
    "ReliabilityBars",
    "Scale",
    "Templates",
    "TrialPoints",
    "confusion",
    "grid",
    "losses",
    "path",
    "reliability",
    "scale_templates",
    "templates",
]
