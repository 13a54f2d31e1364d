"""PyTorch's .pt and .pth: tensors, alone, by name or in tuples, read where they lie by torch's weights-only loader.

What a file asks for is looked up before: only what plain tensors and containers of them need is let through.
"""

import io
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np

from linprobe.data.formats.entries import Entry
from linprobe.data.formats.lazy import bfloat16_entry
from linprobe.data.reading import readable, require_file, show
from linprobe.errors import DataError, UnsafeFileError, require

__all__ = ["entries", "write_tensors"]

AGAIN = "save it again, with torch.save({'features': X, 'labels': y}, path)"
LARGEST_FILE = 2**44
LARGEST_PICKLE = 2**28  # texts and numbers of lists are in it, tensors are not
DEEPEST, MOST_ENTRIES = 4, 10_000
LEGACY_PICKLES = 5  # a mark, the version, the system, the content, the keys of storages
_ZIP = b"PK\x03\x04"
_HARMLESS = re.compile(
    r"torch\._utils _rebuild_(tensor(_v[23])?|parameter)|torch(\.cuda|\.storage)? \w+Storage|torch (Size|device)"
    r"|torch (bool|bfloat16|(u?int|float|complex)\w+)|collections OrderedDict|(__builtin__|builtins) set"
)
_SPLITS = {2: ("train", "test"), 3: ("train", "val", "test")}
_BROKEN = (
    *(UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, AttributeError, ValueError, AssertionError),
    *(ArithmeticError, MemoryError, struct.error, zipfile.BadZipFile, NotImplementedError),
)


def entries(path: Path) -> list[Entry]:
    """The tensors and lists of a file that torch.save wrote."""
    size = require_file(path, LARGEST_FILE, AGAIN)
    torch = require("torch", "torch")
    try:
        with readable(path), warnings.catch_warnings(action="ignore"):  # torch's, to its developers
            zipped = _refuse_code(path, size)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except _BROKEN as error:
        raise DataError(f"{path}: is not an intact file of torch.save: {_first(error)}; {AGAIN}") from error
    found = _Walk(path, size, torch).walk(content)
    if not found:
        raise DataError(f"{path}: holds no tensors, but {_kind(content)}; {AGAIN}")
    return found


def write_tensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as tensors by name, for torch.load(path, weights_only=True)."""
    torch = require("torch", "torch")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    # Not by torch itself, which has an error of its own for a full disk, and writes the file's name into it.
    content = io.BytesIO()
    torch.save(tensors, content)
    path.write_bytes(content.getbuffer())


def _refuse_code(path: Path, size: int) -> bool:
    """Refuse what needs more than tensors and plain containers; whether the file is of the present form, a zip."""
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
        file.seek(0)
        if not zipped:
            asked = [name for _ in range(LEGACY_PICKLES) for name in _names(file)]
        else:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
                    raise UnsafeFileError(f"{path}: is compressed, as torch.save never does; {AGAIN}")
                pickles = [member for member in members if member.filename.endswith("/data.pkl")]
                if len(pickles) != 1:
                    raise DataError(f"{path}: is not a file of torch.save, it has no data.pkl; {AGAIN}")
                if pickles[0].file_size > min(size, LARGEST_PICKLE):
                    raise UnsafeFileError(f"{path}: has {pickles[0].file_size:,} bytes of lists; save them as tensors")
                with archive.open(pickles[0]) as packed:
                    asked = _names(packed)
    if others := [name for name in dict.fromkeys(asked) if not _HARMLESS.fullmatch(name)]:
        raise UnsafeFileError(f"{path}: {_held(others)}")
    return zipped


def _names(file: Any) -> list[str]:
    """The modules and names that a pickle asks for, up to its end; nothing is built of it."""
    asked: list[str] = []
    for operation, argument, _ in pickletools.genops(file):
        if operation.name == "GLOBAL":
            asked.append(str(argument))
        elif operation.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
            asked.append(f"{operation.name} {argument or ''}")  # which torch.save does not write
    return asked


def _held(names: Sequence[str]) -> str:
    """What a file holds that is not plain tensors, and how to save it so that it is read."""
    shown = show(names[0].replace(" ", ".")) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    only = f"({shown}), which only code can build again; nothing of it was run"
    if any("sparse" in name for name in names):
        return f"holds sparse tensors {only}; save X.to_dense()"
    if names[0].startswith("numpy") and all(name.startswith(("numpy", "_codecs encode")) for name in names):
        return f"holds NumPy arrays {only}; save torch.from_numpy(X), or use numpy.savez"
    return f"holds objects {only}; save their tensors alone, with torch.save({{'features': X, 'labels': y}}, path)"


class _Walk(NamedTuple):
    """The way through what was loaded: tensors and lists become entries, called by the keys that lead to them."""

    path: Path
    size: int
    torch: Any

    def walk(self, value: Any, keys: tuple[str, ...] = ()) -> list[Entry]:
        """The entries in a value; none for numbers, and for what is nested deeper than anybody nests it."""
        if len(keys) > DEEPEST:
            return []
        parts = value if isinstance(value, Mapping) else self._parts(value) if isinstance(value, list | tuple) else {}
        if not parts:
            entry = self._entry("/".join(keys) or self.path.stem, value)
            return [entry] if entry else []
        if len(parts) > MOST_ENTRIES:
            raise DataError(
                f"{self.path}: holds {len(parts):,} values by name; one tensor with a row for each is expected; {AGAIN}"
            )
        return [entry for key, part in parts.items() for entry in self.walk(part, (*keys, str(key)))]

    def _parts(self, values: Sequence[Any]) -> Mapping[Any, Any]:
        """Names for what has none: features and labels, pairs of these, and columns of records; {} for rows."""
        first: Any = values[0] if values else None
        if isinstance(first, Mapping):
            alike = all(isinstance(value, Mapping) and value.keys() == first.keys() for value in values)
            return {key: [value[key] for value in values] for key in first} if alike else {}
        if self._is_table(first):
            if len(values) == 2 and len(values[1]) == len(first) and np.shape(values[1]) != first.shape:
                return {"X": first, "y": values[1]}
            # As numpy.savez calls arrays without names, which are paired later.
            return {f"arr_{number}": value for number, value in enumerate(values)} if len(values) in (4, 6) else {}
        if not all(isinstance(value, list | tuple) and len(value) == 2 for value in values):
            return {}
        if all(self._is_table(value[0]) for value in values):
            return dict(zip(_SPLITS.get(len(values), ()), values, strict=False))
        if all(isinstance(value[0], self.torch.Tensor) for value in values):
            return {"X": [value[0] for value in values], "y": [value[1] for value in values]}
        return {}

    def _is_table(self, value: Any) -> bool:
        return isinstance(value, self.torch.Tensor) and bool(value.ndim > 1)

    def _entry(self, name: str, value: Any) -> Entry | None:
        """A tensor, or a list of rows, as an entry; None for all else, such as a number."""
        if isinstance(value, self.torch.Tensor):
            return self._tensor(name, value)
        if not isinstance(value, list | tuple) or not value:
            return None
        kinds = {type(item) for item in value}
        if all(issubclass(kind, self.torch.Tensor) for kind in kinds):
            if len({(item.shape, item.dtype) for item in value}) > 1:
                return None
            for item in value:
                self._check(name, item)
            if sum(item.numel() * item.element_size() for item in value) > self.size:
                raise self._repeats(name)
            return self._tensor(name, self.torch.stack([item.detach() for item in value]))
        if kinds <= {str, type(None)}:
            values = np.array(value, object)
        elif kinds <= {int, float, bool}:
            values = np.array(value)
        else:
            return None
        dtype = values.dtype if values.dtype.kind in "biuf" else None
        return Entry(name, str(self.path), values.shape, dtype, lambda: values)

    def _tensor(self, name: str, tensor: Any) -> Entry:
        """A tensor where it lies."""
        self._check(name, tensor)
        tensor, place, shape = tensor.detach(), str(self.path), tuple(tensor.shape)
        if tensor.dtype == self.torch.bfloat16:
            bits = tensor.view(self.torch.int16).numpy().view(np.uint16)
            return bfloat16_entry(name, place, shape, lambda: bits)
        kind = str(tensor.dtype).removeprefix("torch.")
        if not re.fullmatch(r"bool|u?int(8|16|32|64)|float(16|32|64)", kind):

            def refuse() -> np.ndarray:
                raise DataError(f"{place}: {show(name)} is {kind}, which can't be learnt from; save X.float()")

            return Entry(name, place, shape, None, refuse)
        values = tensor.numpy()
        return Entry(name, place, shape, values.dtype, lambda: values)

    def _check(self, name: str, tensor: Any) -> None:
        """Refuse a tensor that is not what its file has: of another layout, or larger."""
        if tensor.layout != self.torch.strided or tensor.device.type != "cpu":
            raise DataError(f"{self.path}: {show(name)} is not a plain tensor; {AGAIN}")
        if max(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()) > self.size:
            raise self._repeats(name)

    def _repeats(self, name: str) -> UnsafeFileError:
        return UnsafeFileError(
            f"{self.path}: {show(name)} announces more than the {self.size:,} bytes of its file; save X.clone()"
        )


def _first(error: BaseException) -> str:
    """What torch says is wrong, without its advice to trust the file."""
    return show(str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__, 120)


def _kind(value: object) -> str:
    return f"a {show(type(value).__name__)}" + (" that is empty" if isinstance(value, Mapping) and not value else "")
