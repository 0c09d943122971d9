"""Networks of our own: VGG-11 for CIFAR-10 and two small relatives for the 8x8 digits.

Both are plain ``nn.Sequential`` chains, so a run of their modules is itself a network, and a stage of a plan
can be cut out by name. One layer is a module with parameters and the parameterless ones after it:
``features.0`` stands for the convolution, its ReLU and the pooling that follows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from torch import nn

POOL = 0
"""Stands among channel counts for a 2x2 maximum pooling."""

VGG11 = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)
SMALL_VGG = (32, 64, POOL, 64, 64, POOL)
DIGITS_VGG = (32, 32, POOL, 64, 64, POOL, 64, 64, 64)


def vgg11(num_classes: int = 10, in_channels: int = 3) -> nn.Sequential:
    """VGG-11 (configuration A, arXiv 1409.1556) for 32x32 images, one linear layer as the classifier.

    Eight convolutions without batch normalisation; five poolings bring 32x32 to one pixel of 512 channels.

    Parameters
    ----------
    num_classes
        Width of the classifier; 10 for CIFAR-10.
    in_channels
        Channels of the image.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in vgg11().parameters())
    9225610
    """
    return _vgg(VGG11, in_channels, features=512, num_classes=num_classes)


def small_vgg(num_classes: int = 10) -> nn.Sequential:
    """Four convolutions and a linear classifier for one-channel 8x8 images, such as scikit-learn's digits.

    Parameters
    ----------
    num_classes
        Width of the classifier.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in small_vgg().parameters())
    95242
    """
    return _vgg(SMALL_VGG, 1, features=64 * 2 * 2, num_classes=num_classes)


def digits_vgg(num_classes: int = 10) -> nn.Sequential:
    """Seven convolutions and a linear classifier for 8x8 images: enough layers for six nodes to own one.

    Parameters
    ----------
    num_classes
        Width of the classifier.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in digits_vgg().parameters())
    178346
    """
    return _vgg(DIGITS_VGG, 1, features=64 * 2 * 2, num_classes=num_classes)


def _vgg(channels: Sequence[int], in_channels: int, *, features: int, num_classes: int) -> nn.Sequential:
    network = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*_feature_modules(channels, in_channels)),
            flatten=nn.Flatten(),
            classifier=nn.Linear(features, num_classes),
        )
    )
    network.apply(_initialise)
    return network


def _feature_modules(channels: Sequence[int], in_channels: int) -> Iterator[nn.Module]:
    for out_channels in channels:
        if out_channels == POOL:
            yield nn.MaxPool2d(2)
            continue
        yield nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        yield nn.ReLU()
        in_channels = out_channels


def _initialise(module: nn.Module) -> None:
    # PyTorch's default shrinks the signal at every layer; without batch normalisation VGG-11 never starts.
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)
