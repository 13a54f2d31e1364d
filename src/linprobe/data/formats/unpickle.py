"""Read the pickles of CIFAR-10, and of arrays of texts, and run nothing.

A pickle is a program for a small stack machine, and `pickle.load` calls whatever the program names. This is a machine
of our own with the few operations that a dictionary of numbers, texts and arrays needs. It imports nothing and calls
nothing: a name on the list below becomes a mark on the stack, "call" then means that we build the array ourselves, and
every other name, and every operation made for other objects, is refused by its name.

Memory stays below a small multiple of the file: each piece of a file must lie inside it before it is taken, so a
length is never trusted; what can make much from little (operations, re-encoded text) is counted.

Reads the dialect of the official files (Python 2, protocol 2) and the same dictionaries saved again by Python 3, with
protocols 2 to 5. The operations: Lib/pickletools.py of CPython.
"""

import struct
from collections.abc import Callable

from linprobe.data.formats.pickled_arrays import NAMES, Array, Global, NotAllowedError, UnfitError, call, set_state
from linprobe.data.reading import CIFAR10_AGAIN, show
from linprobe.errors import DataError, UnsafeFileError

__all__ = ["MOST_OPERATIONS", "Machine", "unpickle"]

# A batch of 10,000 images takes 50,000 operations. Each makes at most about 200 bytes beside what it takes from the
# file, so half a million of them cannot fill a memory.
MOST_OPERATIONS = 500_000
LONGEST_NAME = 200

# Named in the refusal, so that a reader learns what the file tried. All other unknown bytes are damage.
# fmt: off
_REFUSED = {
    0x69: "INST", 0x6F: "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4",
    0x50: "PERSID", 0x51: "BINPERSID", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}
# fmt: on


def unpickle(data: bytes, place: str) -> dict[str, object]:
    """The dictionary in a pickle, keys as text, arrays as read-only NumPy arrays that share the memory of `data`.

    `place` names the file in errors. Byte strings stay bytes, as `pickle.load(encoding="bytes")` leaves them. Raises
    UnsafeFileError for a file that asks for anything beyond plain values and arrays, DataError for a damaged one.
    """
    found = Machine(data, place).run()
    assert isinstance(found, dict)  # noqa: S101  # as `fits` has seen
    return {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in found.items()}


class Machine:
    """The stack machine; another dialect of pickles overrides what its files never need and may call."""

    again = CIFAR10_AGAIN
    holds = "dictionary of labels and data"
    never = "the images and labels of CIFAR-10"
    most_operations = MOST_OPERATIONS

    def __init__(self, data: bytes, place: str) -> None:
        self.data, self.place, self.position = data, place, 0
        self.stack: list[object] = []
        self.below: list[list[object]] = []  # the stacks under each open mark
        self.memo: dict[int, object] = {}
        self.encodable = len(data)

    def run(self) -> object:
        """What the pickle holds, arrays as NumPy arrays."""
        if not self.data:
            raise DataError(f"{self.place}: is empty; {self.again}")
        if self.data[0] != 0x80:
            raise DataError(f"{self.place}: is not a pickle of protocol 2 to 5; {self.again}")
        for _ in range(self.most_operations):
            code = self.take(1)[0]
            if code == ord("."):
                return self.result()
            operation = _OPERATIONS.get(code)
            if operation is None:
                raise self.unknown(code)
            operation(self)
        raise UnsafeFileError(f"{self.place}: has more than {self.most_operations:,} operations; {self.again}")

    def result(self) -> object:
        """The value that is left at the end, which must be all there is."""
        found = self.pop()
        if self.position < len(self.data):
            rest = len(self.data) - self.position
            raise DataError(f"{self.place}: goes on for {rest:,} bytes after its end; {self.again}")
        if self.stack or self.below or not self.fits(found):
            raise DataError(f"{self.place}: holds no {self.holds}; {self.again}")
        return {key: self.plain(value) for key, value in found.items()} if isinstance(found, dict) else found

    def fits(self, found: object) -> bool:
        """Whether the file holds what it should."""
        return type(found) is dict

    # Taking from the file and from the stack.

    def take(self, count: int) -> bytes:
        """The next bytes of the file."""
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise DataError(
                f"{self.place}: ends after {len(self.data):,} of at least {max(end, self.position):,} bytes; "
                f"{self.again}"
            )
        start, self.position = self.position, end
        return self.data[start:end]

    def number(self, form: str) -> int:
        """The next number, in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """The next line, a name."""
        end = self.data.find(b"\n", self.position, self.position + LONGEST_NAME)
        if end < 0:
            raise self.damaged("a name without an end")
        return self.take(end + 1 - self.position)[:-1].decode("latin-1")

    def text(self, count: int) -> str:
        """The next text, of so many bytes."""
        try:
            return self.take(count).decode()
        except UnicodeDecodeError as error:
            raise self.damaged("text that is not UTF-8") from error

    def push(self, value: object) -> None:
        """To the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """Take the last value off the stack."""
        if not self.stack:
            raise self.damaged("an operation without its operand")
        return self.stack.pop()

    def pop_mark(self) -> list[object]:
        """Take all values off the stack that lie above the last mark."""
        if not self.below:
            raise self.damaged("an end without a beginning")
        items, self.stack = self.stack, self.below.pop()
        return items

    # The ways to refuse.

    def damaged(self, finding: str) -> DataError:
        """Of a file in which something does not fit."""
        return DataError(f"{self.place}: is damaged: {finding} before byte {self.position:,}; {self.again}")

    def unsafe(self, finding: str) -> UnsafeFileError:
        """Of a file that asks for more than values."""
        return UnsafeFileError(
            f"{self.place}: {finding}, which {self.never} never need; nothing of it was run; "
            f"do not use it, {self.again}"
        )

    def unknown(self, code: int) -> DataError:
        """Of an operation that is not known here."""
        if code in _REFUSED:
            return self.unsafe(f"asks for the pickle operation {_REFUSED[code]}")
        return self.damaged(f"0x{code:02x} stands for no operation that is known here")

    # Names and calls, see pickled_arrays.

    def name(self, module: object, attribute: object) -> Global:
        """The mark that a name becomes."""
        if type(module) is not str or type(attribute) is not str:
            raise self.damaged("a name that is not text")
        known = NAMES.get((module, attribute))
        if known is None:
            raise self.unsafe(f"asks for {show(module)}.{show(attribute)}")
        return known

    def call(self, function: object, arguments: object) -> object:
        """What a call stands for; nothing is called."""
        if function is Global.ENCODE and isinstance(arguments, tuple) and arguments and isinstance(arguments[0], str):
            self.encodable -= len(arguments[0])
            if self.encodable < 0:  # the same text, over and over
                raise self.unsafe("unfolds to more bytes than it has")
        try:
            return call(function, arguments)
        except NotAllowedError as error:
            raise self.unsafe(str(error)) from error
        except UnfitError as error:
            raise self.damaged(str(error)) from error

    def set_state(self, target: object, state: object) -> None:
        """Complete what a call has announced."""
        try:
            set_state(target, state)
        except NotAllowedError as error:
            raise self.unsafe(str(error)) from error
        except UnfitError as error:
            raise self.damaged(str(error)) from error

    def plain(self, value: object) -> object:
        """An array as NumPy's, all else as it is."""
        if isinstance(value, Array) and value.value is None:
            raise self.damaged("an array without content")
        return value.value if isinstance(value, Array) else value


def _frame(machine: Machine) -> None:
    size = machine.number("<Q")
    if size > len(machine.data) - machine.position:
        machine.take(size)  # says where the file ends


def _protocol(machine: Machine) -> None:
    protocol = machine.number("<B")
    if not 2 <= protocol <= 5:
        raise machine.damaged(f"protocol {protocol}, where 2 to 5 are known,")


def _long(machine: Machine) -> None:
    size = machine.number("<B")
    if size > 8:
        raise machine.damaged(f"a number of {size} bytes")
    machine.push(int.from_bytes(machine.take(size), "little", signed=True))


def _tuple(machine: Machine) -> None:
    machine.push(tuple(machine.pop_mark()))


def _tuple_of(count: int) -> Callable[[Machine], None]:
    def operation(machine: Machine) -> None:
        machine.push(tuple([machine.pop() for _ in range(count)][::-1]))

    return operation


def _append(machine: Machine, items: list[object]) -> None:
    target = machine.pop()
    if type(target) is not list:
        raise machine.unsafe("appends to something that is not a list")
    target.extend(items)
    machine.push(target)


def _set_items(machine: Machine, items: list[object]) -> None:
    target = machine.pop()
    if type(target) is not dict:
        raise machine.unsafe("sets items of something that is not a dictionary")
    keys = items[::2]
    if len(items) % 2 or not all(isinstance(key, str | bytes) for key in keys):
        raise machine.damaged("a dictionary whose keys are not all text")
    target.update(zip(keys, items[1::2], strict=True))
    machine.push(target)


def _memorize(machine: Machine, slot: int) -> None:
    if not machine.stack:
        raise machine.damaged("an operation without its operand")
    machine.memo[slot] = machine.stack[-1]  # a dictionary: a high slot takes no more room than a low one


def _recall(machine: Machine, slot: int) -> None:
    if slot not in machine.memo:
        raise machine.damaged(f"a reference to value {slot}, which was not kept,")
    machine.push(machine.memo[slot])


def _mark(machine: Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _stack_global(machine: Machine) -> None:
    attribute, module = machine.pop(), machine.pop()
    machine.push(machine.name(module, attribute))


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _build(machine: Machine) -> None:
    state, target = machine.pop(), machine.pop()
    machine.set_state(target, state)
    machine.push(target)


_OPERATIONS: dict[int, Callable[[Machine], None]] = {
    # What stands around the values.
    0x80: _protocol,
    0x95: _frame,
    ord("("): _mark,
    ord("q"): lambda machine: _memorize(machine, machine.number("<B")),
    ord("r"): lambda machine: _memorize(machine, machine.number("<I")),
    0x94: lambda machine: _memorize(machine, len(machine.memo)),
    ord("h"): lambda machine: _recall(machine, machine.number("<B")),
    ord("j"): lambda machine: _recall(machine, machine.number("<I")),
    # Plain values.
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("K"): lambda machine: machine.push(machine.number("<B")),
    ord("M"): lambda machine: machine.push(machine.number("<H")),
    ord("J"): lambda machine: machine.push(machine.number("<i")),
    0x8A: _long,
    ord("G"): lambda machine: machine.push(machine.number(">d")),
    # Bytes: Python 2's str, Python 3's bytes and bytearray.
    ord("U"): lambda machine: machine.push(machine.take(machine.number("<B"))),
    ord("T"): lambda machine: machine.push(machine.take(machine.number("<i"))),
    ord("C"): lambda machine: machine.push(machine.take(machine.number("<B"))),
    ord("B"): lambda machine: machine.push(machine.take(machine.number("<I"))),
    0x8E: lambda machine: machine.push(machine.take(machine.number("<Q"))),
    0x96: lambda machine: machine.push(machine.take(machine.number("<Q"))),
    # Text.
    0x8C: lambda machine: machine.push(machine.text(machine.number("<B"))),
    ord("X"): lambda machine: machine.push(machine.text(machine.number("<I"))),
    0x8D: lambda machine: machine.push(machine.text(machine.number("<Q"))),
    # Containers.
    ord(")"): lambda machine: machine.push(()),
    ord("t"): _tuple,
    0x85: _tuple_of(1),
    0x86: _tuple_of(2),
    0x87: _tuple_of(3),
    ord("]"): lambda machine: machine.push([]),
    ord("a"): lambda machine: _append(machine, [machine.pop()]),
    ord("e"): lambda machine: _append(machine, machine.pop_mark()),
    ord("}"): lambda machine: machine.push({}),
    ord("s"): lambda machine: _set_items(machine, [machine.pop(), machine.pop()][::-1]),
    ord("u"): lambda machine: _set_items(machine, machine.pop_mark()),
    # Names and calls: only marks on the stack, see Machine.call.
    ord("c"): lambda machine: machine.push(machine.name(machine.line(), machine.line())),
    0x93: _stack_global,
    ord("R"): _reduce,
    ord("b"): _build,
}
