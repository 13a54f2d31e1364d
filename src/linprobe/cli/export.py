"""`linprobe export`: a saved model as the file of another library."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linprobe.cli.arguments import ModelArgument

if TYPE_CHECKING:
    from linprobe.model import Model
    from linprobe.model.export import Exported, Tensor
    from linprobe.results.steps import Step

__all__ = ["export"]

# How each is opened, in a line that can be typed.
OPENED = {
    "onnx": "onnxruntime.InferenceSession({path!r}).run(None, {{'X': X}})",
    "torch": "layer = torch.nn.Linear({D}, {K}); layer.load_state_dict(torch.load({path!r}))",
    "sklearn": "skops.io.load({path!r}).predict(X)",
}


def export(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="The file to write: .onnx, .pt or .skops.")],
    to: Annotated[
        Literal["onnx", "torch", "sklearn"] | None,
        typer.Option(help="What to write, where the file's name does not say it.", show_default="by the file's name"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON, only that.")] = False,
) -> None:
    """Write a saved model for another library, its preparation included.

    onnx: one graph from pictures or arrays to classes, scores and probabilities, for any number of examples at a time.

    torch: the state_dict of a torch.nn.Linear, for flattened examples. sklearn: a fitted LogisticRegression or
    LinearSVC in a skops file, for the same.
    """
    from rich.console import Console

    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_step
    from linprobe.model import load
    from linprobe.model.export import export_model

    classifier = load(model)
    found = export_model(classifier, file, to, replace=force)
    if as_json:
        answer(json.dumps({"model": str(model), **_numbers(found)}, indent=2))
        return
    print_step(Console(highlight=False), _step(classifier, found))
    require_output()


def _numbers(found: "Exported") -> "dict[str, object]":
    tensors = {
        side: [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in every]
        for side, every in (("inputs", found.inputs), ("outputs", found.outputs))
    }
    return {"file": str(found.path), "to": found.to, "bytes": found.bytes, **tensors}


def _step(classifier: "Model", found: "Exported") -> "Step":
    from linprobe.model.export import FORMS
    from linprobe.results.steps import Row, Step, brief, number

    K = len(classifier.classes)
    size = f"{found.bytes:,} bytes" if found.bytes < 1e6 else f"{number(found.bytes / 1e6)} MB"
    rows = [Row("file", str(found.path), f"{FORMS[found.to].name}, {size}")]
    for side, every in (("in", found.inputs), ("out", found.outputs)):
        rows += [Row("" if place else side, _told(one)) for place, one in enumerate(every)]
    names = ", ".join(brief(name, 20) for name in classifier.classes[:4])
    rows.append(Row("classes", names + (f" and {K - 4:,} more" if K > 4 else ""), "in this order"))
    opened = OPENED[found.to].format(path=str(found.path), D=classifier.W.shape[0], K=K)
    return Step(None, "Exported", tuple(rows), (f"To use it: {opened}",))


def _told(tensor: "Tensor") -> str:
    return f"{tensor.name}: {tensor}" if tensor.name else str(tensor)
