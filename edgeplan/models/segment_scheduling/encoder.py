"""Encoder blocks of an instance: those of a profiled network, or of one like BERT-base."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from edgeplan.errors import UsageError
from edgeplan.models.model import Layer, Model

BERT_BASE_BLOCK: dict[str, Any] = {  # `edgeplan profile bert-base`: BertForMaskedLM, 128 tokens, 32 bits
    "parameters": 7_087_872,
    "forward_flops": 1_862_270_976,
    "input_gradient_flops": 1_912_602_624,
    "weight_gradient_flops": 1_811_939_328,
    "output_bytes": 393_216,
    "saved_bytes": 9_439_232,
    "saved_frozen_bytes": 6_686_720,
}


def bert_like(num_blocks: int) -> dict[str, Any]:
    """Return the model section of so many blocks of BERT-base.

    Examples
    --------
    >>> [block["name"] for block in bert_like(2)["layers"]]
    ['encoder.0', 'encoder.1']
    """
    layers = [{"name": f"encoder.{index}", **BERT_BASE_BLOCK} for index in range(num_blocks)]
    return {"name": f"{num_blocks} blocks of bert-base", "layers": layers}


def encoder_of(model: Model, pattern: str | None = None, num_blocks: int | None = None) -> dict[str, Any]:
    """Return the model section of a network's encoder alone, a chain of its blocks.

    Parameters
    ----------
    pattern
        Regular expression found in the names of the blocks; by default the largest family of layers whose
        names differ in their last number only, or all layers where there is none.
    num_blocks
        How many of them, from the first; all by default.

    Raises
    ------
    UsageError
        When there are no such blocks, or too few.

    Examples
    --------
    >>> names = ("embed", "block.0", "block.1", "head")
    >>> network = Model(layers=tuple(Layer(name=name, **BERT_BASE_BLOCK) for name in names))
    >>> [block["name"] for block in encoder_of(network)["layers"]]
    ['block.0', 'block.1']
    """
    blocks = _family(model) if pattern is None else [x for x in model.layers if _found(pattern, x.name)]
    if not blocks:
        raise UsageError(f"--layers: {pattern!r}: must be found in the name of a layer; none has it")
    if num_blocks is not None and num_blocks > len(blocks):
        raise UsageError(f"--blocks: {num_blocks}: must be at most {len(blocks)}, what the profile has")
    layers = [block.model_dump(mode="json", exclude={"inputs"}) for block in blocks[:num_blocks]]
    return {"name": model.name, "layers": layers}


def _found(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise UsageError(f"--layers: {pattern!r}: must be a regular expression; {error}") from None


def _family(model: Model) -> list[Layer]:
    """Layers whose names differ in their last number only, of the largest such family."""
    stems = [re.sub(r"\d+$", "#", layer.name) for layer in model.layers]
    stem, size = Counter(stems).most_common(1)[0]
    return [x for x, own in zip(model.layers, stems, strict=True) if size == 1 or own == stem]
