"""The run folder of a tuning, from Python in one call."""

from pathlib import Path

from linprobe.publish import claimed, publish_folder, sweep
from linprobe.report.folder import views, write_run
from linprobe.tasks.tune import TuneResult

__all__ = ["save_run"]

COMMAND = "linprobe.tasks.tune.tune, called from Python"  # where run.json has what was typed


def save_run(result: TuneResult, folder: str | Path, *, replace: bool = False) -> Path:
    """Write what `linprobe tune` leaves: the model, all figures, pictures and the page.

    The folder appears whole or not at all, and complete before a picture is drawn: an error of one of these, or of the
    page, leaves the run, of which `linprobe report` writes the page again.

    Parameters
    ----------
    result : TuneResult
        What `linprobe.tasks.tune.tune` returned.
    folder : str or Path
        To be made.
    replace : bool, default False
        Whether an earlier run in its place may go.

    Returns
    -------
    Path
        The page, `report.html` in that folder.

    Raises
    ------
    UsageError
        Where the folder exists and is not an earlier run to be replaced.
    OutputError
        Where it cannot be written.
    """
    with claimed(Path(folder)) as place:
        sweep(place)
        with publish_folder(place, replace=replace, holding="run.json") as partial:
            run = write_run(partial, result, result.found.curves, command=COMMAND)
        for write in views(place, run).values():
            write()
    return place / "report.html"
