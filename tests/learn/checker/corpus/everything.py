"""The whole corpus: once this is imported, `registry.ENTRIES` is complete; PyTorch's where it is installed."""

import importlib
import importlib.util
from pathlib import Path

NEEDS_TORCH = {"softmax_torch", "hinge_torch"}

for path in sorted(Path(__file__).parent.glob("*.py")):
    if path.stem not in NEEDS_TORCH or importlib.util.find_spec("torch"):
        importlib.import_module(f"corpus.{path.stem}")
