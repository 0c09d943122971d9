"""What is fed to a network: shapes and types of its inputs, per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgeplan.errors import UsageError

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "bool": torch.bool,
}
FLOATS = tuple(name for name, dtype in DTYPES.items() if dtype.is_floating_point)

Shape = str | Sequence[int]


@dataclass(frozen=True)
class InputSpec:
    """One input of a network, without the batch dimension."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def batch(self, size: int) -> torch.Tensor:
        """Make `size` samples: normal noise, or zeros, which are valid token ids and indices everywhere."""
        if self.dtype.is_floating_point:
            return torch.randn(size, *self.shape, dtype=self.dtype)
        return torch.zeros(size, *self.shape, dtype=self.dtype)

    def __str__(self) -> str:
        """Shape with the batch dimension, and type."""
        return f"({', '.join(('batch', *map(str, self.shape)))}) {str(self.dtype).removeprefix('torch.')}"


@dataclass(frozen=True)
class InputOptions:
    """What a user says about a network's inputs; None leaves it to the network."""

    shapes: Sequence[Shape] | None = None
    """Per sample, one for each positional input: ``"3,32,32"`` or ``(3, 32, 32)``."""
    dtypes: Sequence[str] | None = None
    """One name for each input, or one for all; default `dtype`."""
    sequence_length: int | None = None
    dtype: str = "float32"
    """Of the parameters and of the float inputs."""


def input_specs(options: InputOptions) -> tuple[InputSpec, ...]:
    """Read what a user said; no shapes give no inputs.

    Raises
    ------
    UsageError
        For a shape or type that cannot be read, or when their numbers differ.

    Examples
    --------
    >>> [str(spec) for spec in input_specs(InputOptions(["3,32,32", (16,)], ["float32", "int64"]))]
    ['(batch, 3, 32, 32) float32', '(batch, 16) int64']
    """
    shapes = list(options.shapes or ())
    names = list(options.dtypes or [options.dtype])
    if len(names) == 1:
        names *= len(shapes)
    if len(names) != len(shapes):
        raise UsageError(
            f"{len(names)} input types for {len(shapes)} input shapes; give one for each, or one"
        )
    return tuple(
        InputSpec(read_shape(shape), read_dtype(name)) for shape, name in zip(shapes, names, strict=True)
    )


def read_shape(shape: Shape) -> tuple[int, ...]:
    """Read ``"3,32,32"``; an empty shape is one number per sample."""
    sizes = [size for size in shape.split(",") if size.strip()] if isinstance(shape, str) else shape
    try:
        numbers = tuple(int(size) for size in sizes)
    except ValueError:
        numbers = (0,)
    if any(number < 1 for number in numbers):
        raise UsageError(
            f"input shape {shape!r}: must be positive integers such as 3,32,32, without the batch dimension"
        )
    return numbers


def read_dtype(name: str) -> torch.dtype:
    """Read a name such as ``int64``."""
    if name not in DTYPES:
        raise UsageError(f"type {name!r}: must be one of {', '.join(DTYPES)}")
    return DTYPES[name]


def read_float(name: str) -> torch.dtype:
    """Read the type that a network computes in."""
    if name not in FLOATS:
        raise UsageError(f"dtype {name!r}: must be one of {', '.join(FLOATS)}")
    return DTYPES[name]
