"""Build the instances that come from real profiles: ``python instances/segment_scheduling/build.py``.

The encoders are profiled anew; clusters, budgets and fading are those of `edgeplan generate` with the seeds
below. Needs the extra ``profile``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from edgeplan.extras import require
from edgeplan.models.model import Model
from edgeplan.models.problems import load
from edgeplan.models.segment_scheduling.encoder import encoder_of
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.runtime.profiling import profile

HERE = Path(__file__).parent


def instance(name: str, origin: str, section: dict[str, Any], size: Size, *, seed: int) -> dict[str, Any]:
    """Put clusters around the encoder blocks of a profile."""
    model = encoder_of(Model.model_validate(section))
    document = generated(model, size, seed=seed)
    note = f"{origin}; clusters, budgets and channels of edgeplan generate, seed {seed}"
    head = {name: document.pop(name) for name in ("format", "problem")}
    return head | {"name": name, "x-origin": note} | {k: v for k, v in document.items() if k != "name"}


def bert_base() -> dict[str, Any]:
    """Return the 12 encoder blocks of BERT-base on 3 clusters of 4 devices."""
    return instance(
        "bert-base on 3 clusters",
        "encoder blocks of the profile of BertForMaskedLM at 128 tokens in 32 bits",
        profile("bert-base"),
        Size(num_clusters=3, num_devices=4, max_micro_batches=16, num_slots=2000),
        seed=7,
    )


def transformer() -> dict[str, Any]:
    """Return PyTorch's own encoder of 6 blocks on 3 clusters of 4 devices."""
    block = nn.TransformerEncoderLayer(d_model=512, nhead=8, dim_feedforward=2048, batch_first=True)
    network = nn.TransformerEncoder(block, num_layers=6, enable_nested_tensor=False)
    section = profile(network, input_shapes=["128,512"]) | {"name": "transformer-encoder"}
    return instance(
        "transformer encoder on 3 clusters",
        "profile of torch.nn.TransformerEncoder: 6 blocks of width 512, 8 heads, 2048 inside, at 128 tokens",
        section,
        Size(num_clusters=3, num_devices=4, max_micro_batches=16, num_slots=2000),
        seed=11,
    )


def bert_large() -> dict[str, Any]:
    """Return the 24 encoder blocks of BERT-large on 20 clusters of 10 devices, few slots."""
    transformers = require("transformers", purpose="BERT-large")
    settings = {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    }
    network = transformers.BertForMaskedLM(transformers.BertConfig(**settings, attn_implementation="sdpa"))
    section = profile(network, input_shapes=["128"], input_dtypes=["int64"]) | {"name": "bert-large"}
    return instance(
        "bert-large on 20 clusters",
        "encoder blocks of the profile of BertForMaskedLM, 24 blocks of width 1024, at 128 tokens in 32 bits",
        section,
        Size(num_clusters=20, num_devices=10, max_micro_batches=16, num_slots=4),
        seed=20,
    )


BUILDERS = {
    "bert-base-3-clusters": bert_base,
    "transformer-3-clusters": transformer,
    "large-20-clusters": bert_large,
}


def main() -> None:
    """Write every instance beside this file."""
    for name, build in BUILDERS.items():
        path = HERE / f"{name}.json"
        path.write_text(json.dumps(build(), indent=1) + "\n")
        print(path.name, load(path).instance_sha256[:12])


if __name__ == "__main__":
    main()
