"""The compiled kernel's function, with the types of C; nothing here decides anything."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_double, c_int32, c_int64, c_void_p
from functools import cache
from typing import Any

from edgeplan.solvers.compiled import compiled_library

_MODULE = "edgeplan.solvers.sparse_update.kernel._kernel"


class Layers(Structure):
    """Layers and options as arrays; kernel.h says what each holds."""

    _fields_ = (
        ("num_layers", c_int32),
        *((name, c_void_p) for name in ("first", "memory", "flops", "reach_bytes", "reach_flops")),
    )


class Device(Structure):
    """What one device may do, and what it is worth."""

    _fields_ = (
        ("memory_bytes", c_int64),
        ("flops", c_double),
        *((name, c_void_p) for name in ("value", "depth_value", "allowed", "may_skip")),
    )


class Choice(Structure):
    """A choice to begin with, and the best."""

    _fields_ = (
        *((name, c_double) for name in ("value", "upper", "byte_price", "flop_price")),
        *((name, c_int32) for name in ("depth", "wide")),
    )


@cache
def kernel() -> Any:
    """Load the kernel.

    Raises
    ------
    BackendError
        When it was not built with the package.
    """
    library = compiled_library(_MODULE, "sparse_update")
    library.best_choice.restype = None
    library.best_choice.argtypes = [POINTER(Layers), POINTER(Device), c_double, POINTER(Choice), c_void_p]
    return library
