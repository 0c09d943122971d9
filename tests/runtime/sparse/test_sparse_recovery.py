"""What a run of sparse_update goes on from when devices are gone: their remainder, and what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sparse_runs import canonical_plan, document, free_plan, problem
from tiny_workloads import tiny_workload

pytest.importorskip("torch")

import torch

from edgeplan.errors import RunError
from edgeplan.runtime.learning.keeping import (
    forget,
    keep,
    newest_of_all,
    positions_kept,
    recall,
)
from edgeplan.runtime.processes.supervision import LostNode
from edgeplan.runtime.sparse.execution.course import BEGINNING, Leg, Position
from edgeplan.runtime.sparse.execution.device.material import Material
from edgeplan.runtime.sparse.execution.device.replica import Replica
from edgeplan.runtime.sparse.execution.remainder import effects_of, remainder


def node(name: str) -> dict[str, Any]:
    rates = {"uplink_bit_per_s": 1e6, "downlink_bit_per_s": 1e6}
    return {"id": name, "flops_per_s": 1e9, "memory_bytes": 1, "latency_s": 0.0, **rates}


def test_pins_nodes_and_links_go_with_their_devices() -> None:
    layer = document()["layers"][0]["name"]
    ends = [("device-0", "device-1"), ("device-0", "device-2")]
    links = [{"source": source, "target": target, "bit_per_s": 1e6} for source, target in ends]
    given = problem(
        network={"nodes": [node(f"device-{d}") for d in range(3)], "links": links},
        pin=[[f"device-{d}", layer, 0] for d in range(2)],
        forbid=[["device-1", layer]],
    )
    left, plan = remainder(given, canonical_plan(), {"device-1"})
    network: Any = left.instance.network
    assert [one.id for one in network.nodes] == ["device-0", "device-2"]
    assert [(link.source, link.target) for link in network.links] == [("device-0", "device-2")]
    assert (left.instance.pin, left.instance.forbid) == ((("device-0", layer, 0),), ())
    assert plan.devices == canonical_plan().devices[::2]
    assert remainder(given, canonical_plan(), ()) == (given, canonical_plan())


def test_free_collectives_become_the_canonical_ones_of_those_left() -> None:
    given = problem(collectives="free")
    left, plan = remainder(given, free_plan(given), {"device-0"})
    assert plan.collectives is None
    assert left.check(plan).violations == ()


def test_a_coverage_that_is_broken_by_the_loss_is_told() -> None:
    last = document()["layers"][-1]["name"]
    given = problem(coverage={"layers": {last: 3}})
    assert given.check(canonical_plan()).violations == ()
    told = list(effects_of(given, canonical_plan(), {"device-0"}))
    rule = f"layer {last} is updated by 2 devices, at least 3 must"
    assert told == [f"the plan of those left breaks a rule of the instance: {rule}"]


def test_biases_that_nobody_reaches_any_more_are_told() -> None:
    told = list(effects_of(problem(), canonical_plan(), {"device-2"}))
    assert told[0].startswith("nobody updates weights of mobilenet_v2.")
    assert told[1] == "nobody trains biases before the last 20 layers any more, 53 were reached"


def test_a_leg_is_read_as_it_was_written() -> None:
    leg = Leg(Position(1, 2), (LostNode("pi-1", "was killed by signal 9", "compute, round 3"),))
    assert Leg.from_document(leg.to_document()) == leg


def test_a_restored_replica_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    material, trained = Material.of(tiny_workload(), 4), canonical_plan().devices[2]
    first = Replica(material, trained)
    for step in range(2):
        first.train(material.batch(2, step))
    keep(first.state(), Position(0, 1), tmp_path, 2)
    other = Replica(material, trained)
    other.restore(recall(Position(0, 1), tmp_path, 2))
    assert other.fingerprint() == first.fingerprint()
    for replica in (first, other):
        replica.train(material.batch(2, 2))
    assert other.fingerprint() == first.fingerprint()


def test_the_last_two_rounds_are_kept_also_over_the_end_of_a_phase(tmp_path: Path) -> None:
    for position in (Position(0, 9), Position(0, 10), Position(1, 1)):
        keep({"weight": torch.zeros(1)}, position, tmp_path, 0)
    keep({"weight": torch.zeros(1)}, Position(0, 9), tmp_path, 10)
    assert positions_kept(tmp_path, 0) == [Position(0, 10), Position(1, 1)]
    assert positions_kept(tmp_path, 1) == []
    forget(tmp_path, 0, beyond=Position(0, 10))
    assert positions_kept(tmp_path, 0) == [Position(0, 10)]
    forget(tmp_path, 0)
    assert positions_kept(tmp_path, 0) == []


def test_devices_go_on_from_the_newest_round_that_all_have_kept() -> None:
    one, two, three = (Position(0, number) for number in (1, 2, 3))
    assert newest_of_all([[one, two], [two, three], [one, two]], BEGINNING) == two
    assert newest_of_all([[one, two], []], BEGINNING) == BEGINNING


def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state-0-0-1.npz").write_bytes(b"half")
    with pytest.raises(RunError, match=r"state-0-0-1\.npz: is no checkpoint of a run .*; remove it"):
        recall(Position(0, 1), tmp_path, 0)
