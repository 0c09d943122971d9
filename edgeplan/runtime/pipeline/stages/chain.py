"""The network as a chain: what stands before the encoder's blocks, the blocks by name, what stands after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from edgeplan.errors import UsageError


@dataclass(frozen=True)
class Chain:
    """A network cut where the instance says.

    Parameters
    ----------
    embedding
        What the control unit computes.
    blocks
        The encoder's blocks by the names of the instance, in its order.
    decoder
        What the server computes.
    """

    embedding: nn.Sequential
    blocks: dict[str, nn.Module]
    decoder: nn.Sequential

    @classmethod
    def of(cls, network: nn.Module, names: Sequence[str]) -> Chain:
        """Cut a network, which must be a chain whose modules have the names of the instance's layers.

        Parameters
        ----------
        network
            An ``nn.Sequential``; those inside of it are opened.
        names
            The encoder's blocks.

        Raises
        ------
        UsageError
            When the network is no chain, or its modules do not have these names, one after another, with
            others before and after them.

        Examples
        --------
        >>> from edgeplan.runtime.networks import char_transformer
        >>> chain = Chain.of(char_transformer(), [f"blocks.{index}" for index in range(4)])
        >>> list(chain.blocks), len(chain.embedding), len(chain.decoder)
        (['blocks.0', 'blocks.1', 'blocks.2', 'blocks.3'], 1, 1)
        """
        modules = layers_of(network)
        found = list(modules)
        first = found.index(names[0]) if names[0] in found else 0
        for index, name in enumerate(names):
            there = found[first + index] if first + index < len(found) else "nothing"
            if there != name:
                raise UsageError(
                    f"/model/layers/{index}/name: {name}: the network has {there} here; profile the network "
                    "anew and keep its encoder's blocks"
                )
        before, after = found[:first], found[first + len(names) :]
        if not before or not after:
            raise UsageError(
                f"/model/layers: {names[0]} to {names[-1]}: must leave an embedding before them and a "
                "decoder after them in the network; keep the encoder's blocks alone"
            )
        return cls(
            nn.Sequential(*(modules[name] for name in before)),
            {name: modules[name] for name in names},
            nn.Sequential(*(modules[name] for name in after)),
        )

    def segment(self, names: Iterable[str]) -> nn.Sequential:
        """Return blocks one after another; their parameters are the chain's own."""
        return nn.Sequential(*(self.blocks[name] for name in names))

    def encoder_parameters(self, names: Iterable[str] | None = None) -> list[nn.Parameter]:
        """Return the parameters of some blocks, in the order given; of all by default."""
        some = self.blocks if names is None else names
        return [parameter for name in some for parameter in self.blocks[name].parameters()]


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a chain by name; one without parameters belongs to whichever ran before it.

    Raises
    ------
    UsageError
        When the network is no chain.
    """
    if not isinstance(network, nn.Sequential):
        raise UsageError(
            f"/model/name: {type(network).__name__}: must be an nn.Sequential for a run as a pipeline, which "
            "can be cut anywhere; name such a network"
        )
    layers: dict[str, nn.Module] = {}
    last = ""
    for name, module in _opened(network):
        if layers and not any(True for _ in module.parameters()):
            layers[last] = nn.Sequential(layers[last], module)
        else:
            layers[name], last = module, name
    return layers


def _opened(network: nn.Sequential, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_children():
        if isinstance(module, nn.Sequential):
            yield from _opened(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module
