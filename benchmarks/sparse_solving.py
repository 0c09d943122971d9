"""How near plans of sparse_update are to the best: ``python -m benchmarks.sparse_solving``.

MCUNetV3's network with its measured contributions (51 layers, 4 ratios) on 7 devices and on many, of 50 to
140 KB. The dearer a second of aggregation, the more devices have to agree, and the harder the problem. Prints
Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

import edgeplan
from benchmarks.provenance import provenance
from benchmarks.shared_data import data_file
from edgeplan.models.sparse_update import SparseUpdate
from edgeplan.models.sparse_update.mcunetv3_instance import mcunetv3_document, read_gains

_FEW = [kilobytes * 1024 for kilobytes in range(50, 150, 15)]
_MANY, _CLASSES = 10_000, 50
_PRICES = {len(_FEW): (0.0, 1.0, 3.0, 10.0, 20.0, 30.0), _MANY: (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)}


def budgets(num_devices: int, seed: int = 0) -> list[int]:
    """Return the memories of few devices, or draw those of many from 50 different ones.

    Examples
    --------
    >>> budgets(7)[-1] // 1024, len(set(budgets(10_000)))
    (140, 50)
    """
    if num_devices == len(_FEW):
        return _FEW
    sizes = (1024 * np.linspace(50, 140, _CLASSES)).astype(int)
    return [int(size) for size in np.random.default_rng(seed).choice(sizes, num_devices)]


def problem_at(num_devices: int, price: float) -> SparseUpdate:
    """Return the instance in which a second of aggregation costs so much."""
    document = mcunetv3_document(
        read_gains(data_file("mcunetv3-mbv2-w035-cifar10.csv")), budgets(num_devices)
    )
    document["objective"]["aggregation_s"] = price
    return SparseUpdate.from_document(document)


def lines(num_devices: int, prices: Sequence[float], limit_s: float) -> Iterator[str]:
    """Yield a table."""
    yield f"{num_devices:,} devices:"
    yield ""
    yield "| price of a second | objective | status | gap | seconds |"
    yield "| ---: | ---: | --- | ---: | ---: |"
    for price in prices:
        result = edgeplan.solve(problem_at(num_devices, price), time_limit_s=limit_s)
        assert result.objective is not None
        gap = "none known" if result.gap is None else f"{100 * result.gap:.2g} %"
        yield f"| {price:g} | {result.objective:.6g} | {result.status} | {gap} | {result.runtime_s:.1f} |"
    yield ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=30.0, help="seconds for each solve")
    limit_s = parser.parse_args().time_limit
    print(provenance())
    for num_devices, prices in _PRICES.items():
        print()
        for line in lines(num_devices, prices, limit_s):
            print(line, flush=True)


if __name__ == "__main__":
    main()
