"""Work that goes on where it was interrupted when the same command is run again."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from linprobe.errors import DivergedError, InterruptedWorkError

if TYPE_CHECKING:
    from linprobe.compare.checkpoint import Checkpoint, MakeCheckpoint
    from linprobe.compare.encoding import Identity

__all__ = ["resumable"]


@contextlib.contextmanager
def resumable(saved: Path, every: float) -> "Iterator[MakeCheckpoint]":
    """Give what makes the work's checkpoint, of its identity; after Ctrl-C, say what is kept, else remove the file.

    Raises InterruptedWorkError.
    """
    from linprobe.compare.checkpoint import Checkpoint

    made: list[Checkpoint] = []

    def make(identity: "Identity") -> Checkpoint:
        made.append(Checkpoint(saved, identity, every=every))
        return made[-1]

    try:
        yield make
    except KeyboardInterrupt as interrupt:
        if not saved.exists():
            raise InterruptedWorkError("interrupted; nothing was kept") from interrupt
        kept = made[-1].kept if made else None
        if not kept:
            raise InterruptedWorkError(f"interrupted; nothing was kept, and {saved} is as it was before") from interrupt
        raise InterruptedWorkError(
            f"interrupted; the work so far ({kept}) is kept in {saved}; run the same command again to go on"
        ) from interrupt
    except DivergedError:
        _remove(made)  # it ended, and is to be tried with other settings
        raise
    _remove(made)


def _remove(made: "list[Checkpoint]") -> None:
    for checkpoint in made:
        checkpoint.remove()
