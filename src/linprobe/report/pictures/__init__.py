"""Pictures of the figures of a run, as PNG files."""

import os
from pathlib import Path

from linprobe.report.figures import Confusion, Losses, Map, PathLines, Templates, TrialPoints
from linprobe.report.pictures.lines import draw_losses, draw_path, draw_points
from linprobe.report.pictures.maps import draw_confusion, draw_map
from linprobe.report.pictures.paper import Paper, save
from linprobe.report.pictures.tiles import draw_templates

__all__ = ["draw", "drawn"]

Figure = Losses | Map | TrialPoints | PathLines | Confusion | Templates


def draw(path: str | os.PathLike[str], figure: Figure) -> None:
    """Write a figure as a PNG, whole or not at all; the same figure gives the same bytes.

    Raises OutputError where it cannot be written, MissingDependencyError without matplotlib.
    """
    save(Path(path), drawn(figure))


def drawn(figure: Figure) -> Paper:
    """The same as matplotlib has it, laid out."""
    match figure:
        case Losses():
            return draw_losses(figure)
        case Map():
            return draw_map(figure)
        case TrialPoints():
            return draw_points(figure)
        case PathLines():
            return draw_path(figure)
        case Confusion():
            return draw_confusion(figure)
        case Templates():
            return draw_templates(figure)
