"""What cannot be run is refused in one line, with its place, before any process starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from schedules_that_run import (
    BLOCKS,
    PLAIN,
    cluster,
    device,
    entry,
    model,
    plan,
    problem,
    two_clusters,
    uneven,
)

pytest.importorskip("torch")

from torch import nn

from edgeplan.errors import UsageError
from edgeplan.models.segment_scheduling import SegmentPlan, SegmentScheduling
from edgeplan.runtime.networks import char_transformer
from edgeplan.runtime.pipeline import RunSettings, prepare
from edgeplan.runtime.pipeline.stages.chain import Chain
from edgeplan.runtime.processes.rehearsal import faults_of

IMAGES = ("features.2", "features.5", "features.7")


def refusal(
    folder: Path,
    given: SegmentScheduling | None = None,
    planned: SegmentPlan | None = None,
    settings: RunSettings = PLAIN,
) -> str:
    out = folder / "out"
    with pytest.raises(UsageError) as caught:
        prepare(given or two_clusters(), planned or uneven(), settings, out=out)
    assert not out.exists()
    (line,) = caught.value.lines()
    return line


@pytest.mark.parametrize("member", ["weight_bytes", "gradient_bytes"])
def test_parameters_and_gradients_that_are_not_float32_are_refused(tmp_path: Path, member: str) -> None:
    assert refusal(tmp_path, two_clusters(**{member: 2})).startswith(f"/training/{member}: 2: must be 4")


def test_an_optimizer_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    line = refusal(tmp_path, two_clusters(optimizer_bytes=6))
    assert line.startswith("/training/optimizer_bytes: 6: must be one of 0 (SGD), 4 (SGD with momentum)")


def test_a_plan_with_violations_is_refused_with_the_place_of_the_first(tmp_path: Path) -> None:
    given = problem(cluster("c0", device("d0", memory_bytes=1000)))
    planned = plan(*[[entry("c0", 2, ("d0", BLOCKS))]] * 2)
    line = refusal(tmp_path, given, planned)
    assert line.startswith("/clusters/0/devices/0/memory_bytes: device d0 needs")
    assert line.endswith("(and 1 more); run a plan without violations")


def test_more_slots_than_the_plan_has_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, settings=replace(PLAIN, rounds=3)).startswith("rounds 3: must be at most 2")


@pytest.mark.parametrize(
    ("name", "value"),
    [("rounds", 0), ("threads", 0), ("seed", -1), ("slower", 0.5), ("learning_rate", 0.0), ("timeout_s", 0)],
)
def test_a_setting_out_of_range_is_refused(tmp_path: Path, name: str, value: float) -> None:
    settings = replace(PLAIN, **{name: value})
    assert refusal(tmp_path, settings=settings).startswith(f"{name} {value}: must be ")


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    given = two_clusters().replace(model=model() | {"name": "no-such-network"})
    assert refusal(tmp_path, given).startswith("/model/name: unknown network 'no-such-network': must be one")


def test_a_network_with_other_layers_is_refused(tmp_path: Path) -> None:
    line = refusal(tmp_path, settings=replace(PLAIN, network="small-vgg"))
    assert line.startswith("/model/layers/0/name: blocks.0: the network has features.0 here")


def test_a_network_that_learns_no_text_is_refused(tmp_path: Path) -> None:
    layers = [layer | {"name": name} for layer, name in zip(model()["layers"], IMAGES, strict=False)]
    given = problem(cluster("c0", device("d0"))).replace(model={"name": "small-vgg", "layers": layers})
    line = refusal(tmp_path, given, plan(*[[entry("c0", 2, ("d0", IMAGES))]] * 2))
    assert line.startswith("/model/name: the network does not learn the text, 64 codes of characters")


@pytest.mark.parametrize(("member", "value", "there"), [("parameters", 7, 49984), ("output_bytes", 8, 16384)])
def test_blocks_of_another_size_are_refused_with_both_numbers(
    tmp_path: Path, member: str, value: int, there: int
) -> None:
    layers = [dict(layer) for layer in model()["layers"]]
    layers[1][member] = value
    line = refusal(tmp_path, two_clusters().replace(model=model() | {"layers": layers}))
    assert line.startswith(
        f"/model/layers/1/{member}: {value}: block blocks.1 of the network has {there}; profile"
    )


def test_a_plan_that_skips_a_cluster_is_refused(tmp_path: Path) -> None:
    skipped = [{"id": name, "skipped": True} for name in ("c0", "c1")]
    planned = plan(skipped, skipped)
    given = problem(cluster("c0", device("d0", memory_bytes=1)), cluster("c1", device("d2", memory_bytes=1)))
    assert "skipped" in refusal(tmp_path, given, planned)


@pytest.mark.parametrize(
    ("network", "names", "refused"),
    [
        (nn.Linear(1, 1), BLOCKS, "/model/name: Linear: must be an nn.Sequential"),
        (
            char_transformer(),
            ("blocks.0", "blocks.2"),
            "/model/layers/1/name: blocks.2: the network has blocks.1",
        ),
        (char_transformer(), ("embedding", *BLOCKS), "/model/layers: embedding to blocks.3: must leave"),
        (char_transformer(), (*BLOCKS, "head"), "/model/layers: blocks.0 to head: must leave"),
        (
            char_transformer(),
            (*BLOCKS, "head", "tail"),
            "/model/layers/5/name: tail: the network has nothing",
        ),
    ],
)
def test_layers_that_are_not_the_blocks_between_embedding_and_decoder_are_refused(
    network: nn.Module, names: tuple[str, ...], refused: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Chain.of(network, names)
    assert caught.value.message.startswith(refused)


def test_fewer_blocks_leave_the_others_to_embedding_and_decoder() -> None:
    chain = Chain.of(char_transformer(), BLOCKS[1:3])
    assert (len(chain.embedding), len(chain.blocks), len(chain.decoder)) == (2, 2, 2)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("d9:1:compute:kill", "'d9' takes no part in the run; name one of c0, d0, d1, server of c0, c1"),
        (
            "d0:1:aggregate:kill",
            "d0 has no phase aggregate; use start-up, receive, compute, send",
        ),
        ("server of c1:1:send:hang", "server of c1 has no phase send"),
        ("d0:1:send:unlink", "unlink needs --emulation kernel"),
    ],
)
def test_a_fault_that_cannot_strike_is_refused(tmp_path: Path, fault: str, said: str) -> None:
    assert said in refusal(tmp_path, settings=replace(PLAIN, faults=faults_of([fault])))
