"""report.html: a whole run as one page that needs nothing else, and asks nobody for anything.

The parts: `facts` (what is said), `figures` (what is plotted), `model` (the weights that the page computes with); their
looks and their behaviour are in assets/, one stylesheet and one script for each part of the page.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linprobe.errors import require
from linprobe.publish import publish_file
from linprobe.report.page.facts import facts_of
from linprobe.report.page.figures import figures_of
from linprobe.report.page.model import model_of
from linprobe.report.page.parts import PageFacts
from linprobe.report.page.template import asset, fill, safe
from linprobe.report.page.views import Figure
from linprobe.report.run import Run, read_run

STYLES = ("page.css", "model.css", "toy.css")
THEME = "theme.js"  # before anything is painted
SCRIPTS = (
    *("figures.js", "page.js"),
    *("model_decode.js", "model_sight.js", "model_paint.js", "model_inputs.js", "model.js"),
    *("toy_solver.js", "toy_plane.js", "toy.js"),
)

MOST_BYTES = 6_000_000  # a page that can be sent by mail
TEXT_BYTES = 120_000  # of the template, and of what is said whatever the run

# What each part that grows with the run may take of the room that assets and model leave.
SHARES = {
    "templates": 0.28,
    "mistakes": 0.15,
    "table": 0.13,
    "grid": 0.12,
    "losses": 0.12,
    "confusion": 0.11,
    "classes": 0.09,
}


def write_page(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a run folder from what lies there, report.html unless told otherwise; returns its path.

    Raises DataError for a folder that is not a run and for damaged files, OutputError where it cannot be written.
    """
    path = out or folder / "report.html"
    run = read_run(folder)
    page = render(run)
    with publish_file(path) as partial:
        partial.write_bytes(page.encode(errors="replace"))
    return path


def render(run: Run) -> str:
    """The page of a run, HTML of at most MOST_BYTES."""
    plotly = require("plotly.offline", "plots").get_plotlyjs()
    styles, scripts = ([asset(name) for name in names] for names in (STYLES, SCRIPTS))
    assets = _Assets(styles, asset(THEME), [plotly, *scripts])
    taken = sum(len(text.encode()) for text in (*styles, assets.first, *assets.scripts))
    room = max(0, MOST_BYTES - TEXT_BYTES - taken)
    room = max(0, room - len(packed := _json(model_of(run, room // 2))))
    page = ""
    for part in (1, 0.5, 0.2, 0.05):  # the first is meant to fit
        plots = figures_of(run, shares := {name: int(part * share * room) for name, share in SHARES.items()})
        page = _fill(
            assets,
            data={"figures": _json({name: figure.plot() for name, figure in plots.items()}), "model": packed},
            facts=facts_of(run, shares),
            figures=plots,
        )
        if len(page.encode(errors="replace")) <= MOST_BYTES:
            break
    return page


@dataclass(frozen=True)
class _Assets:
    """Stylesheets, the script that runs before anything is painted, and the others."""

    styles: list[str]
    first: str
    scripts: list[str]


def _fill(assets: _Assets, data: dict[str, str], facts: PageFacts, figures: dict[str, Figure]) -> str:
    """The template with everything in its place."""
    return fill(
        "page.html.j2",
        *(assets.styles, assets.first, assets.scripts),
        data={name: safe(part) for name, part in data.items()},
        facts=facts,
        figures=figures,
    )


def _json(value: Any) -> str:
    """JSON that can stand inside a script element, whatever its strings hold."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
