"""The networks that are known by name, and how each is made.

Those of ``transformers`` are made from configurations written out here, so nothing is downloaded:

=====================  ==========================  =====================  ===============
name                   class                       parameters             input
=====================  ==========================  =====================  ===============
vgg11                  networks.vgg11              9,225,610              3x32x32 image
small-vgg              networks.small_vgg          95,242                 1x8x8 image
digits-vgg             networks.digits_vgg         178,346                1x8x8 image
char-transformer       networks.char_transformer   220,672                64 characters
wide-char-transformer  networks.wide_char_tran...  1,230,976              64 characters
mobilenetv2            MobileNetV2ForImage...      3,504,872              3x224x224 image
bert-base              BertForMaskedLM             109,514,298            128 tokens
opt-1.3b               OPTForCausalLM              1,315,758,080          512 tokens
llama-3-8b             LlamaForCausalLM            8,030,261,248          512 tokens
=====================  ==========================  =====================  ===============

MobileNetV2 has the 1000 classes of ImageNet. Dropout stays as the configurations say (0.1 in BERT and OPT,
0.8 before MobileNetV2's classifier, none in Llama), the key-value cache is off, and attention is PyTorch's
``scaled_dot_product_attention``: its flash kernel for OPT and Llama, plain products for BERT, whose dropout
inside the attention the kernel for CPUs does not do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from edgeplan.extras import require
from edgeplan.runtime.networks import (
    CHARACTERS,
    char_transformer,
    digits_vgg,
    small_vgg,
    vgg11,
    wide_char_transformer,
)
from edgeplan.runtime.profiling.inputs import InputOptions

UNMASKED = "edgeplan_unmasked_sdpa"


@dataclass(frozen=True)
class NamedNetwork:
    """How a known network is made and what one sample of it is."""

    factory: Callable[[], nn.Module]
    """Makes the network on the current default device."""
    shape: tuple[int, ...] | None = None
    """Of one image; None for a network that reads tokens."""
    sequence_length: int | None = None
    """Default number of tokens in a sample."""
    measure_batch_size: int = 8
    """Batch size that a measurement takes unless told otherwise."""

    def inputs(self, sequence_length: int | None = None) -> InputOptions:
        """One sample: an image, or `sequence_length` token ids."""
        if self.shape is not None:
            return InputOptions([self.shape])
        return InputOptions([(sequence_length or self.sequence_length or 1,)], ["int64"])


def find(name: str) -> tuple[str, NamedNetwork] | None:
    """Look a network up; case, dots, dashes and underscores do not matter.

    Examples
    --------
    >>> find("MobileNet-V2")[0]
    'mobilenetv2'
    """
    matches = (key for key in NAMED_NETWORKS if _plain(key) == _plain(name))
    key = next(matches, None)
    return None if key is None else (key, NAMED_NETWORKS[key])


def without_mask(module: nn.Module) -> None:
    """Let a ``transformers`` model attend without a mask tensor, as it does for a batch without padding.

    With real tensors the library looks at the positions, finds nothing to mask and uses the kernel's causal
    switch. On fake tensors it cannot look, and would build and save a mask for every layer.
    """
    if getattr(getattr(module, "config", None), "_attn_implementation", None) != "sdpa":
        return
    transformers = require("transformers", purpose="edgeplan profile")
    sdpa = transformers.AttentionInterface()["sdpa"]
    transformers.AttentionInterface.register(UNMASKED, sdpa)
    setter: Any = module.set_attn_implementation
    setter(UNMASKED)


def _plain(name: str) -> str:
    return name.lower().translate({ord(sign): None for sign in "-_. "})


def _from_configuration(architecture: str, configuration: str, **settings: Any) -> Callable[[], nn.Module]:
    def factory() -> nn.Module:
        transformers = require("transformers", purpose=f"the network {architecture}")
        made = getattr(transformers, configuration)(**settings)
        network: nn.Module = getattr(transformers, architecture)(made)
        return network

    return factory


MOBILENET_V2 = _from_configuration("MobileNetV2ForImageClassification", "MobileNetV2Config", num_labels=1000)
BERT_BASE = _from_configuration("BertForMaskedLM", "BertConfig", attn_implementation="sdpa")
OPT_1_3B = _from_configuration(
    "OPTForCausalLM",
    "OPTConfig",
    vocab_size=50272,
    hidden_size=2048,
    word_embed_proj_dim=2048,
    ffn_dim=8192,
    num_hidden_layers=24,
    num_attention_heads=32,
    max_position_embeddings=2048,
    use_cache=False,
    attn_implementation="sdpa",
)
LLAMA_3_8B = _from_configuration(
    "LlamaForCausalLM",
    "LlamaConfig",
    vocab_size=128256,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=8192,
    rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    bos_token_id=128000,
    eos_token_id=128001,
    tie_word_embeddings=False,
    use_cache=False,
    attn_implementation="sdpa",
)

NAMED_NETWORKS = {
    "vgg11": NamedNetwork(vgg11, shape=(3, 32, 32)),
    "small-vgg": NamedNetwork(small_vgg, shape=(1, 8, 8)),
    "digits-vgg": NamedNetwork(digits_vgg, shape=(1, 8, 8)),
    "char-transformer": NamedNetwork(char_transformer, sequence_length=CHARACTERS),
    "wide-char-transformer": NamedNetwork(wide_char_transformer, sequence_length=CHARACTERS),
    "mobilenetv2": NamedNetwork(MOBILENET_V2, shape=(3, 224, 224)),
    "bert-base": NamedNetwork(BERT_BASE, sequence_length=128),
    "opt-1.3b": NamedNetwork(OPT_1_3B, sequence_length=512, measure_batch_size=1),
    "llama-3-8b": NamedNetwork(LLAMA_3_8B, sequence_length=512, measure_batch_size=1),
}
