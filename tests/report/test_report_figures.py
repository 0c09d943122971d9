"""Corner cases of lanes, grids and figures: extreme numbers, odd names, nothing to draw."""

from __future__ import annotations

import pytest
from report_documents import even_plan, larger, result
from small_instances import document, layer, node

from edgeplan.models.layer_assignment import LayerAssignment, Plan
from edgeplan.models.network import Node
from edgeplan.models.result import Incumbent
from edgeplan.report.figures.canvas import label_text
from edgeplan.report.figures.gantt import gantt_svg
from edgeplan.report.figures.layers import layers_svg
from edgeplan.report.figures.learning import comparison_svg, learning_svg
from edgeplan.report.figures.memory import MemoryBar, memory_svg
from edgeplan.report.figures.nodes import nodes_svg
from edgeplan.report.figures.rounds import rounds_svg
from edgeplan.report.figures.route import Stop, route_svg
from edgeplan.report.figures.search import search_svg
from edgeplan.report.figures.snake_grid import SnakeGrid
from edgeplan.report.lanes import MAX_MICRO_BATCHES, Lane, one_after_another, pipeline_lanes, planned_lanes
from edgeplan.report.plan_metrics import PlanMetrics, StageMetrics
from edgeplan.report.run_document import Baseline, RunRound
from edgeplan.report.sections.memory import stage_parts


def stage(start_s: float | None, end_s: float | None, **members: float) -> StageMetrics:
    return StageMetrics.model_validate(
        {"node": "n", "memory_bytes": 1, "memory_budget_bytes": 2, "start_s": start_s, "end_s": end_s}
        | members
    )


def test_what_is_left_of_a_visit_is_waiting_before_it_computes() -> None:
    (lane,) = planned_lanes([stage(10.0, 20.0, transfer_in_s=2.0, compute_s=3.0, transfer_out_s=1.0)])
    assert [(span.kind, span.start_s, span.duration_s) for span in lane.spans] == [
        ("transfer in", 10.0, 2.0),
        ("waiting", 12.0, 4.0),
        ("computing", 16.0, 3.0),
        ("transfer out", 19.0, 1.0),
    ]


def test_a_stage_that_fits_no_window_has_an_empty_lane() -> None:
    assert planned_lanes([stage(0.0, 1.0, compute_s=1.0), stage(1.0, None), stage(None, None)])[1:] == (
        Lane("n", ()),
        Lane("n", ()),
    )


def test_stages_of_a_pipeline_work_at_the_same_time_and_do_not_wait() -> None:
    stages = [stage(0.0, 9.0, compute_s=3.0), stage(0.0, 9.0, compute_s=4.0)]
    assert not one_after_another(stages)
    assert [span.kind for lane in planned_lanes(stages) for span in lane.spans] == ["computing"] * 2


def a_pipeline(num_micro_batches: int = 4) -> tuple[LayerAssignment, Plan]:
    """A layer on each of three nodes of one FLOP a second, 40 bytes a sample over links of 80 bit/s."""
    layers = [layer(name, output_bytes=40, saved_bytes=7, parameters=3) for name in "abc"]
    nodes = [node(name, uplink_bit_per_s=80) for name in "pqr"]
    bytes_each = {"weight_bytes": 4, "gradient_bytes": 4, "optimizer_bytes": 8}
    training = {"batch_size": 2 * num_micro_batches, "reserve_bytes": 5} | bytes_each
    members = {"schedule": "pipeline", "micro_batches": num_micro_batches, "training": training}
    problem = LayerAssignment.from_document(document(layers, nodes, **members))
    stages = [{"node": name, "layers": [own]} for name, own in zip("pqr", "abc", strict=True)]
    return problem, problem.plan_from_document({"stages": stages})


def test_the_last_micro_batch_ends_when_the_batch_does() -> None:
    problem, plan = a_pipeline()
    metrics = PlanMetrics.model_validate(problem.check(plan).metrics)
    assert metrics.bottleneck_s is not None
    lanes = pipeline_lanes(metrics.stages, 4, metrics.bottleneck_s)
    assert max(lane.end_s for lane in lanes) == pytest.approx(metrics.time_s)
    assert [lane.spans[0].start_s for lane in lanes] == pytest.approx([0, 6 + 16, 2 * (6 + 16)])
    assert [len(lane.spans) for lane in lanes] == [8, 8, 4]


def test_of_very_many_micro_batches_the_first_are_drawn() -> None:
    lanes = pipeline_lanes([stage(0.0, 9e3, compute_s=9e3)], 9_000, 1.0)
    assert len(lanes[0].spans) == MAX_MICRO_BATCHES


@pytest.mark.parametrize("num_stops", [1, 2, 4, 5, 9, 40, 41, 300])
def test_a_snake_steps_to_a_neighbour_every_time(num_stops: int) -> None:
    grid = SnakeGrid.of(num_stops)
    for k in range(1, num_stops):
        (x0, y0), (x1, y1) = grid.place(k - 1), grid.place(k)
        steps = (abs(x1 - x0) / grid.pitch[0], abs(y1 - y0) / grid.pitch[1])
        assert sorted(round(step, 9) for step in steps) == [0.0, 1.0]
    assert len({grid.place(k) for k in range(num_stops)}) == num_stops


@pytest.mark.parametrize("server", [None, "s"])
@pytest.mark.parametrize("num_stops", [1, 2, 41])
def test_a_route_of_any_length_is_drawn(num_stops: int, server: str | None) -> None:
    stops = [
        Stop(f"n{k}", f"type {k % 9} of a long name", ("1 layer",), 10**k, 0.0) for k in range(num_stops)
    ]
    assert "<svg" in route_svg("route", stops, server=server)


def test_the_route_of_a_pipeline_does_not_come_back() -> None:
    stops = [Stop(f"n{k}", "t", ("1 layer",), 10**k, 0.0) for k in range(3)]
    assert "back to the first" in route_svg("route", stops, server=None)
    assert "back to the first" not in route_svg("route", stops, server=None, is_pipeline=True)


def test_figures_of_zeros_and_of_one_are_drawn_without_a_warning() -> None:
    rounds = [RunRound(round=0, time_s=0.0)]
    nothing = larger(2, 3).instance.model.layers[0].model_copy(update={"parameters": 0, "forward_flops": 0.0})
    for svg in (
        gantt_svg("a", planned_lanes([stage(0.0, 0.0)])),
        memory_svg("b", [MemoryBar("n", 0, 0)]),
        rounds_svg("c", rounds, None),
        learning_svg("d", rounds),
        comparison_svg("e", "Snake", rounds, Baseline(rounds=(RunRound(round=0),))),
        search_svg("f", [Incumbent(runtime_s=0.0, objective=0.0)] * 2, 0.0),
        nodes_svg("g", [Node(id="n", flops_per_s=1e-300, memory_bytes=1)], {"n": 1}),
        layers_svg("h", [nothing], {}, ()),
    ):
        assert svg.startswith("<svg")


def test_a_cloud_of_nodes_becomes_an_image_inside_the_figure() -> None:
    nodes = [
        Node(id=f"n{k}", type=f"t{k % 2}", flops_per_s=1e9 * (1 + k), memory_bytes=2**30) for k in range(5000)
    ]
    svg = nodes_svg("nodes", nodes, {"n1": 1})
    assert 'href="data:image/png;base64,' in svg
    assert len(svg) < 500_000


def test_labels_are_one_printable_line_of_bounded_length() -> None:
    assert label_text("a\nb\x00c", 10) == "a·b·c"
    assert len(label_text("x" * 1000, 26)) == 26


def test_the_parts_of_a_stage_s_memory_sum_to_its_need() -> None:
    problem = larger()
    solved = result(problem, even_plan(problem, 8))
    index_of = {layer.name: k for k, layer in enumerate(problem.instance.model.layers)}
    for planned, cost in zip(solved["plan"]["stages"], solved["metrics"]["stages"], strict=True):
        parts = stage_parts(problem, [index_of[name] for name in planned["layers"]])
        assert sum(parts.values()) == pytest.approx(cost["memory_bytes"], rel=1e-12)
        assert parts["activations"] > 0


def test_the_parts_of_a_pipeline_stage_s_memory_sum_to_its_need() -> None:
    problem, plan = a_pipeline()
    metrics = problem.check(plan).metrics
    assert metrics is not None
    for k, cost in enumerate(metrics["stages"]):
        parts = stage_parts(problem, [k], len(plan.stages) - k)
        assert sum(parts.values()) == cost["memory_bytes"]
        # 2 samples of 7 bytes in each micro-batch, as many of those as stages to the end; 2 x 2 x 40 bytes
        assert (parts["activations"], parts["buffers"]) == (14 * (3 - k), 160)
