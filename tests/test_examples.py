"""The examples print the figures that the documentation quotes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_layer_of_24_needs_what_the_paper_says() -> None:
    # Snake Learning, IEEE Commun. Mag. 2025: 19.37 GB against 3.13 GB for OPT-1.3B on 24 nodes
    label, full, alone = load_example("memory_law").rows()[0]
    assert "24 equal layers" in label
    assert (round(full, 2), round(alone, 2)) == (19.37, 3.13)


def test_the_readme_of_the_instances_quotes_the_memory_table() -> None:
    quoted = (ROOT / "instances" / "layer_assignment" / "README.md").read_text()
    for label, full, alone in load_example("memory_law").rows():
        assert f"{label:<42}{full:>8.2f} GiB{alone:>8.2f} GiB" in quoted
