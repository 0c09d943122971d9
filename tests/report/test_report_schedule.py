"""Pages of segment_scheduling: slots, one of them in full, who carries what, budgets, queues and clusters."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from page_reader import NASTY, Reader, stands_alone
from report_documents import write
from small_segments import STAGES, plan, problem
from small_segments import result as result_of

from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.models.segment_scheduling.generated import Size, generated
from edgeplan.models.segment_scheduling.slot_cost import slot_cost
from edgeplan.report import render_report
from edgeplan.report.lanes import MAX_MICRO_BATCHES
from edgeplan.report.schedule.bins import binned, runs_of
from edgeplan.report.schedule.carried import carried_of, micro_batches_of
from edgeplan.report.schedule.slot_lanes import COMPUTING, HOP, UPLINK, cluster_lanes

PROBLEM, PLAN = problem(slots=12), plan(slots=12)
DOCUMENT = PROBLEM.document
ALONE = [{"device": "fast", "layers": ["encoder.0", "encoder.1"]}]


def result(**members: Any) -> dict[str, Any]:
    return result_of(PROBLEM, PLAN, **members)


def bounded(share: float) -> dict[str, Any]:
    """Make a result in which every slot's bound is a share of its objective."""
    objectives = [slot["objective"] for slot in PROBLEM.metrics(PLAN)["slots"]]
    return PLAN.to_document() | {"slot_bounds": [share * objective for objective in objectives]}


def text_of(folder: Path, **documents: dict[str, Any]) -> str:
    page = render_report(write(folder, **documents))
    assert stands_alone(page)
    return " ".join(Reader(page).text.split())


def test_a_page_shows_the_slots_and_the_clusters(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, instance=DOCUMENT, result=result()))
    for title in (
        "What it takes",
        "Latency of every slot",
        "Micro-batches of every cluster",
        "The slot as a Gantt chart",
        "Bands and powers of the slot",
        "Stages of the slot",
        "Clusters of the slot",
        "Blocks over the slots",
        "Devices over the slots",
        "Mean of a slot against budget",
        "Longest queues",
        "Budgets, the most exceeded first",
    ):
        assert f"<h3>{title}</h3>" in page
    assert "2 blocks on 2 devices in 1 cluster, 12 slots" in page
    assert "1 cluster of 2 devices together" in page
    assert stands_alone(page)


def test_the_same_files_give_the_same_page(tmp_path: Path) -> None:
    paths = write(tmp_path, instance=DOCUMENT, result=result(plan=bounded(0.9)))
    assert render_report(paths) == render_report(paths)


def test_the_slot_in_full_is_that_of_median_latency(tmp_path: Path) -> None:
    latencies = [slot["latency_s"] for slot in PROBLEM.metrics(PLAN)["slots"]]
    median = sorted(range(12), key=latencies.__getitem__)[5]
    text = text_of(tmp_path, instance=DOCUMENT, result=result())
    assert f"Slot {median + 1} of 12: the one of median latency" in text
    assert f"slot {median + 1}, of median latency" in text


def test_a_single_slot_is_shown_without_curves(tmp_path: Path) -> None:
    given = problem()
    text = text_of(tmp_path, instance=given.document, result=result_of(given, plan()))
    assert "The only slot, which takes" in text
    assert "Latency of every slot" not in text
    assert "for the queues met" not in text


def test_the_last_bar_of_a_cluster_ends_at_its_latency() -> None:
    cluster, gains = PROBLEM.instance.clusters[0], next(iter(PROBLEM.gains()))
    cost = slot_cost(PROBLEM.segments, PLAN.slots[0], gains, PROBLEM.initial_queues).clusters[0]
    head, first, last = cluster_lanes(cluster, cost)
    assert (head.label, first.label, last.label) == ("home: 4 micro-batches", "fast", "slow")
    ends = [span.start_s + span.duration_s for lane in (head, first, last) for span in lane.spans]
    assert max(ends) == pytest.approx(cost.latency_s)
    assert [span.kind for span in first.spans] == [COMPUTING] * 4 + [HOP] * 4
    assert [span.kind for span in last.spans] == [COMPUTING] * 4 + [UPLINK] * 4


def test_the_spacing_of_micro_batches_is_the_bottleneck() -> None:
    cluster, gains = PROBLEM.instance.clusters[0], next(iter(PROBLEM.gains()))
    cost = slot_cost(PROBLEM.segments, PLAN.slots[0], gains, PROBLEM.initial_queues).clusters[0]
    starts = [span.start_s for span in cluster_lanes(cluster, cost)[1].spans if span.kind == COMPUTING]
    steps = [after - before for before, after in pairwise(starts)]
    assert steps == pytest.approx([cost.bottleneck_s] * 3)


def test_of_very_many_micro_batches_the_first_are_drawn(tmp_path: Path) -> None:
    training = DOCUMENT["training"] | {"max_micro_batches": 500}
    rich = PROBLEM.replace(training=training)
    many = plan(slots=12, micro_batches=500)
    text = text_of(tmp_path, instance=rich.document, result=result_of(rich, many))
    assert f"Of more micro-batches the first {MAX_MICRO_BATCHES} are drawn." in text


def skipping() -> SegmentPlan:
    """Rest in the first of twelve slots, then work on one device in every second."""
    at_work = [{"id": "home", "micro_batches": 2, "uplink": {"bandwidth_hz": 1e6, "power_w": 0.2}}]
    slots = [at_work[0] | {"stages": STAGES if t % 2 else ALONE} for t in range(1, 12)]
    rest = {"clusters": [{"id": "home", "skipped": True}]}
    return SegmentPlan.from_document({"slots": [rest, *({"clusters": [entry]} for entry in slots)]})


@pytest.mark.parametrize("given", [PROBLEM, None])
def test_who_carries_what_is_counted(given: SegmentScheduling | None) -> None:
    fast, slow = carried_of(skipping(), given)
    assert (fast.by_slot[:4], fast.active_slots, fast.mean_blocks) == ((0, 1, 2, 1), 11, 16 / 11)
    assert (slow.by_slot[:4], slow.active_slots, slow.mean_blocks) == ((0, 1, 0, 1), 6, 1.0)
    assert fast.by_block == (11 / 12, 5 / 12)
    assert slow.by_block == (0.0, 6 / 12)
    assert micro_batches_of(skipping()) == {"home": (0, *[2] * 11)}


def test_a_device_that_always_rests_is_said_to(tmp_path: Path) -> None:
    stages = [STAGES[1] | {"layers": ["encoder.0", "encoder.1"]}]
    text = text_of(tmp_path, instance=DOCUMENT, result=result_of(PROBLEM, plan(slots=12, stages=stages)))
    assert "2 devices, 1 of them idle in every slot." in text


def test_a_cluster_that_is_skipped_is_said_to(tmp_path: Path) -> None:
    rests = SegmentPlan.from_document({"slots": [{"clusters": [{"id": "home", "skipped": True}]}] * 12})
    text = text_of(tmp_path, instance=DOCUMENT, result=result_of(PROBLEM, rests))
    assert "home: skipped" in text
    assert "2 devices, 2 of them idle in every slot." in text


def test_the_head_says_latency_worst_budget_and_worst_gap(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, instance=DOCUMENT, result=result(plan=bounded(0.9))))
    head = " ".join(Reader(page[: page.index("<main>")]).text.split())
    for text in ("Mean latency", "Budget exceeded most", "Worst slot's gap 10 % 0 of 12 slots proven"):
        assert text in head


def test_a_noise_budget_that_is_exceeded_is_no_budget_kept(tmp_path: Path) -> None:
    home = DOCUMENT["clusters"][0]
    devices = [device | {"energy_budget_j": 1e3} for device in home["devices"]]
    rich = PROBLEM.replace(
        clusters=[home | {"devices": devices, "uplink_energy_budget_j": 1e3}],
        control=DOCUMENT["control"] | {"noise_budget": 0.25},
    )
    told = text_of(tmp_path, instance=rich.document, result=result_of(rich, plan(slots=12)))
    assert "Budgets kept all of them, in the mean" in told
    noisy = text_of(tmp_path, instance=rich.document, result=result_of(rich, plan(slots=12, micro_batches=1)))
    assert "Budget exceeded most 300 % noise" in noisy
    assert "1 of 4 budgets exceeded in the mean, the noise among them." in noisy


def test_without_the_instance_only_budgets_of_energy_are_judged(tmp_path: Path) -> None:
    metrics = result()["metrics"]
    kept = dict.fromkeys(metrics["budget_violation"], 0.0)
    text = text_of(tmp_path, result=result(metrics=metrics | {"budget_violation": kept}))
    assert "Budgets kept those of energy, in the mean" in text


def test_gaps_of_the_slots_are_counted(tmp_path: Path) -> None:
    text = text_of(tmp_path, instance=DOCUMENT, result=result(plan=bounded(0.5)))
    assert "0 of 12 slots are proven; the median gap is 50 %, the worst 50 % in slot" in text


def test_slots_that_are_all_proven_are_said_to_be(tmp_path: Path) -> None:
    text = text_of(tmp_path, instance=DOCUMENT, result=result(plan=bounded(1.0)))
    assert "Every one of the 12 decisions is proven to be the best one." in text
    assert "Gap of every slot" not in text


def test_slots_without_a_bound_are_counted(tmp_path: Path) -> None:
    bounds = [None, *bounded(0.5)["slot_bounds"][1:]]
    text = text_of(tmp_path, result=result(plan=PLAN.to_document() | {"slot_bounds": bounds}))
    assert "A bound is known of 11 of 12 slots." in text


def test_sums_over_slots_are_said_to_bound_no_other_policy(tmp_path: Path) -> None:
    assert "bound no other policy" in text_of(tmp_path, result=result())


def test_a_result_alone_shows_its_latency_and_who_carries_what(tmp_path: Path) -> None:
    text = text_of(tmp_path, result=result())
    for title in ("Latency of every slot", "Blocks over the slots", "its pipelines are drawn here"):
        assert title in text
    assert "Budgets, the most exceeded first" not in text


def test_an_instance_alone_shows_clusters_and_model(tmp_path: Path) -> None:
    page = render_report(write(tmp_path, instance=DOCUMENT))
    assert "<h2>Clusters</h2>" in page
    assert "<h2>Model</h2>" in page


def test_results_side_by_side_compare_their_mean_latency(tmp_path: Path) -> None:
    other = result(solver={"name": "another", "version": "2"})
    page = render_report(write(tmp_path, instance=DOCUMENT, one=result(), two=other))
    assert "mean latency</th>" in page
    assert stands_alone(page)


def test_a_plan_that_breaks_rules_is_said_to(tmp_path: Path) -> None:
    narrow = DOCUMENT | {"uplink_bandwidth_hz": 1.0}
    judged = result(instance_sha256=SegmentScheduling.from_document(narrow).instance_sha256)
    text = text_of(tmp_path, instance=narrow, result=judged)
    assert "plan breaks rules" in text
    assert "uplink_band" in text


def test_a_plan_that_is_not_whole_is_not_drawn(tmp_path: Path) -> None:
    broken = PLAN.to_document()
    broken["slots"][3]["clusters"][0]["stages"][0]["device"] = "nobody"
    text = text_of(tmp_path, instance=DOCUMENT, result=result(plan=broken))
    assert "plan breaks rules" in text
    assert "The slot as a Gantt chart" not in text
    assert "Blocks over the slots" not in text


def test_an_infeasible_result_shows_the_limits_in_conflict(tmp_path: Path) -> None:
    message = "the memories of cluster home cannot hold the encoder"
    conflict = {"pointer": "/clusters/0/devices/0/memory_bytes", "need": 2, "have": 1, "message": message}
    members = {"status": "infeasible", "stop": "proof", "conflicts": [conflict]}
    document = {key: value for key, value in result().items() if key not in ("plan", "objective", "metrics")}
    text = text_of(tmp_path, instance=DOCUMENT, result=document | members)
    for part in ("Conflict 1 limit cannot hold together", message, "/clusters/0/devices/0/memory_bytes"):
        assert part in text
    assert "One slot" not in text


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    text = PROBLEM.document | {"name": NASTY}
    home = DOCUMENT["clusters"][0]
    fast, slow = home["devices"]
    text["clusters"] = [home | {"id": f"c {NASTY}", "devices": [fast | {"id": NASTY}, slow]}]
    layers = DOCUMENT["model"]["layers"]
    text["model"] = DOCUMENT["model"] | {"layers": [layers[0] | {"name": NASTY}, layers[1]]}
    text["initial_queues"] = {}
    given = SegmentScheduling.from_document(text)
    stages = [STAGES[0] | {"device": NASTY, "layers": [NASTY]}, STAGES[1]]
    planned = plan(slots=12, id=f"c {NASTY}", stages=stages)
    page = render_report(write(tmp_path, instance=text, result=result_of(given, planned, detail=NASTY)))
    assert stands_alone(page)
    assert NASTY in Reader(page).text


@pytest.mark.parametrize("num_slots", [1, 5_000])
def test_any_number_of_slots_is_drawn_in_bounded_space(tmp_path: Path, num_slots: int) -> None:
    metrics = result()["metrics"]
    slots = [metrics["slots"][k % 12] for k in range(num_slots)]
    page = render_report(write(tmp_path, result=result(metrics=metrics | {"slots": slots})))
    assert len(page) < 200_000


def test_a_long_horizon_says_what_is_drawn_together(tmp_path: Path) -> None:
    given, planned = problem(slots=2_000), plan(slots=2_000)
    page = render_report(write(tmp_path, instance=given.document, result=result_of(given, planned)))
    text = " ".join(Reader(page).text.split())
    assert "Every point is the mean, the band the range, of 9 slots." in text
    assert "Every point is the last of 5 slots." in text
    assert len(page) < 300_000


def test_very_many_clusters_are_cut_with_notes(tmp_path: Path) -> None:
    block = DOCUMENT["model"]["layers"][0]
    size = Size(num_clusters=70, num_devices=4, num_slots=3)
    given = SegmentScheduling.from_document(generated({"name": "one block", "layers": [block]}, size, seed=0))
    entries = [
        {
            "id": cluster.id,
            "micro_batches": 3,
            "uplink": {"bandwidth_hz": 1e6, "power_w": 0.1},
            "stages": [{"device": cluster.devices[0].id, "layers": ["encoder.0"]}],
        }
        for cluster in given.instance.clusters
    ]
    planned = SegmentPlan.from_document({"slots": [{"clusters": entries}] * 3})
    page = render_report(write(tmp_path, instance=given.document, result=result_of(given, planned)))
    text = " ".join(Reader(page).text.split())
    for note in (
        "Shows the 20 slowest of 70 clusters.",
        "Shows the first 60 of 70 clusters.",
        "Shows the 60 of 280 devices that are active most often.",
        "Shows the 40 most loaded of 351 budgets.",
        "Shows the first 200 of 280 devices.",
    ):
        assert note in text
    assert len(page) < 600_000


def test_bins_cover_every_slot_once_and_keep_extremes() -> None:
    values = [float(k % 7) for k in range(1_000)]
    runs = runs_of(1_000, 240)
    assert [t for run in runs for t in run] == list(range(1_000))
    bins = binned(values, 240)
    assert (min(one.low for one in bins), max(one.high for one in bins)) == (0.0, 6.0)
