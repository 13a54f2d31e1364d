"""A model as the file of another library: ONNX, a state_dict of PyTorch, or an estimator of scikit-learn in skops."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from linprobe.errors import UsageError, short
from linprobe.model.export.onnx_file import write_onnx
from linprobe.model.export.skops_file import write_skops
from linprobe.model.export.state_dict import write_state_dict
from linprobe.model.export.tensors import Tensor
from linprobe.publish import publish_file

if TYPE_CHECKING:
    from linprobe.model.model import Model

__all__ = ["FORMS", "ExportForm", "Exported", "Tensor", "export_model"]

To = Literal["onnx", "torch", "sklearn"]


class ExportForm(NamedTuple):
    """A kind of file: the library it is for, how its names end, and what writes it and says what goes in and out."""

    name: str
    suffixes: tuple[str, ...]
    write: "Callable[[Model, Path], tuple[list[Tensor], list[Tensor]]]"


FORMS: dict[To, ExportForm] = {
    "onnx": ExportForm("ONNX", (".onnx",), write_onnx),
    "torch": ExportForm("PyTorch", (".pt", ".pth"), write_state_dict),
    "sklearn": ExportForm("scikit-learn", (".skops",), write_skops),
}


@dataclass(frozen=True)
class Exported:
    """A file that was written: its path, its form and bytes, what goes into what it holds, and what comes out."""

    path: Path
    to: To
    bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def export_model(model: "Model", path: str | Path, to: To | None = None, *, replace: bool = True) -> Exported:
    """Write a model as the file of another library, its preparation included; it appears whole or not at all.

    Parameters
    ----------
    model : Model
        What to write.
    path : str or Path
        The file to be made.
    to : {"onnx", "torch", "sklearn"}, optional
        Its form; unless given, what its name ends in says so: .onnx, .pt or .pth, .skops.
    replace : bool, default True
        Whether a file in its place may go.

    Returns
    -------
    Exported

    Raises
    ------
    UsageError
        Where neither name nor `to` says the form, where they differ, and where a file exists that may not go.
    IncompatibleError
        For a model that the form cannot hold; the message names one that can.
    MissingDependencyError
        Where the library of the form is not installed.
    OutputError
        Where the file cannot be written.
    """
    path = Path(path)
    form = _form_of(path, to)
    with publish_file(path, replace=replace) as partial:
        inputs, outputs = FORMS[form].write(model, partial)
    return Exported(path, form, path.stat().st_size, tuple(inputs), tuple(outputs))


def _form_of(path: Path, to: To | None) -> To:
    said: To | None = next((form for form, known in FORMS.items() if path.name.lower().endswith(known.suffixes)), None)
    if to is not None and to not in FORMS:
        raise UsageError(f"to is {short(repr(to))}; use one of: {', '.join(FORMS)}")
    if to is not None and said not in (None, to):
        raise UsageError(
            f"{path}: its name is that of a file for {FORMS[said or to].name}, but {to} was asked for; call it "
            f"{path.with_suffix(FORMS[to].suffixes[0])}"
        )
    if (form := to or said) is None:
        *endings, last = (known.suffixes[0] for known in FORMS.values())
        raise UsageError(
            f"{path}: its name does not say what to write; let it end in {', '.join(endings)} or {last}, or name one "
            f"with --to: {', '.join(FORMS)}"
        )
    return form
