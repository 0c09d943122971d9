"""Equations (4) to (8): the serial schedule, in which nodes train one after another."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil

from independent.case import Case, Document, Run, Stage, exact, within

Transfer = tuple[int, int, Fraction]


class Serial(Case):
    """The instance with the equations of one stage."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        by_server = document.get("transport", "peer") == "server"
        self.server = self.node_of[document["server"]] if by_server else None
        self.shared = {self.layer_of[name] for name in document.get("shared_layers", [])}
        self.trained_shared = self.shared if document.get("train_shared", True) else set()
        self.rest = [index for index in self.rest if index not in self.shared]
        self.workers = [index for index in self.workers if index != self.server]
        self.batch_size: int = self.training["batch_size"]
        self.steps: int = self.training.get("local_steps", 1) * self.batch_size
        self.memory = lru_cache(None)(self._memory)
        self.compute = lru_cache(None)(self._compute)

    def memory_of(self, stages: list[Stage], k: int) -> Fraction:
        return self.memory(stages[k][1])

    def trained(self, run: Run) -> list[int]:
        return sorted({*run} | self.trained_shared)

    def behind(self, run: Run) -> range:
        """Layers after d, the first trained one."""
        return range(self.trained(run)[0] + 1, len(self.layers))

    def _memory(self, run: Run) -> Fraction:
        """Equation (4)."""
        trained = self.trained(run)
        others = [index for index in range(len(self.layers)) if index not in trained]
        passed = [index for index in self.behind(run) if index not in trained]
        largest = self.largest_output(range(len(self.layers)))
        default = {"frozen_weight_bytes": self.training["weight_bytes"]}
        frozen = exact((default | self.training)["frozen_weight_bytes"])
        saved = self.total("saved_bytes", trained) + self.total("saved_frozen_bytes", passed)
        return (
            self.reserve_bytes
            + frozen * self.total("parameters", others)
            + self.state_bytes() * self.total("parameters", trained)
            + self.batch_size * (saved + 2 * largest)
        )

    def _compute(self, node: int, run: Run) -> Fraction:
        """Equation (5)."""
        timings = self.timings(node)
        if timings is not None:
            return self.steps * self._measured(timings, run)
        flops = (
            self.total("forward_flops", range(len(self.layers)))
            + self.total("input_gradient_flops", self.behind(run))
            + self.total("weight_gradient_flops", self.trained(run))
        )
        return self.steps * flops / exact(self.nodes[node]["flops_per_s"])

    def _measured(self, entries: list[Document], run: Run) -> Fraction:
        trained = self.trained(run)
        passed = [index for index in self.behind(run) if index not in trained]
        return (
            sum((exact(entry["forward_s"]) for entry in entries), Fraction(0))
            + sum((exact(entries[index]["backward_s"]) for index in trained), Fraction(0))
            + sum((exact(entries[index]["backward_s"]) for index in passed), Fraction(0)) / 2
        )

    def update(self, run: Run) -> Fraction:
        """D of equation (6)."""
        changed = [index for index in self.rest if index not in run]
        return self.weight_bytes * self.total("parameters", [*changed, *self.trained_shared])

    def begin(self, node: int, ready: Fraction, compute: Fraction) -> Fraction | None:
        """Equation (7): the earliest start inside one window."""
        windows = self.nodes[node].get("available_s")
        if windows is None:
            return ready
        starts = ((max(ready, exact(start)), exact(end)) for start, end in windows)
        return next((start for start, end in starts if within(start + compute, end)), None)

    def metrics(self, stages: list[Stage]) -> Document:
        shown = []
        now: Fraction | None = Fraction(0)
        energy = price = Fraction(0)
        for k, (node, run) in enumerate(stages):
            compute = self.compute(node, run)
            into, out = self._transfers(stages, k)
            into_s, out_s = (self.move(*transfer) if transfer else Fraction(0) for transfer in (into, out))
            begin = None if now is None else self.begin(node, now + into_s, compute)
            end = None if begin is None else begin + compute + out_s
            energy += self.figure(node, "compute_power_w") * compute
            price += self.figure(node, "price_per_s") * compute
            for transfer, seconds in ((into, into_s), (out, out_s)):
                if transfer:
                    energy += self.figure(transfer[0], "transmit_power_w") * seconds
                    price += sum(self.figure(place, "price_per_s") for place in transfer[:2]) * seconds
            shown.append(
                {
                    "node": self.nodes[node]["id"],
                    "memory_bytes": ceil(self.memory(run)),
                    "memory_budget_bytes": self.nodes[node]["memory_bytes"],
                    "start_s": now,
                    "end_s": end,
                    "compute_s": compute,
                    "transfer_in_s": into_s,
                    "transfer_out_s": out_s,
                    "bytes_in": ceil(into[2]) if into else 0,
                    "bytes_out": ceil(out[2]) if out else 0,
                }
            )
            now = end
        return {
            "time_s": now,
            "energy_j": energy,
            "price": price,
            "bottleneck_s": max(stage["compute_s"] for stage in shown),
            "bytes_moved": sum(stage["bytes_in"] + stage["bytes_out"] for stage in shown),
            "stages": shown,
        }

    def _transfers(self, stages: list[Stage], k: int) -> tuple[Transfer | None, Transfer | None]:
        """Equation (6): what comes in before and goes out after a stage, as (from, to, bytes)."""
        node, run = stages[k]
        if self.server is not None:
            returned = self.weight_bytes * self.total("parameters", self.trained(run))
            return (self.server, node, self.update(run)), (node, self.server, returned)
        if len(stages) == 1:
            return None, None
        return (stages[k - 1][0], node, self.update(run)), None
