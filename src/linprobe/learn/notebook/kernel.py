"""A notebook's cells run in a kernel of their own, by the interpreter that runs linprobe."""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linprobe.errors import OutputError, require

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["execute"]

STARTUP_SECONDS = 120


def execute(notebook: "NotebookNode", *, limit: float, progress: Callable[[int, int], None] | None = None) -> None:
    """Run all cells in the current folder, and leave their outputs in the notebook.

    limit: the seconds that a cell may take. progress is told how many cells of how many are done. Raises OutputError
    for a cell that fails or takes longer, and for a kernel that does not start or dies.
    """
    client = require("nbclient", "notebook").client
    exceptions = require("nbclient.exceptions", "notebook")
    place = "the kernel did not start"
    with tempfile.TemporaryDirectory(prefix="linprobe-") as name, (Path(name) / "kernel.log").open("w+b") as log:
        manager = _manager(Path(name))
        worker = client.NotebookClient(
            notebook,
            km=manager,
            timeout=max(1, round(limit)),
            startup_timeout=STARTUP_SECONDS,
            record_timing=False,
            log=_silent(),
        )
        try:
            # What the kernel itself writes is for nobody's screen; what cells print comes as their output.
            worker.start_new_kernel(env=_environment(name), stdout=log, stderr=log)
            worker.start_new_kernel_client()
            for index, cell in enumerate(notebook.cells):
                place = f"cell {cell.id!r}"
                worker.execute_cell(cell, index)
                if progress is not None:
                    progress(index + 1, len(notebook.cells))
        except exceptions.CellExecutionError as error:
            raise OutputError(f"the notebook: {place} failed with {error.ename}: {error.evalue}") from error
        except exceptions.CellTimeoutError as error:
            raise OutputError(
                f"the notebook: {place} did not end within {limit:,.0f} s; try again when the machine is less busy, or "
                "with fewer examples: --train-size"
            ) from error
        except (exceptions.DeadKernelError, RuntimeError) as error:
            raise OutputError(
                f"the notebook: its kernel died ({place}{_last_line(log)}); if the memory was full, ask for fewer "
                "examples: --train-size"
            ) from error
        finally:
            # Not left to nbclient, whose handlers of signals make of Ctrl-C a kernel that died.
            require("nbclient.util", "notebook").run_sync(_end)(worker, manager)


async def _end(worker: Any, manager: Any) -> None:
    """Give up what was waited for when the work was interrupted, and end the kernel."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    if worker.kc is not None:
        worker.kc.stop_channels()
    if manager.has_kernel:
        await manager.shutdown_kernel(now=True)


def _manager(folder: Path) -> Any:
    """What starts the kernel: this very interpreter, whatever kernels are installed under Jupyter's names."""
    require("ipykernel", "notebook")
    jupyter_client = require("jupyter_client", "notebook")

    class ThisPython(jupyter_client.kernelspec.KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:
            # -P: no file of the current folder is imported as a module, as it is not by the command either.
            argv = [sys.executable, "-P", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return jupyter_client.kernelspec.KernelSpec(argv=argv, display_name=kernel_name, language="python")

    return jupyter_client.AsyncKernelManager(
        kernel_spec_manager=ThisPython(), connection_file=str(folder / "kernel.json"), log=_silent()
    )


def _environment(folder: str) -> dict[str, str]:
    """That of this process, but without the user's IPython settings, and with pictures that go into the notebook."""
    return os.environ | {"IPYTHONDIR": folder, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}


def _silent() -> logging.Logger:
    """A logger of its own, which says nothing: what goes wrong is told by the exception."""
    return logging.Logger("linprobe.learn.notebook", logging.CRITICAL + 1)


def _last_line(log: Any) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:200]}" if last else ""
