"""Where a module is cut into layers.

A layer is a block with parameters: an item of the outermost ``nn.Sequential``, ``nn.ModuleList`` or
``nn.ModuleDict`` (a transformer block, an inverted residual), or a module beside such lists (embeddings,
final norm, head). Lists inside lists are opened too, so VGG's ``features`` falls into single convolutions. A
module without any list is opened once, into its children. A parameterless module is no layer: it belongs to
whichever layer ran before it.

A parameter that stands in an opened module itself (a class token) goes to the first layer inside that module,
and a tensor that two layers share (tied embeddings) to the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from edgeplan.errors import UsageError

RESERVED = "input"
LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
PARAMETRISATIONS = "parametrizations"
"""Where PyTorch keeps the parts of a weight (``weight_norm``); a list, but not of layers."""

TensorKey = tuple[int, int, tuple[int, ...]]
Block = tuple[str, nn.Module]


@dataclass(frozen=True)
class LayerSlice:
    """One layer of a module: its name in the model section, and the parameters that are its own."""

    name: str
    """Qualified name of the module; a root that is one layer has the name of its class."""
    path: str
    """What ``get_submodule`` takes."""
    parameters: tuple[nn.Parameter, ...]
    """In registration order; a tensor shared with an earlier layer is left out."""

    @property
    def num_parameters(self) -> int:
        """Number of scalars in the layer's own parameters."""
        return sum(parameter.numel() for parameter in self.parameters)


def cut(module: nn.Module, order: Sequence[str] | None = None) -> list[LayerSlice]:
    """Cut a module into layers.

    Parameters
    ----------
    module
        Any module, on any device.
    order
        Names of all layers in the order in which they run, such as a model section has; it decides which of
        two layers owns a shared tensor. Default: the order of registration.

    Raises
    ------
    UsageError
        When the module has no parameters, or `order` names other layers than the module has.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> [(layer.name, layer.num_parameters) for layer in cut(network)]
    [('0', 40), ('2', 18)]
    """
    owned = _owned_parameters(module)
    if not owned:
        raise UsageError(f"{type(module).__name__} has no parameters, so there is nothing to train")
    names = {path: _layer_name(path, module, owned) for path in owned}
    return list(_without_repeats(owned, names, _paths_in_order(names, order)))


def _owned_parameters(root: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters of each block, by its path."""
    owned: dict[str, list[nn.Parameter]] = {path: [] for path in _distinct(_blocks(*_unwrap("", root)))}
    for name, parameter in root.named_parameters(remove_duplicate=False) if owned else ():
        owned[_owner(name, owned)].append(parameter)
    return owned


def _distinct(blocks: Iterable[Block]) -> Iterator[str]:
    seen: set[int] = set()
    for path, module in blocks:
        if id(module) not in seen:
            seen.add(id(module))
            yield path


def _owner(name: str, paths: Iterable[str]) -> str:
    """Path of the block that the parameter stands in, or of the first block beside or below it."""
    for path in paths:
        if _is_inside(name, path):
            return path
    holder = name.rpartition(".")[0]
    return next((path for path in paths if _is_inside(path, holder)), None) or _owner(holder, paths)


def _unwrap(path: str, module: nn.Module) -> Block:
    """Step through wrappers that only hold one module, so that they do not hide what there is to cut."""
    children = list(_children(path, module))
    while len(children) == 1 and not module._parameters and not isinstance(module, LISTS):
        path, module = children[0]
        children = list(_children(path, module))
    return path, module


def _blocks(path: str, module: nn.Module) -> Iterator[Block]:
    children = list(_children(path, module))
    if _holds_list(module) or len(children) > 1:
        for child_path, child in children:
            yield from _open(child_path, child, is_item=isinstance(module, LISTS))
    elif _has_parameters(module):
        yield path, module


def _open(path: str, module: nn.Module, *, is_item: bool) -> Iterator[Block]:
    if isinstance(module, LISTS) or (not is_item and _holds_list(module)):
        for child_path, child in _children(path, module):
            yield from _open(child_path, child, is_item=isinstance(module, LISTS))
    else:
        yield path, module


def _children(path: str, module: nn.Module) -> Iterator[Block]:
    """Children with parameters, and their qualified names."""
    for name, child in module.named_children():
        # A list of bare parameters never runs, so it cannot be a layer.
        is_bare = isinstance(child, nn.ParameterList | nn.ParameterDict) or name == PARAMETRISATIONS
        if _has_parameters(child) and not is_bare:
            yield (f"{path}.{name}" if path else name), child


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _holds_list(module: nn.Module) -> bool:
    return any(
        isinstance(inner, LISTS) and _has_parameters(inner)
        for name, inner in module.named_modules()
        if PARAMETRISATIONS not in name.split(".")
    )


def _is_inside(name: str, path: str) -> bool:
    return not path or name == path or name.startswith(f"{path}.")


def _layer_name(path: str, root: nn.Module, paths: Iterable[str]) -> str:
    name = path or type(root).__name__
    if name != RESERVED:
        return name
    while name in paths:
        name += "_"
    return name


def _paths_in_order(names: dict[str, str], order: Sequence[str] | None) -> list[str]:
    if order is None:
        return list(names)
    path_of = {name: path for path, name in names.items()}
    if sorted(order) != sorted(path_of):
        differing = sorted(set(order) ^ set(path_of))
        raise UsageError(f"the module's layers are not those of the plan; only on one side: {differing}")
    return [path_of[name] for name in order]


def _without_repeats(
    owned: dict[str, list[nn.Parameter]], names: dict[str, str], paths: Sequence[str]
) -> Iterator[LayerSlice]:
    seen: set[TensorKey] = set()
    for path in paths:
        fresh: list[nn.Parameter] = []
        for parameter in owned[path]:
            if (key := _tensor_key(parameter)) not in seen:
                seen.add(key)
                fresh.append(parameter)
        yield LayerSlice(names[path], path, tuple(fresh))


def _tensor_key(parameter: nn.Parameter) -> TensorKey:
    if nn.parameter.is_lazy(parameter):
        raise UsageError("a lazy module has no parameters yet; run it once before it is profiled")
    if parameter.numel() == 0:
        return id(parameter), 0, ()
    return parameter.untyped_storage()._cdata, int(parameter.storage_offset()), tuple(parameter.shape)
