"""What several commands can be told in the same words, and what people write made into what the library takes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linprobe.errors import UsageError

if TYPE_CHECKING:
    from linprobe.arrays import Precision
    from linprobe.search import Resources

# The library's own choices, said again: importing them here would load NumPy before `--help` is answered.
Features = Literal["centred", "standardised", "normalised"]
Device = Literal["cpu", "cuda", "auto"]

AXIS = "LO:HI:COUNT (evenly spaced), LO:HI:COUNT:log (evenly in the logarithm) or a list, 1e-7,3e-7."
SOURCE = "digits, cifar10, a CIFAR-10 folder or tar.gz, a parquet file or folder."
SETTINGS, TRAINING, SPLITS = "What to compare", "How to train", "Splits"
MACHINE, OUTPUT = "The machine", "Output"

FeaturesOption = Annotated[Features, typer.Option(help="What is done to the rows.", rich_help_panel=TRAINING)]
SeedOption = Annotated[int, typer.Option(min=0, help="Of every draw.", rich_help_panel=TRAINING)]
TrainOption = Annotated[int | None, typer.Option(min=1, help="Training examples.", rich_help_panel=SPLITS)]
ValOption = Annotated[int | None, typer.Option(min=1, help="Validation examples.", rich_help_panel=SPLITS)]
TestOption = Annotated[int | None, typer.Option(min=1, help="Test examples.", rich_help_panel=SPLITS)]
DeviceOption = Annotated[Device, typer.Option(help="Where to train.", rich_help_panel=MACHINE)]
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
        raise UsageError(f"{name} {_line(text)}: is no rank; give a number of directions, 1 or more, or auto")
    return int(text)


def resources(device: Device, precision: "Precision", memory: str | None) -> "Callable[[], Resources]":
    """What the search may use; memory is looked at when it is called, with the data already there.

    Raises UsageError for a size that is none, and what `choose_device` raises.
    """
    import psutil

    from linprobe.arrays import Products, choose_device
    from linprobe.search import Resources

    bound = None if memory is None else parse_size(memory, "--memory")
    products = Products(choose_device(device, precision), precision)

    def look() -> Resources:
        held = psutil.Process().memory_info().rss
        return Resources(products, bound or held + psutil.virtual_memory().available // 2, held)

    return look


def _line(text: str) -> str:
    return " ".join(text.split())
