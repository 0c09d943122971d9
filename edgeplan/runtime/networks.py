"""Networks of our own: VGG-11 for CIFAR-10, two small relatives for the 8x8 digits, a Transformer for text.

All are plain ``nn.Sequential`` chains, so a run of their modules is itself a network, and a stage of a plan
can be cut out by name. One layer is a module with parameters and the parameterless ones after it:
``features.0`` stands for the convolution, its ReLU and the pooling that follows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeplan.runtime.text import VOCABULARY

POOL = 0
"""Stands among channel counts for a 2x2 maximum pooling."""

VGG11 = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)
SMALL_VGG = (32, 64, POOL, 64, 64, POOL)
DIGITS_VGG = (32, 32, POOL, 64, 64, POOL, 64, 64, 64)
CHARACTERS = 64
"""Of a sample of the language model."""


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


class CharacterEmbedding(nn.Module):
    """Characters and their places as vectors.

    Parameters
    ----------
    width
        Of a vector.
    length
        Most characters of a sample.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, width)
        self.places = nn.Embedding(length, width)

    def forward(self, codes: Tensor) -> Tensor:
        """Turn codes of shape (samples, characters) into vectors."""
        places = torch.arange(codes.shape[1], device=codes.device)
        embedded: Tensor = self.characters(codes) + self.places(places)
        return embedded


class CausalBlock(nn.Module):
    """A Transformer's block, normalised before its parts, that sees what stands before.

    Parameters
    ----------
    width
        Of a vector.
    heads
        Of the attention; must divide `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Map vectors of shape (samples, characters, width)."""
        hidden = hidden + self._attended(self.attention_norm(hidden))
        fed: Tensor = hidden + self.feed(self.feed_norm(hidden))
        return fed

    def _attended(self, hidden: Tensor) -> Tensor:
        by_head = self.query_key_value(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = by_head.unbind()
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended: Tensor = self.joined(seen.transpose(1, 2).flatten(-2))
        return attended


class CharacterHead(nn.Module):
    """Scores of the next character.

    Parameters
    ----------
    width
        Of a vector.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, VOCABULARY)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map vectors to scores of shape (samples, characters, vocabulary)."""
        scores: Tensor = self.scores(self.norm(hidden))
        return scores


def char_transformer(
    width: int = 64, blocks: int = 4, heads: int = 4, length: int = CHARACTERS
) -> nn.Sequential:
    """A language model of characters: embedding, causal blocks, head.

    Parameters
    ----------
    width
        Of a vector.
    blocks
        Number of blocks.
    heads
        Of each block's attention.
    length
        Most characters of a sample.

    Examples
    --------
    >>> network = char_transformer()
    >>> sum(parameter.numel() for parameter in network.parameters())
    220672
    >>> network(torch.zeros(2, 10, dtype=torch.int64)).shape
    torch.Size([2, 10, 128])
    """
    return nn.Sequential(
        OrderedDict(
            embedding=CharacterEmbedding(width, length),
            blocks=nn.Sequential(*(CausalBlock(width, heads) for _ in range(blocks))),
            head=CharacterHead(width),
        )
    )


def wide_char_transformer() -> nn.Sequential:
    """Six blocks of width 128: enough for devices that share them to compute for a while.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in wide_char_transformer().parameters())
    1230976
    """
    return char_transformer(width=128, blocks=6)
