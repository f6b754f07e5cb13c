"""config.json: what is taken from it, and which absurdities are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.conversion.architectures import ARCHITECTURES, find_architecture
from qwq_gguf.conversion.config import ModelConfig, read_config
from qwq_gguf.conversion.rope import Rope, llama3_factors
from qwq_gguf.errors import ConfigError, SourceError, UnsupportedError
from support.checkpoints import Shape, config_of

PATH = Path("x/config.json")


def read(architecture: Any = "qwen2", shape: Shape | None = None, **changes: Any) -> ModelConfig:
    config = config_of(architecture, shape or Shape(), **changes)
    known = find_architecture(config, PATH)
    return read_config(config, PATH, head_dim=known.head_dim, context=known.context)


def test_sizes() -> None:
    config = read(shape=Shape(hidden=512, layers=3, heads=8, kv_heads=2, vocab=1000))
    assert (config.layers, config.embedding, config.heads, config.kv_heads) == (3, 512, 8, 2)
    assert (config.head_dim, config.vocab, config.context) == (64, 1000, 2048)
    assert not config.head_dim_given


def test_what_transformers_assumes() -> None:
    config = read(
        "llama",
        num_key_value_heads=None,
        max_position_embeddings=None,
        rms_norm_eps=None,
        rope_theta=None,
    )
    assert (config.kv_heads, config.context) == (4, 2048)
    assert (config.rms_epsilon, config.rope.base) == (1e-6, 10_000.0)
    assert read("qwen3", head_dim=None).head_dim == 128


def test_whole_numbers_may_be_written_as_floats() -> None:
    assert read(max_position_embeddings=131072.0).context == 131072


ABSURD: list[dict[str, Any]] = [
    {"hidden_size": 0},
    {"hidden_size": -256},
    {"hidden_size": 2**40},
    {"hidden_size": "256"},
    {"hidden_size": True},
    {"hidden_size": 256.5},
    {"hidden_size": [256]},
    {"hidden_size": None},
    {"hidden_size": 255},  # no multiple of the heads
    {"num_hidden_layers": 0},
    {"num_hidden_layers": 10**6},
    {"num_hidden_layers": 4096, "num_experts": 4096},
    {"num_experts_per_tok": 10**9},
    {"moe_intermediate_size": -1},
    {"num_attention_heads": None},
    {"num_attention_heads": 10**9},
    {"num_key_value_heads": 3},
    {"num_key_value_heads": 8},
    {"num_key_value_heads": 0},
    {"head_dim": 63},
    {"head_dim": -2},
    {"intermediate_size": 0},
    {"vocab_size": 2**31},
    {"vocab_size": None},
    {"max_position_embeddings": 0},
    {"max_position_embeddings": 3},  # fewer than heads
    {"max_position_embeddings": 2**40},
    {"rms_norm_eps": 0},
    {"rms_norm_eps": float("nan")},
    {"rms_norm_eps": 5},
    {"rope_theta": -1.0},
    {"rope_theta": float("inf")},
    {"rope_theta": 10**400},
    {"tie_word_embeddings": "yes"},
    {"rope_scaling": "yarn"},
    {"rope_scaling": {"type": "yarn"}},
    {"rope_scaling": {"type": "yarn", "factor": 0.5}},
    {"rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": -1}},
    {"rope_scaling": {"type": "linear", "factor": float("nan")}},
    {"rope_scaling": {"rope_type": "llama3", "low_freq_factor": 4, "high_freq_factor": 4}},
]


@pytest.mark.parametrize("changes", ABSURD, ids=str)
def test_absurd_values(changes: dict[str, Any]) -> None:
    config = config_of("qwen2", Shape()) | changes
    with pytest.raises(ConfigError) as raised:
        read_config(config, PATH, context=2048)
    assert raised.value.path == str(PATH)
    assert raised.value.message.startswith(next(iter(changes)))


@pytest.mark.parametrize("names", [None, [], "Qwen2ForCausalLM", [5], {}])
def test_no_architecture(names: Any) -> None:
    with pytest.raises(ConfigError, match="does not name one"):
        find_architecture({"architectures": names}, PATH)


def test_an_unsupported_architecture_lists_the_supported_ones() -> None:
    with pytest.raises(UnsupportedError) as raised:
        find_architecture({"architectures": ["MambaForCausalLM"]}, PATH)
    assert raised.value.found == "MambaForCausalLM"
    expected = str(raised.value.expected).split(", ")
    assert expected == list(dict.fromkeys(each.model_class for each in ARCHITECTURES))
    assert {"Qwen2ForCausalLM", "Qwen3ForCausalLM", "LlamaForCausalLM"} < set(expected)


class TestRope:
    def test_yarn(self) -> None:
        scaling = {
            "type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 32768,
            "beta_fast": 32,
        }
        rope = read(rope_scaling=scaling).rope
        assert (rope.kind, rope.factor, rope.original_context) == ("yarn", 4.0, 32768)
        assert (rope.beta_fast, rope.beta_slow, rope.attention) == (32.0, None, None)

    def test_yarn_without_an_original_length(self) -> None:
        rope = read(rope_scaling={"rope_type": "yarn", "factor": 2.0}).rope
        assert rope.original_context == 2048

    def test_the_newer_spelling(self) -> None:
        """transformers 5 keeps everything in rope_parameters."""
        parameters = {"rope_type": "default", "rope_theta": 5e5}
        rope = read(rope_theta=None, rope_parameters=parameters).rope
        assert (rope.kind, rope.base) == ("default", 5e5)

    def test_other_kinds(self) -> None:
        with pytest.raises(UnsupportedError) as raised:
            read(rope_scaling={"type": "dynamic", "factor": 2.0})
        assert raised.value.expected == "default, linear, yarn, llama3"

    # What torch makes of Llama 3.1's, 70B and 8B, and of Llama 3.2's: all frequencies of a head.
    @pytest.mark.parametrize(
        ("head_dim", "factor", "digest"),
        [
            (128, 8.0, "8b516af9cb5db26ed32831eb6f493dd620843d1cd69ca7bbad760c76061cd565"),
            (64, 32.0, "d25a6d176d9313062b8f86440c88649f9e568d573ea66bfa4e85e2424cf35633"),
        ],
    )
    def test_factors_of_real_heads_are_those_of_the_converter(
        self, head_dim: int, factor: float, digest: str
    ) -> None:
        rope = Rope(500_000.0, "llama3", factor, 8192)
        assert hashlib.sha256(llama3_factors(rope, head_dim)).hexdigest() == digest


@pytest.mark.parametrize("value", [{}, [], "x", 1e308, -1, 2**70, True])
@pytest.mark.parametrize("key", sorted(config_of("qwen3", Shape())))
def test_nothing_but_typed_errors(key: str, value: Any) -> None:
    config = config_of("qwen3", Shape()) | {key: value}
    try:
        read_config(config, PATH, context=2048)
    except SourceError:
        pass
