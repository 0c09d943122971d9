"""Build the instances that come from real profiles: ``python instances/layer_assignment/build.py``.

The networks are profiled anew; the devices are those of devices.json. Needs the extra ``profile``.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from edgeplan.models.problems import load
from edgeplan.runtime.profiling import profile

HERE = Path(__file__).parent
DEVICES = json.loads((HERE / "devices.json").read_text())
LLM_TRAINING = {
    "x-note": "16-bit weights and gradients; Adam with a 32-bit copy of the weights, 12 bytes",
    "batch_size": 1,
    "local_steps": 16,
    "weight_bytes": 2,
    "gradient_bytes": 2,
    "optimizer_bytes": 12,
}


def nodes_of(counts: dict[str, int], *, seed: int) -> list[dict[str, Any]]:
    """Devices by type; samples are drawn from 200 to 2000 with a fixed seed."""
    rng = random.Random(seed)
    nodes = []
    for kind, count in counts.items():
        figures = {key: value for key, value in DEVICES[kind].items() if not key.startswith("x-")}
        for index in range(count):
            samples = rng.randrange(200, 2001)
            nodes.append({"id": f"{kind}-{index}", "type": kind, **figures, "samples": samples})
    return nodes


def instance(name: str, note: str, **members: Any) -> dict[str, Any]:
    """Put the header around the members."""
    header = {"format": "edgeplan/1", "problem": "layer_assignment", "name": name, "x-origin": note}
    return {**header, "schedule": "serial", **members}


def opt() -> dict[str, Any]:
    """Return OPT-1.3B fine-tuned layer by layer on 24 mixed devices."""
    model = profile("opt-1.3b", dtype="bfloat16")
    decoder = "model.decoder"
    return instance(
        "opt-1.3b on 24 nodes",
        "profile of OPTForCausalLM at 512 tokens in bfloat16; devices of devices.json",
        model=model,
        network={
            "nodes": nodes_of(
                {
                    "raspberry-pi-5": 6,
                    "phone-8gen3": 8,
                    "jetson-orin-nano": 5,
                    "jetson-agx-orin": 3,
                    "edge-server-t4": 2,
                },
                seed=13,
            )
        },
        training=LLM_TRAINING,
        shared_layers=[
            f"{decoder}.embed_tokens",
            f"{decoder}.embed_positions",
            f"{decoder}.final_layer_norm",
            "lm_head",
        ],
        train_shared=False,
        limits={"min_samples": 12000, "max_layers_per_node": 4},
    )


def llama() -> dict[str, Any]:
    """Return Llama-3-8B with 4-bit frozen weights on 32 mixed devices and a server."""
    model = profile("llama-3-8b", dtype="bfloat16")
    counts = {
        "phone-16gb": 14,
        "jetson-orin-nx-16gb": 8,
        "jetson-agx-orin": 5,
        "edge-server-t4": 3,
        "edge-server-l4": 2,
    }
    server = {
        "id": "parameter-server",
        "flops_per_s": 1e12,
        "memory_bytes": 2**37,
        "uplink_bit_per_s": 1e10,
        "downlink_bit_per_s": 1e10,
    }
    return instance(
        "llama-3-8b on 32 nodes",
        "profile of LlamaForCausalLM at 512 tokens in bfloat16; frozen weights in 4 bits; devices.json",
        model=model,
        network={"nodes": [*nodes_of(counts, seed=8), server]},
        training={**LLM_TRAINING, "frozen_weight_bytes": 0.5},
        shared_layers=["model.embed_tokens", "model.norm", "lm_head"],
        train_shared=False,
        transport="server",
        server="parameter-server",
        objective={"time_s": 1.0, "energy_j": 0.01, "price": 100.0},
        limits={"min_samples": 18000, "max_layers_per_node": 3},
    )


SMALL_CLUSTER: list[tuple[str, float, float, float]] = [
    ("board-0", 1.2e10, 2e8, 4e8),
    ("board-1", 1.6e10, 2e8, 4e8),
    ("phone-0", 2.0e10, 1.5e8, 6e8),
    ("phone-1", 2.4e10, 1.5e8, 6e8),
    ("laptop-0", 3.0e10, 4e8, 8e8),
    ("edge-0", 4.0e10, 1e9, 1e9),
]
SMALL_NOTE = (
    "speeds below what one core of a desktop does, so that the run can emulate them; rates of Wi-Fi and "
    "gigabit Ethernet, planning values"
)


def small_cluster(memory_bytes: list[int]) -> list[dict[str, Any]]:
    """Six devices that one machine can emulate."""
    return [
        {
            "id": name,
            "type": name.split("-")[0],
            "flops_per_s": speed,
            "memory_bytes": memory,
            "uplink_bit_per_s": up,
            "downlink_bit_per_s": down,
            "latency_s": 0.002,
            "compute_power_w": 8.0,
            "transmit_power_w": 2.0,
        }
        for (name, speed, up, down), memory in zip(SMALL_CLUSTER, memory_bytes, strict=True)
    ]


def vgg11() -> dict[str, Any]:
    """Return VGG-11 on six devices; the smaller ones cannot hold the large convolutions' training."""
    mebibytes = [88, 100, 112, 112, 160, 272]
    return instance(
        "vgg11 on 6 nodes",
        f"profile of VGG-11 at 3x32x32; {SMALL_NOTE}",
        model=profile("vgg11"),
        network={"nodes": small_cluster([value * 2**20 for value in mebibytes])},
        training={
            "batch_size": 32,
            "local_steps": 2,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
        },
        shared_layers=["features.0", "classifier"],
        limits={"min_nodes": 6},
    )


def digits() -> dict[str, Any]:
    """Return a small VGG for the digits on the same six devices, with less memory."""
    return instance(
        "digits on 6 nodes",
        f"profile of the digits VGG at 1x8x8; {SMALL_NOTE}",
        model=profile("digits-vgg"),
        network={"nodes": small_cluster([value * 2**20 for value in (8, 8, 12, 12, 16, 32)])},
        training={
            "batch_size": 32,
            "local_steps": 20,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
        },
        shared_layers=["features.0", "classifier"],
        limits={"min_nodes": 6},
    )


def characters() -> dict[str, Any]:
    """Return a Transformer for characters on the same six devices; none can train all of it."""
    return instance(
        "char-transformer on 6 nodes",
        f"profile of the character Transformer at 64 characters; {SMALL_NOTE}",
        model=profile("char-transformer"),
        network={"nodes": small_cluster([value * 2**20 for value in (8, 8, 9, 9, 10, 12)])},
        training={
            "batch_size": 8,
            "local_steps": 20,
            "weight_bytes": 4,
            "gradient_bytes": 4,
            "optimizer_bytes": 8,
        },
        shared_layers=["embedding", "head"],
        limits={"min_nodes": 4},
    )


def bert() -> dict[str, Any]:
    """Return BERT-base fine-tuned in a pipeline on six mixed devices."""
    counts = {
        "phone-16gb": 1,
        "jetson-orin-nano": 2,
        "jetson-orin-nx-16gb": 1,
        "jetson-agx-orin": 1,
        "edge-server-t4": 1,
    }
    return instance(
        "bert-base in a pipeline of 6 nodes",
        "profile of BertForMaskedLM at 128 tokens in 32 bits; devices of devices.json",
        model=profile("bert-base"),
        network={"nodes": nodes_of(counts, seed=6)},
        training={"batch_size": 64, "weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8},
        schedule="pipeline",
        micro_batches=8,
        objective={"time_s": 1.0},
    )


BUILDERS = {
    "bert-base-6-nodes": bert,
    "opt-1.3b-24-nodes": opt,
    "llama-3-8b-32-nodes": llama,
    "vgg11-6-nodes": vgg11,
    "digits-6-nodes": digits,
    "char-transformer-6-nodes": characters,
}


def main() -> None:
    """Write every instance beside this file."""
    for name, build in BUILDERS.items():
        path = HERE / f"{name}.json"
        path.write_text(json.dumps(build(), indent=1) + "\n")
        print(path.name, load(path).instance_sha256[:12])


if __name__ == "__main__":
    main()
