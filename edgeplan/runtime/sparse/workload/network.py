"""The networks of workloads."""

from __future__ import annotations

import torch
from torch import nn

from edgeplan.extras import require
from edgeplan.runtime.sparse.workload.settings import WorkloadSettings

NUM_CLASSES = 10
DROPOUT = 0.2
"""Before the classifier, while the start is trained; transformers' 0.8 is for larger networks."""


def make_network(settings: WorkloadSettings) -> nn.Module:
    """Make the network with random weights from PyTorch's generator."""
    transformers = require("transformers", purpose="the network mobilenetv2")
    configuration = transformers.MobileNetV2Config(
        depth_multiplier=settings.width,
        image_size=settings.image_size,
        num_labels=NUM_CLASSES,
        classifier_dropout_prob=DROPOUT,
    )
    network: nn.Module = transformers.MobileNetV2ForImageClassification(configuration)
    return network


def blank_network(settings: WorkloadSettings) -> nn.Module:
    """Make the network for weights that are read from elsewhere; no generator is touched."""
    with torch.random.fork_rng(devices=[]):
        return make_network(settings).eval()
