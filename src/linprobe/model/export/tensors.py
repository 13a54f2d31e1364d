"""What goes into an exported model, and what comes out of it."""

from typing import NamedTuple

__all__ = ["Tensor"]


class Tensor(NamedTuple):
    """An input or an output: its name, the type of its values, and its shape, in which "n" is any number of examples.

    name is "" where it has none.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join(map(str, self.shape))}{',' if len(self.shape) == 1 else ''})"
