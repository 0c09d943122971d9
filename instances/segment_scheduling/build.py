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


def char_transformer() -> dict[str, Any]:
    """Return a network that `edgeplan run` trains: 6 blocks on clusters of 3 and 2 devices, 3 slots.

    Devices are as slow as boards, so that one processor core imitates several of them; links are as slow as
    low-power radio. Gains are a trace, queues are warm: a controller that has run for a while pays for
    energy and noise in its first slot already.
    """
    section = encoder_of(Model.model_validate(profile("wide-char-transformer")))
    clusters = [
        _small_cluster("c0", [("board-0", 2.0e9, 48), ("board-1", 1.0e9, 16), ("board-2", 1.5e9, 24)]),
        _small_cluster("c1", [("board-3", 2.5e9, 48), ("board-4", 1.5e9, 24)]),
    ]
    slots = 3
    return {
        "format": "edgeplan/1",
        "problem": "segment_scheduling",
        "name": "char-transformer on 2 clusters",
        "x-origin": "encoder blocks of the profile of wide-char-transformer; clusters and gains by hand",
        "model": section | {"name": "wide-char-transformer"},
        "clusters": clusters,
        "uplink_bandwidth_hz": 5.0e6,
        "noise_w_per_hz": 3.98e-21,
        "training": {
            "micro_batch_size": 4,
            "max_micro_batches": 10,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
            "in_flight": "1f1b",
        },
        "control": {"tradeoff": 1.0, "slots": slots, "noise_level": 1.0, "noise_budget": 0.02},
        "channels": {
            "kind": "trace",
            "d2d": {
                device["id"]: [(0.6 + 0.2 * ((k + t) % 3)) * 1e-10 for t in range(slots)]
                for k, device in enumerate(d for cluster in clusters for d in cluster["devices"])
            },
            "uplink": {"c0": [1.0e-10, 1.4e-10, 0.8e-10], "c1": [1.2e-10, 0.9e-10, 1.1e-10]},
        },
        "initial_queues": {"board-0": 1.0, "board-3": 1.0, "c0": 0.05, "c1": 0.05, "noise": 0.15},
    }


def _small_cluster(name: str, devices: list[tuple[str, float, int]]) -> dict[str, Any]:
    """Return a cluster of boards: name, speed, and MiB of memory."""
    return {
        "id": name,
        "d2d_bandwidth_hz": 1.5e6,
        "node_order": "free",
        "uplink_max_power_w": 0.3,
        "uplink_energy_budget_j": 0.6,
        "embedding_s": 0.05,
        "decoder_s": 0.02,
        "devices": [
            {
                "id": device,
                "flops_per_s": flops_per_s,
                "memory_bytes": memory * 2**20,
                "overhead_s": 0.01,
                "compute_power_w": 2.0,
                "max_power_w": 0.1,
                "energy_budget_j": 9.0,
            }
            for device, flops_per_s, memory in devices
        ],
    }


BUILDERS = {
    "char-transformer-2-clusters": char_transformer,
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
