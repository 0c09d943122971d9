"""Networks that misbehave inside a worker process."""

from __future__ import annotations

import os
import signal

import torch
from torch import nn

from edgeplan.runtime.networks import char_transformer


def _layers() -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10)]


class Leaky(nn.Sequential):
    """Changes its first layer with every pass, whatever is frozen."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.get_submodule("1").get_parameter("weight").data.add_(1e-3)
        return super().forward(pixels)


class Dying(nn.Sequential):
    """Is killed in the process of the second stage."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(pixels)


class Raising(nn.Sequential):
    """Raises in the process of the second stage."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if os.environ.get("RANK") == "1":
            raise ArithmeticError("planted")
        return super().forward(pixels)


class Normed(nn.Sequential):
    """Has buffers that are no parameters."""


def leaky() -> nn.Module:
    return Leaky(*_layers())


def dying() -> nn.Module:
    return Dying(*_layers())


def raising() -> nn.Module:
    return Raising(*_layers())


def half() -> nn.Module:
    return nn.Sequential(*_layers()).half()


def normed() -> nn.Module:
    return Normed(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))


def tiny_characters() -> nn.Module:
    return char_transformer(width=16, blocks=2, heads=2)
