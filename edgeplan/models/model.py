"""The profile of a neural network: its layers in topological order, figures per sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from edgeplan.models.document import NOTE_PREFIX
from edgeplan.models.faults import Fault, Path
from edgeplan.models.fields import ANY_ARRAY, Count, Document, Name, NonNegative
from edgeplan.models.raw import items_at, repeated_values, string_at

INPUT = "input"


class Layer(Document):
    """One layer; everything but `parameters` is per sample."""

    name: Name
    """Unique name; ``input`` is taken by the model's input."""
    parameters: Count
    """Number of parameters; a tensor shared by two layers counts at the first."""
    forward_flops: NonNegative
    """Multiply-adds of the forward pass, counted twice."""
    input_gradient_flops: NonNegative
    """FLOPs of the gradient with respect to the layer's input."""
    weight_gradient_flops: NonNegative
    """FLOPs of the gradient with respect to the layer's parameters."""
    output_bytes: Count
    """Activation handed to the next layer; its gradient has the same size."""
    saved_bytes: Count
    """What autograd keeps when the layer is trained."""
    saved_frozen_bytes: Count
    """What autograd keeps when only the input's gradient passes through."""
    inputs: Annotated[tuple[Name, ...], ANY_ARRAY] | None = None
    """Layers read, or ``input``; the layer before when left out."""


class Model(Document):
    """A neural network as its list of layers."""

    name: Name = "model"
    """Name of the network."""
    layers: Annotated[tuple[Layer, ...], ANY_ARRAY, Field(min_length=1)]
    """Layers in topological order."""


def model_faults(raw_model: Any, path: Path) -> Iterator[Fault]:
    """Yield the faults of a model section that only a look across its layers shows."""
    layers = items_at(raw_model, "layers")
    names = [string_at(layer, "name") for layer in layers]
    for index, name in repeated_values(names):
        rule = "layer name appears earlier; names must be unique"
        yield Fault((*path, "layers", index, "name"), rule, name)
    for index, name in enumerate(names):
        if name == INPUT:
            rule = "must not be a layer's name, it stands for the model's input; rename the layer"
            yield Fault((*path, "layers", index, "name"), rule, name)
    for index, name in enumerate(names):
        if name is not None and name.startswith(NOTE_PREFIX):
            rule = "must not begin with x-, pin and timings would take it for a note; rename the layer"
            yield Fault((*path, "layers", index, "name"), rule, name)
    known = set(names)
    earlier: set[str | None] = {INPUT}
    for index, layer in enumerate(layers):
        for position, read in enumerate(items_at(layer, "inputs")):
            if isinstance(read, str) and read not in earlier:
                place = (*path, "layers", index, "inputs", position)
                rule = "must name an earlier layer; " + (
                    "put the layers in topological order" if read in known else "no layer has this name"
                )
                yield Fault(place, rule, read)
        earlier.add(names[index])
