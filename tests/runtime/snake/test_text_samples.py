"""Text as data of the serial relay: topics held out, kinds of about equal text, a run that learns it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from snake_instances import document, plan, training

from edgeplan.models.layer_assignment import LayerAssignment
from edgeplan.runtime.data.divergence import divergences
from edgeplan.runtime.data.samples import read_samples
from edgeplan.runtime.data.topics import NUM_KINDS, PROSE, kinds_of, read_windows, without_repetitions
from edgeplan.runtime.snake import RunSettings, run
from edgeplan.runtime.text import read_topics

COUNTS = st.lists(st.lists(st.integers(0, 40), min_size=4, max_size=4), min_size=1, max_size=5)


def test_a_window_is_text_of_one_topic_and_test_topics_are_not_trained_on() -> None:
    text = [topic.tobytes() for topic in without_repetitions(read_topics())]
    found: list[set[int]] = []
    for windows in read_windows(seed=3):
        some = windows.codes[:: len(windows.codes) // 40]
        homes = [{k for k, topic in enumerate(text) if one.tobytes() in topic} for one in some]
        assert all(homes)
        found.append(set().union(*(home for home in homes if len(home) == 1)))
    assert found[0]
    assert found[1]
    assert not found[0] & found[1]


def test_every_character_is_followed_by_its_target() -> None:
    for samples in read_samples("topics", seed=1):
        assert samples.white is None
        assert np.array_equal(samples.inputs[:, 1:], samples.targets[:, :-1])


def test_another_seed_holds_out_other_topics_and_the_same_seed_the_same() -> None:
    first, again, other = (read_windows(seed)[1].codes for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_kinds_rise_with_the_share_of_letters_and_hold_about_as_much_text_each() -> None:
    topics = [topic for topic in without_repetitions(read_topics()) if len(topic)]
    kinds = kinds_of(topics)
    shares = [np.isin(topic, PROSE).mean() for topic in topics]
    assert [kinds[k] for k in np.argsort(shares, kind="stable")] == sorted(kinds)
    sizes = [sum(len(topics[k]) for k in np.flatnonzero(kinds == kind)) for kind in range(NUM_KINDS)]
    largest = max(map(len, topics))
    assert all(abs(size - sum(sizes) / NUM_KINDS) <= largest for size in sizes)


@given(counts=COUNTS.filter(lambda rows: all(map(sum, rows))))
def test_a_distance_is_between_0_and_1_and_the_order_of_labels_does_not_matter(
    counts: list[list[int]],
) -> None:
    found = divergences(counts)
    assert all(0.0 <= distance <= 1.0 for distance in found)
    turned = divergences([row[::-1] for row in counts])
    assert found == pytest.approx(turned, abs=1e-7)


def test_a_node_with_the_shares_of_all_has_no_distance_and_a_rare_label_has_the_largest() -> None:
    common, alike, rare = divergences([[90, 10], [900, 100], [0, 1]])
    assert common == pytest.approx(alike)
    assert common < 0.01 < rare


def test_a_network_of_characters_learns_by_the_relay(tmp_path: Path) -> None:
    sections = document("snake_networks:tiny_characters", num_nodes=2)
    sections |= {"shared_layers": ["embedding", "head"], "training": training(local_steps=10)}
    given = LayerAssignment.from_document(sections | {"name": "text"})
    settings = RunSettings(data="topics", rounds=2, emulation="none", learning_rate=0.2)
    report = run(given, plan(("blocks.0",), ("blocks.1",)), settings, out=tmp_path)
    assert report["passed"]
    assert report["rounds"][1]["loss"] < report["rounds"][0]["loss"] < math.log(128)
    assert report["totals"]["perplexity"] == pytest.approx(math.exp(report["totals"]["loss"]))
    assert [len(node["label_counts"]) for node in report["nodes"]] == [NUM_KINDS, NUM_KINDS]


def test_hardly_any_held_out_text_is_trained_on() -> None:
    """Short lines that many topics have, such as those of tables, may be left."""
    training, test = read_windows(seed=0)
    trained = b"\0".join(window.tobytes() for window in training.codes)
    middles = [window[12:52].tobytes() for window in test.codes]
    assert sum(middle in trained for middle in middles) < 0.02 * len(middles)


def test_a_paragraph_stays_with_the_first_topic_that_has_it() -> None:
    texts = (b"a\n\nb\n\nc", b"b\n\nd", b"c")
    topics = without_repetitions([np.frombuffer(text, dtype=np.uint8) for text in texts])
    assert [topic.tobytes() for topic in topics] == [b"a\n\nb\n\nc", b"d", b""]
