"""The array library, chosen once: one file for each, behind `Backend`, loaded when one of its arrays is seen.

Functions that do something with an array find its library themselves. A new library is a file with a `BACKEND` and a
line in `registry.FILES`.
"""

from linprobe.core.backend.chunks import SWEEP_ELEMENTS, row_chunks, sweep_rows
from linprobe.core.backend.halves import widened
from linprobe.core.backend.numpy import is_sparse
from linprobe.core.backend.operations import (
    add_gram,
    add_product,
    cap_,
    capture,
    choose_device,
    device_of,
    exp_,
    laid_as,
    move,
    namespace,
    on_host,
    one_thread,
    orthonormal,
    principal_axes,
    product,
    quiet,
    reduction,
    room_for,
    take_rows,
    to_numpy,
)
from linprobe.core.backend.products import Products
from linprobe.core.backend.protocol import Array, Backend, Device, Precision
from linprobe.core.backend.registry import LIBRARIES, backend_of, backend_on

__all__ = [
    "LIBRARIES",
    "SWEEP_ELEMENTS",
    "Array",
    "Backend",
    "Device",
    "Precision",
    "Products",
    "add_gram",
    "add_product",
    "backend_of",
    "backend_on",
    "cap_",
    "capture",
    "choose_device",
    "device_of",
    "exp_",
    "is_sparse",
    "laid_as",
    "move",
    "namespace",
    "on_host",
    "one_thread",
    "orthonormal",
    "principal_axes",
    "product",
    "quiet",
    "reduction",
    "room_for",
    "row_chunks",
    "sweep_rows",
    "take_rows",
    "to_numpy",
    "widened",
]
