"""What a user can ask to be profiled, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from edgeplan.errors import UsageError
from edgeplan.runtime.profiling import build, profile

USERS_FILE = """
from torch import nn

constant = 3


class Holder:
    @staticmethod
    def make():
        return nn.Linear(4, 2)


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def lookup():
    return nn.Sequential(nn.Embedding(9, 4))


def words():
    return "a network"


def failing():
    raise ValueError("first line\\nlast line")


def parameterless():
    return nn.ReLU()


class NeedsArguments(nn.Module):
    def __init__(self, width):
        super().__init__()
"""


@pytest.fixture
def _users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_networks.py").write_text(USERS_FILE)
    (tmp_path / "users_broken.py").write_text("def (")
    (tmp_path / "users_importing.py").write_text("import no_such_library_anywhere")
    monkeypatch.chdir(tmp_path)


def refusal(place: str, shape: str | None = "4", **options: object) -> str:
    shapes = None if shape is None else [shape]
    with pytest.raises(UsageError) as caught:
        profile(place, input_shapes=shapes, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("_users_file")
class TestUsersFactory:
    def test_a_factory_in_the_current_directory_is_profiled(self):
        section = profile("users_networks:network", input_shapes=["4"])
        assert section["name"] == "users_networks:network"
        assert [layer["parameters"] for layer in section["layers"]] == [40, 18]

    def test_an_attribute_of_an_attribute_is_found(self):
        assert profile("users_networks:Holder.make", input_shapes=["4"])["layers"][0]["name"] == "Linear"

    def test_it_may_read_token_ids(self):
        section = profile("users_networks:lookup", input_shapes=["5"], input_dtypes=["int64"])
        assert section["layers"][0]["output_bytes"] == 5 * 4 * 4

    def test_it_is_built_the_same_for_the_same_seed(self):
        first, again, other = (build("users_networks:network", seed=seed) for seed in (0, 0, 1))
        assert next(first.parameters()).equal(next(again.parameters()))
        assert not next(first.parameters()).equal(next(other.parameters()))

    def test_a_missing_module_is_named(self):
        assert "no module 'nowhere'" in refusal("nowhere:network")

    def test_a_missing_attribute_is_named(self):
        assert "no 'other' in users_networks" in refusal("users_networks:other")

    def test_no_attribute_is_refused(self):
        assert "users_networks:" in refusal("users_networks:")

    def test_what_cannot_be_called_is_refused(self):
        assert "constant is a int; must be callable" in refusal("users_networks:constant")

    def test_what_returns_no_module_is_refused(self):
        assert "returns a str" in refusal("users_networks:words")

    def test_a_failing_factory_is_told_by_its_last_line(self):
        assert refusal("users_networks:failing").endswith("ValueError: last line")

    def test_a_factory_that_needs_arguments_is_refused(self):
        assert "calling it without arguments fails" in refusal("users_networks:NeedsArguments")

    def test_a_file_that_does_not_parse_is_refused(self):
        assert "SyntaxError" in refusal("users_broken:network")

    def test_a_file_that_imports_what_is_missing_is_refused(self):
        assert "no_such_library_anywhere" in refusal("users_importing:network")

    def test_a_module_without_parameters_is_refused(self):
        assert "no parameters" in refusal("users_networks:parameterless")

    def test_a_shape_that_does_not_fit_is_shown_with_the_error(self):
        message = refusal("users_networks:network", "3")
        assert "(batch, 3) float32" in message
        assert "mat1 and mat2 shapes cannot be multiplied" in message

    def test_a_missing_shape_is_asked_for(self):
        assert "--input-shape" in refusal("users_networks:network", None)

    def test_a_sequence_length_is_not_for_it(self):
        assert "sequence length" in refusal("users_networks:network", "4", sequence_length=7)


def test_an_unknown_name_lists_the_known_ones():
    assert "llama-3-8b, or package.module:factory" in refusal("resnet", None)


def test_an_image_network_takes_no_sequence_length():
    assert "reads images" in refusal("vgg11", None, sequence_length=3)


def test_a_shape_and_a_sequence_length_do_not_go_together():
    assert "not both" in refusal("bert-base", "3", sequence_length=3)


def test_a_sequence_length_is_positive():
    assert "at least 1" in refusal("bert-base", None, sequence_length=0)


def test_a_known_image_network_takes_another_shape():
    assert profile("vgg11", input_shapes=["3,32,32"]) == profile("vgg11")


def test_a_module_at_hand_is_named_after_its_class():
    assert profile(nn.Linear(4, 2), input_shapes=["4"])["name"] == "Linear"


@pytest.mark.parametrize("shape", ["3,x", "0,3", "-1"])
def test_a_shape_that_cannot_be_read_is_refused(shape: str):
    assert "positive integers" in refusal("vgg11", shape)


def test_an_unknown_type_lists_the_known_ones():
    assert "float32, float64" in refusal("vgg11", dtype="int64")
    assert "int64" in refusal("vgg11", input_dtypes=["complex64"])


def test_types_without_their_shapes_are_refused():
    assert "give one for each" in refusal("vgg11", input_dtypes=["float32", "float32"])


def test_a_module_that_cannot_be_copied_is_refused():
    class Uncopyable(nn.Linear):
        def __deepcopy__(self, memory: dict[int, object]) -> nn.Module:
            raise TypeError("cannot pickle a lock")

    with pytest.raises(UsageError, match="cannot be copied"):
        profile(Uncopyable(4, 2), input_shapes=["4"])
