"""The start of a workload as a file, so that everything that uses it begins equal."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.workload.importance import Importance

FOLDER_VARIABLE = "EDGEPLAN_CACHE"


@dataclass(frozen=True)
class Start:
    """A trained network and what matters in it for the task."""

    state: Mapping[str, Tensor]
    """Parameters and buffers."""
    importance: Importance
    """On the images of the task."""

    def fingerprint(self) -> str:
        """Hash that is equal for equal weights and equal orders of channels."""
        digest = hashlib.sha256()
        for tensors in (self.state, self.importance.orders()):
            for name, tensor in tensors.items():
                digest.update(name.encode())
                digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def default_folder() -> Path:
    """Folder of starts: ``$EDGEPLAN_CACHE``, else ``edgeplan`` in the user's folder for caches."""
    named = os.environ.get(FOLDER_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "edgeplan"


def write_start(start: Start, path: Path) -> None:
    """Write a start aside and give it its name, so that nobody reads half of it.

    Raises
    ------
    UsageError
        When it cannot be written.
    """
    document = {
        "state": dict(start.state),
        "channels": dict(start.importance.channels),
        "biases": dict(start.importance.biases),
    }
    aside = path.with_name(f".{path.stem}.{os.getpid()}")
    with writing(path):
        try:
            torch.save(document, aside)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make the folder of a start, before it is trained in vain.

    Raises
    ------
    UsageError
        When it cannot be made, or not be written to.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise OSError(f"{path.parent} is not writable")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell in one line why a start cannot be written."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(
            f"{path}: cannot be written: {reason}; make room, or name another folder by {FOLDER_VARIABLE}"
        ) from None


def read_start(path: Path) -> Start:
    """Read what `write_start` wrote.

    Raises
    ------
    UsageError
        When it cannot be read.
    """
    try:
        document = torch.load(path, weights_only=True)
        return Start(document["state"], Importance(document["channels"], document["biases"]))
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"{path}: cannot be read: {told[0]}; delete it, and it is made anew") from None
