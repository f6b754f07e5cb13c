"""What is said of the families that are no plain decoders, and what in them is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.errors import (
    ConfigError,
    QwqGgufError,
    TensorError,
    TokenizerError,
    UnsupportedError,
)
from support.checkpoints import Shape, write_checkpoint
from support.family_checkpoints import Family, deepseek_v3, gpt_oss, in_mxfp4, qwen35, write_family
from support.gemma_family import gemma4, piece_tokenizer
from support.nemotron_family import nemotron_h
from support.plain_families import exaone4, glm4_moe, mistral3, olmo, phi3, seed_oss, smollm3


def converted(folder: Path, family: Family, **options: Any) -> Conversion:
    return convert(open_checkpoint(write_family(folder / "model", family, **options)))


def keys(made: Conversion) -> dict[str, object]:
    return {entry.key: entry.value for entry in made.metadata}


def test_a_vision_tower_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    made = converted(tmp_path, qwen35(vision=True, following=1))
    assert "the vision tower is left out (2 tensors)" in made.notes
    assert any("model.language_model." in note for note in made.notes)
    assert keys(made)["qwen35.nextn_predict_layers"] == 1
    assert made.facts.layers == 5


def test_a_fine_tune_without_the_layer_for_a_further_token(tmp_path: Path) -> None:
    """config.json still speaks of it, the weights do not."""
    made = converted(tmp_path, qwen35(mtp_num_hidden_layers=1))
    assert keys(made)["qwen35.block_count"] == made.facts.layers == 4
    assert "qwen35.nextn_predict_layers" not in keys(made)
    assert not any("nextn" in tensor.name for tensor in made.tensors)


def test_deepseeks_layer_for_a_further_token_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    made = converted(tmp_path, deepseek_v3(following=1))
    found = [note for note in made.notes if "further token" in note]
    assert len(found) == 1
    assert found[0].startswith("the layer that predicts a further token (MTP) is left out")
    assert made.facts.layers == 3
    assert (made.facts.kv_heads, made.facts.experts) == (1, 12)


def test_the_attention_without_a_latent_query(tmp_path: Path) -> None:
    made = converted(tmp_path, deepseek_v3(q_rank=None))
    shapes = {tensor.name: tensor.shape for tensor in made.tensors}
    assert shapes["blk.0.attn_q.weight"] == (256, 4 * 48)
    assert "deepseek2.attention.q_lora_rank" not in keys(made)
    assert shapes["blk.0.attn_k_b.weight"] == (32, 64, 4)
    assert shapes["blk.0.attn_v_b.weight"] == (64, 32, 4)


def test_a_vision_tower_with_layers_of_its_own_is_left_out(tmp_path: Path) -> None:
    made = converted(tmp_path, mistral3())
    assert "the vision tower is left out (3 tensors)" in made.notes
    assert any("'language_model.model.'" in note for note in made.notes)


def test_a_fine_tune_of_glm_without_the_layer_for_a_further_token(tmp_path: Path) -> None:
    family = glm4_moe(following=1)
    own = {name: size for name, size in family.shapes.items() if ".layers.3." not in name}
    made = converted(tmp_path, Family(family.config, own))
    assert keys(made)["glm4moe.block_count"] == made.facts.layers == 3
    assert keys(made)["glm4moe.nextn_predict_layers"] == 0


def test_nemotron_as_transformers_5_saves_it(tmp_path: Path) -> None:
    """A list for the letters, no number of layers, experts that no layer has, other names."""
    config: dict[str, Any] = {
        "hybrid_override_pattern": None,
        "layers_block_type": ["linear_attention", "mlp", "full_attention"],
        "num_hidden_layers": None,
        "num_experts_per_tok": 2,
        "n_routed_experts": 8,
        "moe_intermediate_size": 7688,
    }
    made = converted(tmp_path, nemotron_h(pattern="M-*", body="model.", **config))
    assert made.architecture == "nemotron_h"
    assert keys(made)["nemotron_h.feed_forward_length"] == (0, 320, 0)
    assert keys(made)["nemotron_h.attention.head_count_kv"] == (0, 0, 2)
    assert (made.facts.layers, made.facts.kv_heads, made.facts.experts) == (3, 0, 0)


def test_a_nemotron_that_lacks_a_tensor(tmp_path: Path) -> None:
    """Its names are its own: nothing wraps the model."""
    family = nemotron_h()
    del family.shapes["backbone.layers.1.mixer.up_proj.weight"]
    with pytest.raises(TensorError, match="that the model needs are missing") as raised:
        converted(tmp_path, family)
    assert "backbone.layers.1.mixer.up_proj.weight" in str(raised.value)


def test_a_nemotron_without_the_block_for_a_further_token(tmp_path: Path) -> None:
    """config.json may speak of one that is not there, and of more than llama.cpp knows."""
    family = nemotron_h(pattern="ME*", experts=5, num_nextn_predict_layers=1)
    made = converted(tmp_path / "without", family)
    assert keys(made)["nemotron_h_moe.block_count"] == made.facts.layers == 3
    assert "nemotron_h_moe.nextn_predict_layers" not in keys(made)
    two = nemotron_h(pattern="ME*", experts=5, following=1, num_nextn_predict_layers=2)
    made = converted(tmp_path / "two", two)
    assert any(note.startswith("what predicts further tokens (MTP)") for note in made.notes)
    assert not any("nextn" in tensor.name for tensor in made.tensors)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hybrid_override_pattern": "M-x*-"}, "does not say what 5 layers are"),
        ({"hybrid_override_pattern": "M-"}, "does not say what 5 layers are"),
        ({"hybrid_override_pattern": "*-*-*"}, "does not say what 5 layers are"),
        ({"hybrid_override_pattern": "M-E*-"}, "has plain MLPs beside experts"),
        ({"hybrid_override_pattern": 7}, "does not say what 5 layers are"),
        ({"hybrid_override_pattern": None, "layers_block_type": ["mamba", 1]}, "does not say"),
        ({"mamba_head_dim": 4096, "mamba_num_heads": 1024}, "absurdly many"),
        ({"n_groups": 3}, "does not divide 256"),
    ],
)
def test_what_is_absurd_about_nemotrons_layers(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        converted(tmp_path, nemotron_h(**changes))


def test_smollm3_is_tied_where_config_json_is_silent(tmp_path: Path) -> None:
    family = smollm3()
    silent = {key: value for key, value in family.config.items() if "tie" not in key}
    assert converted(tmp_path, Family(silent, family.shapes)).facts.tied


def test_exaone_tells_layers_with_windows_by_letters(tmp_path: Path) -> None:
    made = converted(tmp_path, exaone4(layer_types=None, sliding_window_pattern="LG"))
    found = {entry.key: entry for entry in made.metadata}
    assert [*found["exaone4.attention.sliding_window_pattern"].items] == [True, False] * 2


UNLIKE = {
    "positions in other layers": smollm3(no_rope_layers=[1, 0, 1, 0]),
    "windows": smollm3(use_sliding_window=True),
    "biases": seed_oss(mlp_bias=True),
    "experts": mistral3(model_type="mistral4"),
    "yarn": phi3(rope_scaling={"type": "yarn", "factor": 2.0}),
    "olmo's biases": olmo(attention_bias=True),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_llama_cpp_would_compute_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError):
        converted(tmp_path, UNLIKE[name])


def test_what_stays_mxfp4_is_said(tmp_path: Path) -> None:
    family = gpt_oss()
    made = converted(tmp_path, family, tensors=in_mxfp4(family.shapes))
    assert any("4 tensors are MXFP4 already" in note for note in made.notes)


def test_layers_without_experts_are_refused_where_llama_cpp_has_none(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "model", "qwen3_moe", Shape(head_dim=64, experts=4), mlp_only_layers=[0]
    )
    with pytest.raises(UnsupportedError, match="layers without experts"):
        convert(open_checkpoint(folder))


def test_gemmas_newer_files_say_it_layer_by_layer(tmp_path: Path) -> None:
    family = gemma4(full_kv_heads=1)
    old = ("global_head_dim", "num_global_key_value_heads")
    config: dict[str, Any] = {k: v for k, v in family.config.items() if k not in old}
    config["per_layer_config"] = {
        str(i): {"head_dim": 64, "num_key_value_heads": 1} for i in (1, 3)
    }
    tokenizer = piece_tokenizer()
    one = converted(tmp_path / "old", family, tokenizer=tokenizer)
    two = converted(tmp_path / "new", Family(config, family.shapes), tokenizer=tokenizer)
    assert one.metadata == two.metadata


@pytest.mark.parametrize("vocab", [319, 321])
def test_gemma_needs_a_token_for_each_row(tmp_path: Path, vocab: int) -> None:
    with pytest.raises(ConfigError, match="vocab"):
        converted(tmp_path, gemma4(vocab=vocab), tokenizer=piece_tokenizer())


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "Lowercase"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"model": None},
    ],
    ids=str,
)
def test_vocabularies_that_gemma_has_not(tmp_path: Path, changes: dict[str, Any]) -> None:
    tokenizer, config = piece_tokenizer()
    with pytest.raises(TokenizerError):
        converted(tmp_path, gemma4(), tokenizer=(tokenizer | changes, config))
    with pytest.raises(TokenizerError):
        converted(tmp_path / "bytes", gemma4())


LISTS = {"type": "longrope", "long_factor": [1.0] * 32, "short_factor": [1.0] * 32}
ABSURD: list[tuple[str, dict[str, Any]]] = [
    ("deepseek", {"kv_lora_rank": None}),
    ("deepseek", {"kv_lora_rank": 10**9}),
    ("deepseek", {"qk_rope_head_dim": -2}),
    ("deepseek", {"v_head_dim": "32"}),
    ("deepseek", {"first_k_dense_replace": 4096, "n_routed_experts": 4096}),
    ("deepseek", {"n_shared_experts": 10**6}),
    ("deepseek", {"scoring_func": "dice"}),
    ("deepseek", {"routed_scaling_factor": float("nan")}),
    ("deepseek", {"num_attention_heads": 16384, "num_key_value_heads": 16384}),
    ("gpt-oss", {"intermediate_size": 2**22}),
    ("gpt-oss", {"sliding_window": -1}),
    ("gpt-oss", {"num_local_experts": 4096}),
    ("qwen35", {"linear_num_value_heads": 3}),
    ("qwen35", {"linear_num_value_heads": 4096, "linear_value_head_dim": 4096}),
    ("qwen35", {"layer_types": ["linear_attention"]}),
    ("qwen35", {"layer_types": ["sliding_attention"] * 4}),
    ("qwen35", {"linear_conv_kernel_dim": 0}),
    ("qwen35", {"rope_parameters": {"rope_theta": 1e7, "mrope_section": [2**20]}}),
    ("qwen35", {"rope_parameters": {"rope_theta": 1e7, "partial_rotary_factor": 7}}),
    ("qwen35", {"num_hidden_layers": 4096}),
    ("glm4moe", {"num_nextn_predict_layers": 65}),
    ("glm4moe", {"partial_rotary_factor": 2.0}),
    ("glm4moe", {"routed_scaling_factor": -1}),
    ("mistral3", {"text_config": {"rope_parameters": {"rope_type": "yarn"}}}),
    ("olmo", {"layer_types": ["sliding_attention"]}),
    ("exaone4", {"layer_types": [None] * 4}),
    ("exaone4", {"sliding_window": 0}),
    ("exaone4", {"layer_types": None, "sliding_window_pattern": "GGL"}),
    ("phi3", {"rope_scaling": LISTS | {"long_factor": [1.0] * 31}}),
    ("phi3", {"rope_scaling": LISTS | {"short_factor": [float("nan")] * 32}}),
    ("phi3", {"rope_scaling": LISTS | {"short_factor": [True] * 32}}),
    ("phi3", {"original_max_position_embeddings": 1}),
    ("gemma4", {"global_head_dim": 10**6}),
    ("gemma4", {"num_kv_shared_layers": 4}),
    ("gemma4", {"global_head_dim": None, "per_layer_config": []}),
    ("gemma4", {"rope_parameters": {"rope_theta": 1e6}}),
    ("gemma4", {"use_bidirectional_attention": "all"}),
    ("gemma4", {"hidden_size_per_layer_input": -1}),
]
FAMILIES = {
    "deepseek": deepseek_v3,
    "gpt-oss": lambda **c: gpt_oss(packed=False, **c),
    "qwen35": qwen35,
    "glm4moe": glm4_moe,
    "mistral3": mistral3,
    "olmo": olmo,
    "exaone4": exaone4,
    "phi3": phi3,
    "gemma4": gemma4,
}


@pytest.mark.parametrize(("name", "changes"), ABSURD, ids=str)
def test_absurd_values(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    """Refused in no time, whatever the numbers would come to."""
    plain = FAMILIES[name]()
    changed = {
        key: value for key, value in {**plain.config, **changes}.items() if value is not None
    }
    tokenizer = piece_tokenizer() if name == "gemma4" else None
    with pytest.raises(QwqGgufError):
        converted(tmp_path, Family(changed, plain.shapes), tokenizer=tokenizer)
