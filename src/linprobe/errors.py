"""Every exception that users can meet, one tree.

    LinprobeError                 the work failed                              exit status 1
    ├── UsageError                what was asked for makes no sense            exit status 2
    │   └── IncompatibleError     each part is fine, together they are not
    ├── DataError                 a source cannot be read as what it claims to be
    │   └── UnsafeFileError       a file that tries to run code, leave its folder or fill the memory
    ├── DownloadError             a file could not be fetched and verified
    ├── OutputError               a result could not be written
    ├── MissingDependencyError    an optional library is not installed
    ├── ClusterError              a Dask cluster failed, or lost what it can't make again
    ├── DivergedError             no setting of a search ended with finite weights
    └── InterruptedWorkError      Ctrl-C, with a checkpoint to go on from          exit status 130

and one warning, UncheckedFileWarning: a file that an older linprobe wrote, without a checksum.

A message is one line: place, finding, expectation, next step.
"""

import importlib
from types import ModuleType

__all__ = [
    "ClusterError",
    "DataError",
    "DivergedError",
    "DownloadError",
    "IncompatibleError",
    "InterruptedWorkError",
    "LinprobeError",
    "MissingDependencyError",
    "OutputError",
    "UncheckedFileWarning",
    "UnsafeFileError",
    "UsageError",
    "require",
    "short",
]


class LinprobeError(Exception):
    """The base of every error that linprobe raises on purpose."""

    exit_status = 1


class UsageError(LinprobeError, ValueError):
    """What was asked for makes no sense: an empty grid, an unknown source, splits larger than the data."""

    exit_status = 2


class IncompatibleError(UsageError):
    """Each part is fine, together they are not; the message names the ways out."""


class DataError(LinprobeError):
    """A source cannot be read as what it claims to be."""


class UnsafeFileError(DataError):
    """A file that tries to run code, to leave its folder or to fill the memory."""


class DownloadError(LinprobeError):
    """A file could not be fetched and verified."""


class OutputError(LinprobeError):
    """A result could not be written."""


class MissingDependencyError(LinprobeError, ImportError):
    """An optional library is not installed; the message says how to install it."""


class ClusterError(LinprobeError):
    """A Dask cluster can't be reached, failed, or lost data that no task can make again."""


class DivergedError(LinprobeError):
    """No setting of a search ended with finite weights."""


class InterruptedWorkError(LinprobeError):
    """Ctrl-C stopped the work, and there is a checkpoint to go on from."""

    exit_status = 130


class UncheckedFileWarning(UserWarning):
    """A file was read that an older linprobe wrote, without a checksum: damage may go unnoticed."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or raise MissingDependencyError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{module.partition('.')[0]} is not installed, and this needs it; "
            f"install it beside your clone of linprobe: pip install './linprobe[{extra}]'"
        ) from error


def short(found: object) -> str:
    """What a file or a library says, in one line of bounded length."""
    return " ".join(str(found).split())[:120]
