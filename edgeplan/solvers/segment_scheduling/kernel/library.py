"""The compiled kernel's functions, with the types of C; nothing here decides anything."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_double, c_int, c_int32, c_int64, c_void_p
from functools import cache
from typing import Any

from edgeplan.solvers.compiled import compiled_library

MAX_STAGES = 128
_MODULE = "edgeplan.solvers.segment_scheduling.kernel._kernel"


class Slot(Structure):
    """A slot as arrays; kernel.h says what each holds."""

    _fields_ = (
        *(
            (name, c_int32)
            for name in ("num_clusters", "num_blocks", "max_micro_batches", "max_in_flight", "gpipe")
        ),
        *((name, c_double) for name in ("noise_w_per_hz", "upload_bits", "uplink_band_hz")),
        *(
            (name, c_void_p)
            for name in (
                "flops_before",
                "hop_bits",
                "first_device",
                "d2d_band_hz",
                "embedding_s",
                "decoder_s",
                "uplink_power_w",
                "given_order",
                "flops_per_s",
                "overhead_s",
                "compute_power_w",
                "max_power_w",
                "least_start",
                "device_price",
                "device_gain",
                "uplink_price",
                "uplink_gain",
                "present",
                "learnt",
            )
        ),
        ("learnt_bytes", c_int64),
    )


class Link(Structure):
    """The transfer of D bits: nats D ln 2, unit energy N0 D ln 2 / g, highest power."""

    _fields_ = tuple((name, c_double) for name in ("nats", "unit_j", "max_power_w"))


class LinkChoice(Structure):
    """Cost, seconds, band and power that are best for a link."""

    _fields_ = tuple((name, c_double) for name in ("cost", "seconds", "band_hz", "power_w"))


class UsedLink(Structure):
    """A link inside a programme."""

    _fields_ = (
        ("link", Link),
        *((name, c_double) for name in ("joule_price", "time_weight", "share")),
        *((name, c_int32) for name in ("is_uplink", "stage")),
    )


class Programme(Structure):
    """The convex programme of one cluster with fixed stages and micro-batches."""

    _fields_ = (
        *((name, c_int32) for name in ("num_links", "micro_batches")),
        *((name, c_double) for name in ("fixed_s", "fixed_cost", "busiest_s", "repeats")),
        *((name, c_double) for name in ("d2d_band_hz", "uplink_band_hz")),
        ("links", UsedLink * MAX_STAGES),
    )


class Solved(Structure):
    """What a solved programme tells."""

    _fields_ = (
        *((name, c_double) for name in ("latency_price", "d2d_price", "latency_s", "uplink_band_hz", "cost")),
        *((name, c_double * MAX_STAGES) for name in ("seconds", "band_hz", "power_w", "bottleneck_price")),
    )


@cache
def kernel() -> Any:
    """Load the kernel.

    Raises
    ------
    BackendError
        When it was not built with the package.
    """
    library = compiled_library(_MODULE, "segment_scheduling")
    for name, result, arguments in (
        ("best_link", LinkChoice, (POINTER(Link), *4 * [c_double])),
        ("best_power", LinkChoice, (POINTER(Link), *4 * [c_double])),
        ("build_programme", c_int, (POINTER(Slot), c_int, c_void_p, c_int, POINTER(Programme))),
        (
            "solve_programmes",
            c_int,
            (POINTER(Programme), c_int, *4 * [c_double], POINTER(Solved), POINTER(c_double)),
        ),
        (
            "certify_all",
            None,
            (POINTER(Programme), POINTER(Solved), c_void_p, c_int, *2 * [c_double], c_void_p),
        ),
        ("certified_cost", c_double, (POINTER(Programme), POINTER(Solved), c_double, c_double)),
        ("mix_micro_batches", c_double, (c_void_p, *2 * [c_int], c_double, c_void_p)),
        ("learnt_size", c_int64, (c_int, c_int)),
        (
            "bound_cluster",
            c_int,
            (POINTER(Slot), c_int, *3 * [c_double], c_int, c_void_p),
        ),
        (
            "price_cluster",
            c_int,
            (
                POINTER(Slot),
                c_int,
                *3 * [c_double],
                *2 * [c_int],
                *3 * [c_double],
                *3 * [c_int],
                POINTER(c_int64),
                *3 * [c_void_p],
                POINTER(c_double),
            ),
        ),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
