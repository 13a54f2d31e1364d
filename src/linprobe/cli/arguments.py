"""What several commands can be told in the same words, and what people write made into what the library takes."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linprobe.errors import IncompatibleError, UsageError

if TYPE_CHECKING:
    from linprobe.compare.solver import Resources
    from linprobe.core.backend import Precision as OfSgd

__all__ = [
    "AXIS",
    "MACHINE",
    "OUTPUT",
    "SETTINGS",
    "SOURCES",
    "SPLITS",
    "TRAINING",
    "ClusterOption",
    "DeviceOption",
    "ForceOption",
    "GroupsOption",
    "JsonOption",
    "LabelOption",
    "MemoryOption",
    "ModelArgument",
    "OutOption",
    "PrecisionOption",
    "PrepareOption",
    "SeedOption",
    "SizeOption",
    "SourceArgument",
    "SplitColumnOption",
    "TestOption",
    "TestSizeOption",
    "TrainSizeOption",
    "ValOption",
    "ValSizeOption",
    "WeightsOption",
    "XOption",
    "address_space",
    "complete_source",
    "of_sgd",
    "parse_rank",
    "parse_size",
    "refuse_little_address_space",
    "resources",
]

# The library's own choices, said again: importing them here would load NumPy before `--help` is answered.
Prepare = Literal["centred", "standardised", "normalised"]
Precision = Literal["auto", "float64", "float32", "bfloat16"]
Device = Literal["cpu", "cuda", "auto"]
SOURCES = ("digits", "cifar10")

AXIS = "LO:HI:COUNT (evenly spaced), LO:HI:COUNT:log (evenly in the logarithm) or a list, 1e-7,3e-7."
SETTINGS, TRAINING, SPLITS = "What to compare", "How to train", "Splits"
MACHINE, OUTPUT = "The machine", "Output"


def complete_source(incomplete: str) -> list[str]:
    """What a shell offers for a source: names beside files; files alone are left to the shell."""
    names = [name for name in SOURCES if name.startswith(incomplete)]
    folder, begin = os.path.split(incomplete)
    if not names or folder:
        return []
    with os.scandir() as entries:
        paths = sorted(
            f"{entry.name}/" if entry.is_dir() else entry.name
            for entry in entries
            if entry.name.startswith(begin) and not entry.name.startswith(".")
        )
    return names + paths


SourceArgument = Annotated[
    str,
    typer.Argument(
        help=f"{', '.join(SOURCES)}, or a file or folder: npy, npz, csv, parquet, feather, a CIFAR-10 tar.gz.",
        autocompletion=complete_source,
    ),
]
DATA = "Data"
XOption = Annotated[
    str | None,
    typer.Option(
        "--x",
        metavar="KEY|COLUMN|FILE",
        help="Where the features are, if several arrays or columns could be.",
        rich_help_panel=DATA,
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY|COLUMN|FILE",
        help="Where the labels are, if several could be, or in a file of their own.",
        rich_help_panel=DATA,
    ),
]
ValOption = Annotated[
    str | None,
    typer.Option("--val", metavar="SOURCE", help="A source with the validation examples.", rich_help_panel=DATA),
]
TestOption = Annotated[
    str | None, typer.Option("--test", metavar="SOURCE", help="A source with the test examples.", rich_help_panel=DATA)
]
SplitColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY|COLUMN|FILE",
        help="What says train, val or test of each row; found by itself where it is called split.",
        rich_help_panel=DATA,
    ),
]
GroupsOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY|COLUMN|FILE",
        help="The group of each row, such as its patient: a group is never in two splits or folds.",
        rich_help_panel=DATA,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY|COLUMN|FILE",
        help="What each row counts in training, 0 or more; validation and test count each row once.",
        rich_help_panel=DATA,
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|HxW",
        help="The size that pictures are cut and resized to.",
        show_default="the most frequent",
        rich_help_panel=DATA,
    ),
]
ModelArgument = Annotated[Path, typer.Argument(help="A model file, such as RUN/model.safetensors.")]
PrepareOption = Annotated[Prepare, typer.Option(help="What is done to the features first.", rich_help_panel=TRAINING)]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        help="Of the matrix products: auto is float32, and float64 where the exact solver needs it; SGD has no "
        "float64, the exact solver no bfloat16.",
        rich_help_panel=MACHINE,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="The random seed.", rich_help_panel=TRAINING)]
TrainSizeOption = Annotated[int | None, typer.Option(min=1, help="Training examples.", rich_help_panel=SPLITS)]
ValSizeOption = Annotated[int | None, typer.Option(min=1, help="Validation examples.", rich_help_panel=SPLITS)]
TestSizeOption = Annotated[int | None, typer.Option(min=1, help="Test examples.", rich_help_panel=SPLITS)]
DeviceOption = Annotated[Device, typer.Option(help="Where to train.", rich_help_panel=MACHINE)]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local:N",
        help="A Dask cluster to read the source and compute on: tcp://HOST:PORT, or local:N for N processes here.",
        rich_help_panel=MACHINE,
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The most memory to use, as 4GiB; half of what is free, unless given.",
        rich_help_panel=MACHINE,
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="The folder to leave the run in.", show_default="runs/...", rich_help_panel=OUTPUT)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an earlier run there.", rich_help_panel=OUTPUT)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print run.json, only that.", rich_help_panel=OUTPUT)]

# Of addresses, most of which are never used: what NumPy, SciPy and scikit-learn reserve, and each thread of two BLAS.
LIBRARIES, OF_THREAD, MOST_THREADS = 700 * 2**20, 100 * 2**20, 64
SPARE = 200 * 2**20  # for libraries that come later, such as those of the pictures

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str, name: str) -> int:
    """4GiB, 512M or a plain number of bytes -> bytes. Units are powers of 1,024. Raises UsageError naming `name`."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = 0 if found is None else int(float(found[1]) * UNITS[found[2].upper()])
    if size < 1:
        raise UsageError(f"{name} {_line(text)}: is not a size; write it as 4GiB or 512MiB")
    return size


def parse_rank(text: str | None, name: str) -> int | Literal["auto"] | None:
    """A number of directions, or auto. Raises UsageError naming `name`."""
    if text is None or text == "auto":
        return text
    if not re.fullmatch(r"0{0,9}[1-9][0-9]{0,8}", text):
        raise UsageError(f"{name} {_line(text)}: is not a rank; give a number of directions, 1 or more, or auto")
    return int(text)


def of_sgd(precision: Precision) -> "OfSgd":
    """The precision of SGD's products. Raises IncompatibleError for one that it does not have."""
    if precision == "float64":
        raise IncompatibleError("--precision float64: SGD has float32 and bfloat16; give one of them, or leave it out")
    return "float32" if precision == "auto" else precision


def resources(device: Device, precision: "OfSgd", memory: str | None) -> "Callable[[], Resources]":
    """What the search may use; memory is looked at when it is called, with the data already there.

    Raises UsageError for a size that is none, and what `choose_device` raises.
    """
    import psutil

    from linprobe.compare.solver import Resources
    from linprobe.core.backend import Products, choose_device

    bound = None if memory is None else parse_size(memory, "--memory")
    products = Products(choose_device(device, precision), precision)

    def look() -> Resources:
        used = psutil.Process().memory_info()
        # Pages that are mapped from a file are given back when others need the room: they count for nothing.
        held = used.rss - getattr(used, "shared", 0)
        most = bound or held + psutil.virtual_memory().available // 2
        if (limit := address_space()) is not None:
            most = min(most, held + limit - used.vms - SPARE)
        return Resources(products, most, held)

    return look


def address_space() -> int | None:
    """The bytes of addresses that the system lets a process have, `ulimit -v`; None where there is no such limit."""
    try:
        import resource
    except ImportError:  # Windows, which has none
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def refuse_little_address_space() -> None:
    """Raise IncompatibleError where the libraries alone would fill it: some of them wait for it without end."""
    limit, threads = address_space(), min(os.cpu_count() or 1, MOST_THREADS)
    needed = LIBRARIES + OF_THREAD * threads
    if limit is not None and limit < needed:
        raise IncompatibleError(
            f"the system allows {limit / 2**20:,.0f} MiB of addresses, and the libraries alone reserve "
            f"{needed / 2**20:,.0f} MiB; allow more (ulimit -v unlimited), and bound the memory with --memory"
        )


def _line(text: str) -> str:
    return " ".join(text.split())
