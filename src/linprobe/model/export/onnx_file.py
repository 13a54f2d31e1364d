"""ONNX: the preparation, the product and the classes as one graph, written node by node.

Inputs and outputs, n examples at a time:

    X              uint8 or float32 (n, *shape): as the source gave them; uint8 where the training's were
    label          string (n,), the names of the classes; or the numbers or truth values that an estimator was given
    scores         float32 (n, K)
    probabilities  float32 (n, K); only of a model that has some

Features are centred before the product, as in Model.decision_function, and not folded into the bias: in float32 the
difference of two large sums would have fewer digits. Where the bias already has the mean, as that of an estimator that
prepares its features, the product is in float64. A scale is folded into the weights, as there.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linprobe import __version__
from linprobe.errors import IncompatibleError, require
from linprobe.model.export.tensors import Tensor

if TYPE_CHECKING:
    from linprobe.model.model import Model

__all__ = ["write_onnx"]

# Of 2022, so that older runtimes read it too; nothing newer is needed.
OPSET, IR_VERSION = 17, 8
MOST_BYTES = 2**31 - 2**20  # of weights: a message of Protocol Buffers ends at 2 GiB


def write_onnx(model: "Model", path: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Write the graph, checked by onnx itself; gives its inputs and its outputs.

    Raises IncompatibleError for weights beyond 2 GiB or what float32 can hold, MissingDependencyError without onnx.
    """
    onnx = require("onnx", "onnx")
    D, K = model.W.shape
    if model.W.nbytes > MOST_BYTES:
        raise IncompatibleError(
            f"this model has {D * K:,} weights, more than the 2 GiB that an ONNX file holds; export it as .pt or .skops"
        )
    preparation, shape = model.preparation, model.preparation.shape
    pixels = preparation.dtype == np.uint8
    double = model.W.dtype == np.float64 and not preparation.mean.any()
    graph = _Graph(onnx, np.dtype(np.float64 if double else np.float32))
    rows = graph.cast("X", graph.dtype) if pixels or double else "X"
    if len(shape) > 1:
        rows = graph.add("Flatten", rows, axis=1)
    if preparation.mean.any():
        rows = graph.add("Sub", rows, graph.numbers("mean", preparation.mean))
    if preparation.unit_rows:
        # An example that is the mean has no direction; it stays a row of zeros.
        length = graph.add("ReduceL2", rows, axes=[1], keepdims=1)
        some = graph.add("Greater", length, graph.numbers("zero", 0))
        rows = graph.add("Div", rows, graph.add("Where", some, length, graph.numbers("one", 1)))
    product = graph.add("MatMul", rows, graph.numbers("W", model.weights))
    sums = graph.single("scores", "Add", product, graph.numbers("b", model.b))
    outputs = [Tensor("scores", "float32", ("n", K))]
    if model.probabilistic:
        graph.single("probabilities", "Softmax", sums, axis=1)
        outputs = [Tensor("probabilities", "float32", ("n", K)), *outputs]
    classes = _classes(model)
    best = graph.add("ArgMax", sums, axis=1, keepdims=0)  # the first of equals, as Model.decide
    graph.add("Gather", graph.constant("classes", classes), best, axis=0, output="label")
    kind = "string" if classes.dtype.kind == "O" else classes.dtype.name
    outputs = [Tensor("label", kind, ("n",)), *outputs]
    inputs = [Tensor("X", "uint8" if pixels else "float32", ("n", *shape))]
    content = graph.finished(inputs, outputs, _told(model))
    onnx.checker.check_model(content, full_check=True)
    path.write_bytes(content.SerializeToString(deterministic=True))
    return inputs, outputs


class _Graph:
    """Nodes and constants, computed in float32 or float64; an output of a node is called after its place."""

    def __init__(self, onnx: Any, dtype: np.dtype) -> None:
        self.dtype = dtype
        self._onnx, self._nodes, self._constants = onnx, list[Any](), list[Any]()

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants.append(self._onnx.numpy_helper.from_array(value, name))
        return name

    def numbers(self, name: str, values: np.ndarray | float) -> str:
        """A constant of the type that is computed in. Raises IncompatibleError where that cannot hold it."""
        with np.errstate(over="ignore"):
            found = np.asarray(values, self.dtype)
        if not np.isfinite(found).all():
            raise IncompatibleError(
                f"this model has weights beyond what {self.dtype} can hold; export it as .skops, or train it on "
                "smaller features"
            )
        return self.constant(name, found)

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def cast(self, name: str, dtype: np.dtype, output: str | None = None) -> str:
        return self.add("Cast", name, output=output, to=self._onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def single(self, output: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node whose result is an output in float32; gives it in the type that is computed in."""
        if self.dtype == np.float32:
            return self.add(operator, *inputs, output=output, **attributes)
        found = self.add(operator, *inputs, **attributes)
        self.cast(found, np.dtype(np.float32), output)
        return found

    def finished(self, inputs: list[Tensor], outputs: list[Tensor], told: dict[str, str]) -> Any:
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "linprobe", [*map(self._value, inputs)], [*map(self._value, outputs)], self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="linprobe",
            producer_version=__version__,
        )
        helper.set_model_props(model, told)
        return model

    def _value(self, tensor: Tensor) -> Any:
        onnx = self._onnx
        kind = (
            onnx.TensorProto.STRING
            if tensor.dtype == "string"
            else onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        )
        return onnx.helper.make_tensor_value_info(tensor.name, kind, tensor.shape)


def _classes(model: "Model") -> np.ndarray:
    """The classes (K,) as what is predicted: names, truth values, int64, or what numbers are beyond that."""
    labels = model.labels
    if labels is None:
        return np.array(model.classes, object)
    return labels.astype(np.int64) if labels.dtype.kind in "iu" and labels.dtype != np.uint64 else labels


def _told(model: "Model") -> dict[str, str]:
    """The metadata: texts, those of more than a word in JSON."""
    said = model.provenance
    told = {
        "linprobe": __version__,
        "loss": said.loss,
        "reg": None if said.reg is None else repr(said.reg),
        "classes": json.dumps(model.classes),
        "white": repr(model.white) if len(model.preparation.shape) == 3 else None,
        "feature_names": None if model.feature_names is None else json.dumps(model.feature_names),
        "data": said.data,
        "fingerprint": said.fingerprint,
    }
    return {name: text for name, text in told.items() if text is not None}
