"""Adapters that do not fit, of other forms, or made to do harm; and what is said of good ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwq_gguf.checkpoint import ShardReader, open_adapter, open_checkpoint
from qwq_gguf.conversion import Conversion, convert
from qwq_gguf.conversion.adapters.settings import read_settings
from qwq_gguf.errors import (
    ConfigError,
    NotACheckpointError,
    QwqGgufError,
    ShardError,
    SourceError,
    TensorError,
    UnsupportedError,
)
from qwq_gguf.quantization.running.weights import read_rows
from support.adapters import Lora, modules, write_adapter
from support.checkpoints import Array, Shape, safetensors_bytes, write_checkpoint

SHAPE = Shape(hidden=64, layers=1, heads=4, kv_heads=2, feed_forward=96)
Q = "model.layers.0.self_attn.q_proj"
LORA = Lora(modules(SHAPE, ("q_proj",)))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny-base", "qwen3", SHAPE)


def merge(base: Path, *adapters: Path) -> Conversion:
    return convert(open_checkpoint(base), adapters=[open_adapter(each) for each in adapters])


def values(made: Conversion, name: str, first: int = 0, count: int | None = None) -> Array:
    tensor = next(each for each in made.tensors if each.name == name)
    assert tensor.stored.name == "F32"
    with ShardReader() as reader:
        rows = read_rows(reader, tensor, first, tensor.rows if count is None else count)
    return rows.view("<f4")


def write_tensors(folder: Path, tensors: Mapping[str, tuple[str, Array]]) -> Path:
    write_adapter(folder, LORA)
    (folder / "adapter_model.safetensors").write_bytes(safetensors_bytes(tensors))
    return folder


def floats(*shape: int) -> tuple[str, Array]:
    return "F32", np.ones(shape, np.float32)


def test_what_is_said_of_it(base: Path, tmp_path: Path) -> None:
    made = merge(base, write_adapter(tmp_path / "tuned", LORA))
    assert "the adapter tuned is merged in F32: 1 product added" in made.notes
    other = write_adapter(tmp_path / "other", LORA, base_model_name_or_path="x/Another-7B")
    (note,) = set(merge(base, other).notes) - {
        "the adapter other is merged in F32: 1 product added"
    }
    assert note == (
        "other was trained on x/Another-7B, as it says, and is merged into tiny-base, which it fits"
    )


def test_rows_on_request_are_those_of_the_whole(base: Path, tmp_path: Path) -> None:
    """To the bit, with numbers whose sums depend on their order; DoRA and an embedding too."""
    generator = np.random.default_rng(1)
    tensors = {}
    for module, (rows, columns) in modules(SHAPE, ("gate_proj",)).items():
        name = f"base_model.model.{module}"
        tensors[f"{name}.lora_A.weight"] = floats(24, columns)
        tensors[f"{name}.lora_B.weight"] = floats(rows, 24)
        tensors[f"{name}.lora_magnitude_vector"] = floats(rows)
    embedding = "base_model.model.model.embed_tokens.lora_embedding_"
    tensors |= {f"{embedding}A": floats(24, SHAPE.vocab), f"{embedding}B": floats(64, 24)}
    for _, array in tensors.values():
        array[...] = generator.standard_normal(array.shape)
    adapter = write_tensors(tmp_path / "tuned", tensors)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "r": 24}))
    made = merge(base, adapter)
    for name in ("blk.0.ffn_gate.weight", "token_embd.weight"):
        whole = values(made, name)
        for first, count in ((0, 1), (17, 5), (90, 6)):
            assert (values(made, name, first, count) == whole[first : first + count]).all()


def test_wide_matrices_are_read_in_pieces(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = write_adapter(tmp_path / "tuned", LORA)
    whole = values(merge(base, adapter), "blk.0.attn_q.weight")
    monkeypatch.setattr("qwq_gguf.quantization.running.merging.UPDATE_BLOCK", 8 * 10)
    assert (values(merge(base, adapter), "blk.0.attn_q.weight") == whole).all()


def test_adapters_of_single_experts(tmp_path: Path) -> None:
    """Of a stack some rows have something added; all of it is F32 then."""
    shape = Shape(hidden=64, layers=1, heads=4, kv_heads=2, experts=4, expert_feed_forward=32)
    base = write_checkpoint(tmp_path / "experts", "qwen3_moe", shape)
    expert = "model.layers.0.mlp.experts.3.gate_proj"
    adapter = write_adapter(tmp_path / "tuned", Lora({expert: (32, 64)}))
    plain = convert(open_checkpoint(base))
    before = next(each for each in plain.tensors if each.name == "blk.0.ffn_gate_exps.weight")
    with ShardReader() as reader:
        bits = read_rows(reader, before, 0, 128).view("<u2").astype("<u4") << 16
    found = values(merge(base, adapter), "blk.0.ffn_gate_exps.weight")
    assert (found[:96] == bits.view("<f4")[:96]).all()
    tensors = open_adapter(adapter).tensors
    with ShardReader() as reader:
        a, b = (
            np.frombuffer(reader.read(info), "<f4").reshape(info.shape)
            for info in (tensors[f"base_model.model.{expert}.lora_{x}.weight"] for x in "AB")
        )
    assert (found[96:] == bits.view("<f4")[96:] + 2 * (b @ a)).all()


def test_one_for_a_turned_matrix(base: Path, tmp_path: Path) -> None:
    """`fan_in_fan_out` says nothing of a linear layer, as in PEFT, unless the shapes do."""
    key = "model.layers.0.self_attn.k_proj"
    plain = write_adapter(tmp_path / "plain", Lora({key: (32, 64)}), fan_in_fan_out=True)
    turned = write_adapter(tmp_path / "turned", Lora({key: (64, 32)}), fan_in_fan_out=True)
    before = values(
        merge(base, write_adapter(tmp_path / "none", Lora({key: (32, 64)}, seed=9))),
        "blk.0.attn_k.weight",
    )
    assert values(merge(base, plain), "blk.0.attn_k.weight").shape == before.shape
    tensors = open_adapter(turned).tensors
    with ShardReader() as reader:
        a, b = (
            np.frombuffer(reader.read(info), "<f4").reshape(info.shape)
            for info in (tensors[f"base_model.model.{key}.lora_{x}.weight"] for x in "AB")
        )
        info = open_checkpoint(base).tensors[f"{key}.weight"]
        bits = np.frombuffer(reader.read(info), "<u2").astype("<u4") << 16
    expected = bits.view("<f4").reshape(32, 64) + 2 * (b @ a).T
    assert (values(merge(base, turned), "blk.0.attn_k.weight") == expected).all()
    with pytest.raises(TensorError, match="does not fit"):
        merge(base, write_adapter(tmp_path / "other", Lora({key: (64, 32)})))


def test_the_first_pattern_counts() -> None:
    told = {"q_proj": 2, r"^model\.layers\.0\.self_attn\.q_proj": 4, "self_attn.k_proj": 8}
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "alpha_pattern": told}
    settings = read_settings(config, Path("adapter_config.json"))
    names = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.my_q_proj", "mlp.k_proj")
    assert [settings.scale(f"model.layers.0.{name}", 4) for name in names] == [0.5, 2, 4, 4]
    turned = {**config, "alpha_pattern": dict(reversed(told.items())), "use_rslora": True}
    assert read_settings(turned, Path("a")).scale(f"{Q}", 4) == 2


# Keys as PEFT takes them: it asks re.match(rf"(.*\.)?({key})$", module).
EXPRESSIONS = (
    r"layers\.\d\.self_attn\.q_proj",
    r"model\.layers\.(0|2)\..*",
    ".*mlp.*proj",
    "[qk]_proj",
    "^model.*k_proj",
    "q_proj|k_proj",
    r"a)|(model\.layers\.1\.mlp\.up_proj",
    r"self_attn\.\w_proj",
    "(a+)+q_proj",
)
MODULES = tuple(
    f"model.layers.{layer}.{name}"
    for layer in (0, 1, 2, 12)
    for name in ("self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj", "mlp.my_q_proj")
)


def test_keys_that_are_expressions_match_as_in_peft() -> None:
    for keys in (*((key,) for key in EXPRESSIONS), EXPRESSIONS, ("up_proj", *EXPRESSIONS[::-1])):
        told = {key: 2.0 + place for place, key in enumerate(keys)}
        config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "alpha_pattern": told}
        settings = read_settings(config, Path("adapter_config.json"))
        for module in MODULES:
            first = next((key for key in keys if re.match(rf"(.*\.)?({key})$", module)), None)
            assert settings.scale(module, 1) == told.get(first or "", 1.0), (keys, module)


def test_no_key_takes_long() -> None:
    hostile = {"(a|a)*(a|a)*(.*a)*b": 2, "(x+x+)+y": 3}
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "alpha_pattern": hostile}
    settings = read_settings(config, Path("adapter_config.json"))
    assert settings.scale("a" * 3000, 1) == settings.scale("x" * 3000, 1) == 1


@pytest.mark.parametrize(
    ("changes", "error", "found"),
    [
        ({"peft_type": "LOHA"}, UnsupportedError, "LOHA"),
        ({"init_lora_weights": "pissa_niter_4"}, UnsupportedError, "pissa_niter_4"),
        ({"target_parameters": ["mlp.experts"]}, UnsupportedError, "target_parameters"),
        ({"layer_replication": [[0, 1]]}, UnsupportedError, "layer_replication"),
        ({"alora_invocation_tokens": [1]}, UnsupportedError, "alora_invocation_tokens"),
        ({"alpha_pattern": {r"(q)\1_proj": 3}}, UnsupportedError, r"(q)\1_proj"),
        ({"alpha_pattern": {"(?!q)_proj": 3}}, UnsupportedError, "(?!q)_proj"),
        ({"alpha_pattern": {"q_proj)": 3}}, UnsupportedError, "q_proj)"),
        ({"alpha_pattern": {f"[q]_{n}": 3 for n in range(65)}}, UnsupportedError, "65"),
        ({"alpha_pattern": [1]}, ConfigError, "[1]"),
        ({"r": 0}, ConfigError, "0"),
        ({"r": True}, ConfigError, "True"),
        ({"lora_alpha": float("nan")}, ConfigError, "nan"),
        ({"lora_alpha": 10**400}, ConfigError, "1000"),
        ({"use_rslora": "yes"}, ConfigError, "yes"),
        ({"r": 4}, TensorError, "[8, 64] and [64, 8]"),
    ],
    ids=str,
)
def test_configurations_that_are_refused(
    base: Path, tmp_path: Path, changes: dict[str, Any], error: type[SourceError], found: str
) -> None:
    adapter = write_adapter(tmp_path / "tuned", LORA, **changes)
    with pytest.raises(error) as raised:
        merge(base, adapter)
    assert found in str(raised.value.found)


A, B = f"base_model.model.{Q}.lora_A.weight", f"base_model.model.{Q}.lora_B.weight"
HEAD = "base_model.model.lm_head.weight"
GOOD = {A: floats(8, 64), B: floats(64, 8)}


@pytest.mark.parametrize(
    ("tensors", "message", "found"),
    [
        ({A: floats(8, 64)}, "no whole product", "lora_A"),
        ({**GOOD, f"{Q}.lora_A.default.weight": floats(8, 64)}, "two tensors", "default"),
        ({**GOOD, f"base_model.model.{Q}.lora_C.weight": floats(8)}, "does not have", "lora_C"),
        ({**GOOD, f"{Q}.lora_A.weird.weight": floats(8, 64)}, "no part of a LoRA", "weird"),
        ({**GOOD, "model.embed_tokens.trainable_tokens_delta": floats(2, 64)}, "no part", "delta"),
        ({A: floats(8, 60), B: floats(64, 8)}, "does not fit", "[64, 60]"),
        ({A: floats(8, 64), B: floats(64, 9)}, "do not fit each other", "[64, 9]"),
        ({A: floats(8), B: floats(64, 8)}, "do not fit each other", "[8]"),
        ({A: floats(0, 64), B: floats(64, 0)}, "do not fit each other", "[0, 64]"),
        ({A: ("I32", np.ones((8, 64), np.int32)), B: floats(64, 8)}, "data type", "I32"),
        ({HEAD: floats(330, 64)}, "does not fit", "[330, 64]"),
        ({**GOOD, B.replace("weight", "bias"): floats(64)}, "does not have", "q_proj.bias"),
        (
            {A.replace("0", "7"): floats(8, 64), B.replace("0", "7"): floats(64, 8)},
            "does not have",
            "layers.7",
        ),
    ],
    ids=range(13),
)
def test_tensors_that_are_refused(
    base: Path, tmp_path: Path, tensors: dict[str, Any], message: str, found: str
) -> None:
    with pytest.raises((TensorError, UnsupportedError), match=message) as raised:
        merge(base, write_tensors(tmp_path / "tuned", tensors))
    assert found in str(raised.value.found)
    assert raised.value.hint


def test_an_enlarged_vocabulary_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TensorError) as raised:
        merge(base, write_tensors(tmp_path / "tuned", {HEAD: floats(330, 64)}))
    assert "its vocabulary was enlarged" in str(raised.value.hint)


def test_the_head_of_a_tied_model(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "tied", "qwen3", SHAPE, tie_word_embeddings=True)
    with pytest.raises(UnsupportedError, match="in common with its embedding"):
        merge(base, write_tensors(tmp_path / "tuned", {HEAD: floats(320, 64)}))


def test_no_numbers_are_named(base: Path, tmp_path: Path) -> None:
    bad = floats(64, 8)
    bad[1][3, 2] = np.inf
    made = merge(base, write_tensors(tmp_path / "tuned", {**GOOD, B: bad}))
    with pytest.raises(TensorError, match=r"lora_B\.weight holds what is no number") as raised:
        values(made, "blk.0.attn_q.weight")
    assert str(raised.value.path).endswith("adapter_model.safetensors")


def test_folders_that_hold_none(base: Path, tmp_path: Path) -> None:
    def refused(folder: Path | str) -> QwqGgufError:
        with pytest.raises((NotACheckpointError, ShardError, UnsupportedError)) as raised:
            open_adapter(folder)
        return raised.value

    assert "no adapter here" in refused(base).message
    assert refused("org/adapter").hint == (
        "if it is on the Hub: hf download org/adapter --local-dir adapter, then --lora adapter"
    )
    adapter = write_adapter(tmp_path / "tuned", LORA)
    assert refused(adapter / "adapter_config.json").hint == str(adapter)
    weights = adapter / "adapter_model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    assert "has no weights" in refused(adapter).message
    weights.symlink_to(tmp_path / "elsewhere")
    assert "leads out" in refused(adapter).message
    weights.unlink()
    (adapter / "adapter_model.bin").write_bytes(b"\x80\x02")
    assert "pickle" in refused(adapter).message


def test_what_is_left_out_of_the_model_is_said(tmp_path: Path) -> None:
    """A vision tower's share of an adapter."""
    from support.goldens import CASES

    base = CASES["magistral"](tmp_path)
    tower = "model.vision_tower.transformer.layers.0.attention.q_proj"
    width = json.loads((base / "config.json").read_text())["text_config"]["hidden_size"]
    text = "model.language_model.layers.0.mlp.up_proj"
    high = json.loads((base / "config.json").read_text())["text_config"]["intermediate_size"]
    adapter = write_adapter(tmp_path / "tuned", Lora({tower: (8, 8), text: (high, width)}))
    made = merge(base, adapter)
    assert any(note.startswith("1 of them are for what is left out") for note in made.notes)
    assert values(made, "blk.0.ffn_up.weight").shape == (high, width)
