"""The compiled kernel's functions, with the types of C; nothing here decides anything."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_double, c_int32, c_int64, c_uint64, c_void_p
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


class Bundled(Structure):
    """Slices and classes of devices, for groups that many slices share."""

    _fields_ = (
        *((name, c_int32) for name in ("num_slices", "num_layers", "num_kinds")),
        *((name, c_void_p) for name in ("order", "needs", "layer", "memory", "flops", "sent", "worth")),
        *((name, c_void_p) for name in ("budget_flops", "first", "count", "budget", "fixed", "per_byte")),
        *((name, c_double) for name in ("fixed_joining", "per_byte_joining")),
    )


class Annealed(Structure):
    """Where a search for bundles stands, and its best."""

    _fields_ = (
        ("value", c_double),
        ("random", c_uint64),
        *((name, c_void_p) for name in ("bundle", "best", "joined")),
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
    library.anneal.restype = None
    library.anneal.argtypes = [
        POINTER(Bundled),
        POINTER(Annealed),
        c_int32,
        c_int32,
        c_double,
        c_double,
    ]
    return library
