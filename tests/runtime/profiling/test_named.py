"""The networks known by name: exact sizes, and figures of the large ones against arithmetic by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from edgeplan.models.model import Model
from edgeplan.runtime.profiling import NAMED_NETWORKS, named, profile

PARAMETERS = {
    "vgg11": 9_225_610,
    "small-vgg": 95_242,
    "digits-vgg": 178_346,
    "char-transformer": 220_672,
    "wide-char-transformer": 1_230_976,
    # torchvision's mobilenet_v2 with 1000 classes
    "mobilenetv2": 3_504_872,
    # bert-base-uncased with its masked-language-model head, decoder tied
    "bert-base": 109_514_298,
    # facebook/opt-1.3b, lm_head tied
    "opt-1.3b": 1_315_758_080,
    # meta-llama/Meta-Llama-3-8B
    "llama-3-8b": 8_030_261_248,
}


@cache
def section(name: str) -> dict[str, Any]:
    if name not in ("vgg11", "small-vgg", "digits-vgg", "char-transformer", "wide-char-transformer"):
        pytest.importorskip("transformers")
    return profile(name)


def total(name: str, figure: str) -> int:
    return sum(layer[figure] for layer in section(name)["layers"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters_are_exact(name: str):
    assert total(name, "parameters") == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_section_is_a_valid_chain(name: str):
    model = Model.model_validate(section(name))
    names = ["input", *(layer.name for layer in model.layers)]
    assert [layer.inputs for layer in model.layers] == [(before,) for before in names[:-1]]
    assert all(layer.saved_bytes >= layer.saved_frozen_bytes for layer in model.layers)
    assert all(layer.output_bytes > 0 for layer in model.layers)


def test_every_known_network_is_tested():
    assert set(PARAMETERS) == set(NAMED_NETWORKS)


def test_mobilenet_takes_three_hundred_million_multiply_adds():
    # arXiv 1801.04381, table 4: 300 M multiply-adds at 224 x 224
    assert total("mobilenetv2", "forward_flops") / 2 == pytest.approx(300e6, rel=0.01)


def test_every_convolution_of_mobilenet_takes_as_much_for_each_gradient_as_forward():
    forward = total("mobilenetv2", "forward_flops")
    assert total("mobilenetv2", "input_gradient_flops") == forward
    assert total("mobilenetv2", "weight_gradient_flops") == forward


def test_mobilenet_saves_what_was_measured():
    # shared/runtime.md: 14.6 MB (2^20) for a 96 x 96 sample; areas are as 224^2 to 96^2
    assert total("mobilenetv2", "saved_bytes") == pytest.approx(14.6 * 2**20 * (224 / 96) ** 2, rel=0.06)


def test_a_block_of_opt_counts_as_by_hand():
    block = section("opt-1.3b")["layers"][2]
    # 512 tokens x (4 x 2048^2 + 2 x 2048 x 8192) x 2, attention 2 x 512 x 512 x 2048 x 2
    weights = 512 * (4 * 2048**2 + 2 * 2048 * 8192) * 2
    assert block["forward_flops"] == weights + 2 * 512 * 512 * 2048 * 2
    assert block["weight_gradient_flops"] == weights
    assert block["output_bytes"] == 512 * 2048 * 4


def test_a_block_of_llama_has_grouped_keys_and_values():
    block = section("llama-3-8b")["layers"][1]
    # query and output 4096^2, key and value 4096 x 1024, three of 4096 x 14336, two norms
    assert block["parameters"] == 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
    assert block["weight_gradient_flops"] == 512 * (block["parameters"] - 2 * 4096) * 2


def test_the_tied_embedding_of_opt_counts_once_at_the_first_layer():
    layers = section("opt-1.3b")["layers"]
    assert layers[0]["parameters"] == 50272 * 2048
    assert layers[-1]["parameters"] == 0
    assert layers[-1]["weight_gradient_flops"] == 512 * 50272 * 2048 * 2


def test_the_sequence_length_scales_the_output():
    pytest.importorskip("transformers")
    layers = profile("bert-base", sequence_length=16)["layers"]
    assert layers[0]["output_bytes"] == 16 * 768 * 4


def test_a_small_llama_shows_the_same_on_fake_and_on_real_tensors():
    transformers = pytest.importorskip("transformers")
    configuration = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        use_cache=False,
    )
    with torch.device("meta"):
        unallocated = transformers.LlamaForCausalLM(configuration)
    allocated = transformers.LlamaForCausalLM(configuration)
    fake, real = (
        profile(module, input_shapes=["16"], input_dtypes=["int64"]) for module in (unallocated, allocated)
    )
    assert fake == real


def test_a_name_may_be_written_in_other_ways():
    assert [named.find(name)[0] for name in ("VGG-11", "Llama_3_8B")] == ["vgg11", "llama-3-8b"]  # type: ignore[index]
    assert named.find("vgg") is None
