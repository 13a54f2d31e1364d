"""Pickles that would do something when read: each makes the folder that it is given the name of.

`live` ones do so under Python's own unpickler, which the tests show first; the others attack the reader itself, or
need an object that is not there.
"""

import copyreg
import marshal
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any, NamedTuple


class Gadget(NamedTuple):
    name: str
    live: bool
    build: Callable[[str], bytes]  # of the canary's path: a whole pickle


class Call:
    """Pickles as a call, of whatever can be named."""

    def __init__(self, function: Any, *arguments: Any, **more: Any) -> None:
        self.reduced = (function, arguments, *more.values())

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced

    def __call__(self) -> None:
        """Never: but pickle wants what is called to look as if it could be, also where a call gives it."""


def dumped(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol)


def u(text: str) -> bytes:
    """A text, as protocol 4 writes it."""
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def stack_global(module: str, name: str) -> bytes:
    return u(module) + u(name) + b"\x93"


def called(function: bytes, *arguments: str) -> bytes:
    return function + b"(" + b"".join(map(u, arguments)) + b"tR"


P2, P4 = b"\x80\x02", b"\x80\x04"


def _calls() -> list[Gadget]:
    """One call of a function of the standard library or of numpy, in the usual form."""
    import _codecs
    import builtins
    import functools
    import importlib
    import operator
    import pathlib
    import runpy
    import shutil
    import subprocess
    import timeit

    import numpy as np

    def code(path: str) -> str:
        return f"import os; os.mkdir({path!r})"

    def function_from_bytes(path: str) -> Call:
        body = marshal.dumps(compile(code(path), "x", "exec"))
        return Call(Call(Call(getattr, Call(__import__, "types"), "FunctionType"), Call(marshal.loads, body), {}))

    makers: list[tuple[str, bool, Callable[[str], Any]]] = [
        ("os.system", True, lambda path: Call(os.system, f"mkdir {path}")),
        ("os.mkdir", True, lambda path: Call(os.mkdir, path)),
        ("os.popen", True, lambda path: Call(Call(getattr, Call(os.popen, f"mkdir {path}"), "read"))),
        ("subprocess.Popen", True, lambda path: Call(Call(getattr, Call(subprocess.Popen, ["mkdir", path]), "wait"))),
        ("subprocess.check_call", True, lambda path: Call(subprocess.check_call, ["mkdir", path])),
        ("builtins.eval", True, lambda path: Call(eval, f"__import__('os').mkdir({path!r})")),
        ("builtins.exec", True, lambda path: Call(exec, code(path))),
        ("builtins.__import__", True, lambda path: Call(Call(getattr, Call(__import__, "os"), "mkdir"), path)),
        ("builtins.open", True, lambda path: Call(open, path, "w")),
        ("builtins.map", True, lambda path: Call(list, Call(map, os.mkdir, [path]))),
        ("importlib", True, lambda path: Call(Call(getattr, Call(importlib.import_module, "os"), "mkdir"), path)),
        ("functools.partial", True, lambda path: Call(functools.partial(os.mkdir, path))),
        ("functools.reduce", True, lambda path: Call(functools.reduce, os.mkdir, [path, 0o777])),
        (
            "operator.methodcaller",
            True,
            lambda path: Call(operator.methodcaller("mkdir", path), Call(__import__, "os")),
        ),
        ("pathlib.Path.mkdir", True, lambda path: Call(Call(getattr, pathlib.Path(path), "mkdir"))),
        ("shutil.copytree", True, lambda path: Call(shutil.copytree, str(pathlib.Path(__file__).parent), path)),
        ("runpy", True, lambda path: Call(runpy._run_code, compile_later(code(path)), {})),  # pyright: ignore
        ("timeit", True, lambda path: Call(timeit.timeit, code(path), "pass", timeit.default_timer, 1)),
        ("types.FunctionType", True, function_from_bytes),
        ("pickle.loads, nested", True, lambda path: Call(pickle.loads, dumped(Call(os.mkdir, path)))),
        ("numpy.load, nested", True, lambda path: Call(np.load, saved(Call(os.mkdir, path), path), None, True)),
        ("numpy.testing.runstring", True, lambda path: Call(np.testing.runstring, code(path), {})),  # pyright: ignore
        ("numpy.memmap", True, lambda path: Call(np.memmap, path, "uint8", "w+", 0, (1,))),
        ("numpy.vectorize", True, lambda path: Call(Call(np.vectorize, os.mkdir), path)),
        ("numpy.object array", True, lambda path: np.array([Call(os.mkdir, path)], object)),
        ("numpy.scalar", False, lambda path: Call(scalar(), np.dtype(object), dumped(Call(os.mkdir, path)))),
        ("codecs, another encoding", False, lambda path: Call(_codecs.encode, path, "rot13")),
        ("codecs, errors handler", False, lambda path: Call(_codecs.encode, path, "latin1", "xmlcharrefreplace")),
        ("codecs.decode", False, lambda path: Call(_codecs.decode, path.encode(), "utf-7")),
        ("numpy.dtype of objects", False, lambda path: np.dtype([(path, object)])),
        ("builtins.getattr alone", False, lambda path: Call(getattr, path, "__class__")),
        ("builtins.bytearray", False, lambda _: Call(builtins.bytearray, 10**9)),
    ]
    return [
        Gadget(
            f"{name}, protocol {protocol}",
            live,
            lambda path, make=make, protocol=protocol: dumped(make(path), protocol),
        )
        for name, live, make in makers
        for protocol in (2, 4)
        if protocol == 4 or name in ("os.system", "builtins.eval", "numpy.scalar", "numpy.object array")
    ]


def compile_later(text: str) -> Call:
    return Call(compile, text, "x", "exec")


def saved(value: Any, path: str) -> str:
    """A .npy with a pickle inside, beside the canary."""
    import numpy as np

    np.save(path + ".npy", np.array([value], object), allow_pickle=True)
    return path + ".npy"


def scalar() -> Any:
    import numpy as np

    return np.int64(1).__reduce__()[0]


class WithState:
    """Would make a folder when its state is set."""

    def __setstate__(self, state: str) -> None:
        os.mkdir(state)  # noqa: PTH102


class Made:
    """Would make a folder when it is made, however that is asked for."""

    def __new__(cls, path: str = "", *, keyword: str = "") -> "Made":
        os.mkdir(path or keyword)  # noqa: PTH102
        return super().__new__(cls)


EXTENSION = 0x7E57


def _opcodes() -> list[Gadget]:
    """Written by hand: the operations that no plain value needs, and names in disguise."""
    here = f"c{__name__}\n".encode()

    def extension(code: bytes) -> Callable[[str], bytes]:
        def build(path: str) -> bytes:
            number = int.from_bytes(code[1:], "little")
            if number not in copyreg._inverted_registry:  # pyright: ignore[reportAttributeAccessIssue]
                # One function has one number, so each of these has a function of its own.
                module, name = {1: ("os", "mkdir"), 2: ("posix", "mkdir"), 4: ("shutil", "os.mkdir")}[len(code) - 1]
                copyreg._inverted_registry[number] = (module, name)  # pyright: ignore[reportAttributeAccessIssue]
            return P4 + called(code, path)

        return build

    def line(text: str) -> bytes:
        return f"S{text!r}\n".encode()

    return [
        Gadget("INST", True, lambda path: b"(" + line(path) + b"ios\nmkdir\n."),
        Gadget("INST after PROTO", True, lambda path: P2 + b"(" + line(path) + b"ios\nmkdir\n."),
        Gadget("OBJ", True, lambda path: P2 + b"(cos\nmkdir\n" + u(path) + b"o."),
        Gadget("NEWOBJ", True, lambda path: P2 + here + b"Made\n" + u(path) + b"\x85\x81."),
        Gadget("NEWOBJ_EX", True, lambda path: P4 + here + b"Made\n)}" + u("keyword") + u(path) + b"s\x92."),
        Gadget("BUILD, __setstate__", True, lambda path: P2 + here + b"WithState\n)\x81" + u(path) + b"b."),
        Gadget("EXT1", True, extension(b"\x82\x7e")),
        Gadget("EXT2", True, extension(b"\x83\x57\x7e")),
        Gadget("EXT4", True, extension(b"\x84\x57\x7e\x01\x00")),
        Gadget("GLOBAL posix.system", True, lambda path: P2 + called(b"cposix\nsystem\n", f"mkdir {path}") + b"."),
        Gadget("GLOBAL, dotted", True, lambda path: P4 + called(b"cshutil\nos.mkdir\n", path) + b"."),
        Gadget(
            "STACK_GLOBAL, dotted", True,
            lambda path: P4 + called(stack_global("shutil", "os.mkdir"), path) + b".",
        ),
        Gadget(
            "STACK_GLOBAL through numpy", True,
            lambda path: P4 + called(stack_global("numpy", "lib._datasource.os.mkdir"), path) + b".",
        ),
        Gadget(
            "memo", True,
            lambda path: P4 + stack_global("os", "mkdir") + b"\x940(" + u(path) + b"t\x940h\x00h\x01R.",
        ),
        Gadget("the call first, dropped after", True, lambda path: P2 + called(b"cos\nmkdir\n", path) + b"0}."),
        Gadget("as a key", True, lambda path: P2 + b"}" + called(b"cos\nmkdir\n", path) + b"K\x01s."),
        Gadget("after the end", False, lambda path: dumped({"data": 1}) + dumped(Call(os.mkdir, path))),
        Gadget("PERSID", False, lambda _: P2 + b"Pos.mkdir\n."),
        Gadget("BINPERSID", False, lambda path: P2 + u(path) + b"Q."),
        Gadget("NEXT_BUFFER", False, lambda _: b"\x80\x05\x97."),
        Gadget("READONLY_BUFFER", False, lambda path: b"\x80\x05" + u(path) + b"\x98."),
        Gadget("numpy.ndarray.__class__", False, lambda _: P4 + stack_global("numpy", "ndarray.__class__") + b")R."),
        Gadget("numpy.dtype.__subclasses__", False, lambda _: P4 + stack_global("numpy", "dtype.mro") + b")R."),
        Gadget("numpy.ndarray called", False, lambda _: P2 + b"cnumpy\nndarray\nJ\x00\x00\x00\x40\x85\x85R."),
        Gadget("_reconstruct of another class", False, lambda _: reconstruct(b"cnumpy\nmemmap\n", b"K\x00\x85")),
        Gadget("_reconstruct of a size", False, lambda _: reconstruct(b"cnumpy\nndarray\n", b"J\0\0\0\x40\x85")),
        Gadget("BUILD on a name", False, lambda _: P2 + b"cnumpy\nndarray\n}" + u("x") + b"K\x01sb."),
        Gadget("APPEND to a name", False, lambda _: P2 + b"cnumpy\nndarray\nK\x01a."),
        Gadget("SETITEM of a name", False, lambda _: P2 + b"cnumpy\nndarray\n" + u("x") + b"K\x01s."),
        Gadget("call of a text", False, lambda path: P2 + called(u("os.mkdir"), path) + b"."),
        Gadget("call of a number type", False, lambda path: P2 + called(called(b"cnumpy\ndtype\n", "O"), path) + b"."),
        Gadget("name with a line break", False, lambda _: P4 + stack_global("os\nevil\x1b[2J", "mkdir") + b"."),
        Gadget("name of a megabyte", False, lambda _: P4 + stack_global("o" * 2**20, "mkdir") + b"."),
    ]  # fmt: skip


def reconstruct(subtype: bytes, shape: bytes) -> bytes:
    return P2 + b"cnumpy.core.multiarray\n_reconstruct\n" + subtype + shape + u("b") + b"\x87R."


GADGETS = _calls() + _opcodes()
