"""Times, energies, noise and queues of a tiny schedule, each figure worked out by hand.

The instance is instances/segment_scheduling/tiny.json, whose member ``x-arithmetic`` has the figures of its
parts: a block takes fast 0.5 s and slow 2 s and 0.5 s of overhead, a hop has 2000 bit, as has the uplink for
every micro-batch, and the parameters have 8000 bit. A signal three times the noise makes 2 bit/s of a hertz.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edgeplan
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.violation import Check

TINY = Path(__file__).parents[3] / "instances" / "segment_scheduling" / "tiny.json"
BLOCKS = ["encoder.0", "encoder.1"]
FULL = {"bandwidth_hz": 1000.0, "power_w": 1.0}


def tiny(**members: Any) -> SegmentScheduling:
    problem = edgeplan.load(TINY)
    assert isinstance(problem, SegmentScheduling)
    return problem.replace(**members)


def two_slots() -> SegmentScheduling:
    """The second slot's uplink has a third of the gain: as strong as the noise, 1 bit/s of a hertz."""
    channels = {"kind": "trace", "d2d": {"fast": [0.003] * 2, "slow": [0.001] * 2}}
    control = {"tradeoff": 1.0, "slots": 2, "noise_level": 1.0, "noise_budget": 0.5}
    return tiny(control=control, channels=channels | {"uplink": {"home": [0.003, 0.001]}})


def both(micro_batches: int, hop: dict[str, float], uplink: dict[str, float]) -> dict[str, Any]:
    """A block on fast, then one on slow."""
    stages = [{"device": "fast", "layers": BLOCKS[:1], **hop}, {"device": "slow", "layers": BLOCKS[1:]}]
    return {"id": "home", "micro_batches": micro_batches, "uplink": uplink, "stages": stages}


def alone(device: str, micro_batches: int) -> dict[str, Any]:
    stages = [{"device": device, "layers": BLOCKS}]
    return {"id": "home", "micro_batches": micro_batches, "uplink": FULL, "stages": stages}


def checked(problem: SegmentScheduling, *entries: dict[str, Any]) -> Check:
    document = {"slots": [{"clusters": [entry]} for entry in entries]}
    return problem.check(SegmentPlan.from_document(document))


def slot(check: Check, t: int = 0) -> dict[str, Any]:
    assert check.metrics is not None
    found: dict[str, Any] = check.metrics["slots"][t]
    return found


def test_the_slots_of_a_run_are_what_the_equations_say() -> None:
    """Slot 1: fast then slow, all at full power; slot 2: slow alone.

    T = 0.5 + (0.5 + 1 + 2.5 + 1) + 1 x 2.5 + 2 x 0.5 + 4 = 13, then 0.5 + (4.5 + 2) + 0.5 + 8 = 15.5
    Fast 2 (0.5 + 1) = 3 J; slow 2 x 2.5 = 5 J, then 4.5 J; control unit 2 x 1 + 4 = 6 J, then 2 + 8 = 10 J
    """
    check = checked(two_slots(), both(2, FULL, FULL), alone("slow", 1))
    assert check.feasible
    first, second = slot(check, 0), slot(check, 1)
    assert first["latency_s"] == pytest.approx(13.0)
    assert first["energy_j"] == pytest.approx({"fast": 3.0, "slow": 5.0, "home": 6.0})
    assert first["noise"] == pytest.approx(1 / 2)
    assert first["objective"] == pytest.approx(13.0 + 0.4 / 2**2 * 5.0 + 2.0 / 0.5**2 * 0.5)
    assert first["queues"] == pytest.approx({"fast": 1.0, "slow": 3.4, "home": 0.0, "noise": 2.0})
    assert second["latency_s"] == pytest.approx(15.5)
    assert second["energy_j"] == pytest.approx({"fast": 0.0, "slow": 4.5, "home": 10.0})
    assert second["noise"] == pytest.approx(1.0)
    assert second["objective"] == pytest.approx(15.5 + 3.4 / 2**2 * 4.5 + 2.0 / 0.5**2 * 1.0)
    assert second["queues"] == pytest.approx({"fast": 0.0, "slow": 5.9, "home": 2.0, "noise": 2.5})


def test_means_sums_and_peaks_are_those_of_the_slots() -> None:
    check = checked(two_slots(), both(2, FULL, FULL), alone("slow", 1))
    metrics = check.metrics
    assert metrics is not None
    assert check.objective == pytest.approx(17.5 + 27.325)
    assert metrics["mean_latency_s"] == pytest.approx(14.25)
    assert metrics["mean_energy_j"] == pytest.approx({"fast": 1.5, "slow": 4.75, "home": 8.0})
    assert metrics["mean_noise"] == pytest.approx(0.75)
    assert metrics["max_queue"] == pytest.approx({"fast": 1.0, "slow": 5.9, "home": 2.0, "noise": 2.5})
    assert metrics["budget_violation"] == pytest.approx({"fast": 0.0, "slow": 1.375, "home": 0.0})


QUARTER = {"bandwidth_hz": 250.0, "power_w": 0.25}
HALF = {"bandwidth_hz": 500.0, "power_w": 0.5}
PIPELINES = [
    # the hop takes 4 s, more than any stage: 0.5 + (0.5 + 4 + 2.5 + 1) + 4 + 1 + 4
    (both(2, QUARTER, FULL), 17.5, {"fast": 2 * (0.5 + 0.25 * 4), "slow": 5.0, "home": 6.0}),
    # the uplink takes 4 s a micro-batch and 16 s for the parameters: 0.5 + (0.5 + 1 + 2.5 + 4) + 4 + 1 + 16
    (both(2, FULL, QUARTER), 29.5, {"fast": 3.0, "slow": 5.0, "home": 0.25 * (2 * 4 + 16)}),
    # half the band and power: 0.5 + (0.5 + 2 + 2.5 + 2) + 2.5 + 1 + 8
    (both(2, HALF, HALF), 19.0, {"fast": 2 * (0.5 + 0.5 * 2), "slow": 5.0, "home": 0.5 * (2 * 2 + 8)}),
    # a single micro-batch waits for nothing: 0.5 + (0.5 + 4 + 2.5 + 1) + 0.5 + 4
    (both(1, QUARTER, FULL), 13.0, {"fast": 0.5 + 0.25 * 4, "slow": 2.5, "home": 5.0}),
    # 0.5 + (4.5 + 1) + 4.5 + 1 + 4
    (alone("slow", 2), 15.5, {"fast": 0.0, "slow": 9.0, "home": 6.0}),
]


@pytest.mark.parametrize(("entry", "latency_s", "energy_j"), PIPELINES)
def test_the_slowest_stage_or_link_repeats(
    entry: dict[str, Any], latency_s: float, energy_j: dict[str, float]
) -> None:
    check = checked(tiny(), entry)
    assert check.feasible
    assert slot(check)["latency_s"] == pytest.approx(latency_s)
    assert slot(check)["energy_j"] == pytest.approx(energy_j)


def test_bits_that_are_none_take_no_time_energy_or_band() -> None:
    model = tiny().document["model"]
    silent = [layer | {"output_bytes": 0, "parameters": 0} for layer in model["layers"]]
    entry = both(2, {"bandwidth_hz": 0.0, "power_w": 0.0}, {"bandwidth_hz": 0.0, "power_w": 0.0})
    for uplink in ({}, {"uplink": {"bandwidth_hz": 1e99, "power_w": 1e99}}):
        entry.pop("uplink", None)
        check = checked(tiny(model=model | {"layers": silent}), entry | uplink)
        assert check.feasible
        assert slot(check)["latency_s"] == pytest.approx(0.5 + 3.0 + 2.5 + 1.0)
        assert slot(check)["energy_j"] == pytest.approx({"fast": 1.0, "slow": 5.0, "home": 0.0})


@pytest.mark.parametrize(
    ("in_flight", "micro_batches", "need_bytes"),
    [
        ("1f1b", 8, [6000, 4000]),  # 2000 and at most 4, at most 2 micro-batches of 1000
        ("1f1b", 3, [5000, 4000]),
        ("1f1b", 1, [3000, 3000]),
        ("gpipe", 8, [10000, 10000]),
        ("gpipe", 3, [5000, 5000]),
    ],
)
def test_a_stage_holds_the_micro_batches_in_flight(
    in_flight: str, micro_batches: int, need_bytes: list[int]
) -> None:
    training = tiny().document["training"] | {"in_flight": in_flight, "max_micro_batches": 8}
    home = tiny().document["clusters"][0]
    starved = [home | {"devices": [device | {"memory_bytes": 1} for device in home["devices"]]}]
    check = checked(tiny(training=training, clusters=starved), both(micro_batches, FULL, FULL))
    assert [violation.need for violation in check.violations] == need_bytes
    assert [violation.rule for violation in check.violations] == ["memory", "memory"]


def test_the_noise_counts_the_micro_batches_of_all_clusters() -> None:
    home = tiny().document["clusters"][0]
    yard = home | {
        "id": "yard",
        "devices": [device | {"id": f"{device['id']}-2"} for device in home["devices"]],
    }
    trace = {"fast": [0.003], "slow": [0.001], "fast-2": [0.003], "slow-2": [0.001]}
    channels = {"kind": "trace", "d2d": trace, "uplink": {"home": [0.003], "yard": [0.003]}}
    training = tiny().document["training"] | {"micro_batch_size": 2}
    problem = tiny(clusters=[home, yard], channels=channels, training=training)
    first = both(2, FULL, HALF)
    second = both(1, FULL, HALF)
    second["id"] = "yard"
    for stage in second["stages"]:
        stage["device"] += "-2"
    check = problem.check(SegmentPlan.from_document({"slots": [{"clusters": [second, first]}]}))
    assert slot(check)["noise"] == pytest.approx(1 / (2 * 3))


def test_without_any_cluster_the_noise_is_that_of_one_micro_batch() -> None:
    check = checked(tiny(), {"id": "home", "skipped": True})
    assert [violation.rule for violation in check.violations] == ["skipped"]
    assert slot(check)["noise"] == pytest.approx(1.0)
    assert slot(check)["latency_s"] == 0.0
    assert slot(check)["energy_j"] == {"fast": 0.0, "slow": 0.0, "home": 0.0}
