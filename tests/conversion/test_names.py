"""Names as wrappers leave them: read, said, and the bytes are those of the ordinary form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import Checkpoint, ShardReader, open_checkpoint
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion import ComputedTensor, Conversion, convert
from qwq_gguf.conversion.names import ordinary_names
from qwq_gguf.errors import SourceError, TensorError, UnsupportedError
from support.checkpoints import (
    Shape,
    config_of,
    random_tensors,
    safetensors_bytes,
    tensor_shapes,
    write_checkpoint,
    write_json,
)

SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, feed_forward=64)
Rename = Callable[[str], str]


def checkpoint(
    folder: Path,
    rename: Rename = str,
    *,
    tied: bool = False,
    left_out: str = "",
    metadata: dict[str, str] | None = None,
    more: tuple[str, ...] = (),
) -> Checkpoint:
    """Random weights, each under another name; of a tied model the head is the embedding."""
    config = config_of("llama", SHAPE)  # the order of its tensors matters most
    tensors = random_tensors(tensor_shapes("llama", SHAPE, config), "BF16")
    if tied:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    tensors.pop(left_out, None)
    write_checkpoint(folder, "llama", SHAPE, tie_word_embeddings=tied)
    named = {rename(name): ("BF16", values) for name, values in tensors.items()}
    for name in more:
        named[name] = next(iter(named.values()))
    (folder / "model.safetensors").write_bytes(safetensors_bytes(named, metadata=metadata))
    return open_checkpoint(folder)


def contents(conversion: Conversion) -> list[tuple[str, bytes]]:
    """Every tensor's name and bytes, in the converter's order."""
    with ShardReader() as reader:
        return [
            (
                tensor.name,
                b"".join(
                    reader.read(source) if isinstance(source, TensorInfo) else source.data
                    for source in tensor.sources
                    if isinstance(source, TensorInfo | ComputedTensor)
                ),
            )
            for tensor in conversion.converter_order
        ]


PREFIXES: dict[str, tuple[Rename, str]] = {
    "model is missing": (lambda name: name.removeprefix("model."), "lack the usual 'model.'"),
    "PEFT": (lambda name: f"base_model.model.{name}", "begin with 'base_model.model.model.'"),
    "torch.compile": (lambda name: f"_orig_mod.{name}", "_orig_mod in the tensors' names"),
    "DataParallel": (lambda name: f"module.{name}", "begin with 'module.model.'"),
    "both": (lambda name: f"module._orig_mod.{name}", "begin with 'module.model.'"),
    "vision": (
        lambda name: name.replace("model.", "model.language_model.", 1),
        "begin with 'model.language_model.'",
    ),
    "older vision": (lambda name: f"language_model.{name}", "begin with 'language_model.model.'"),
    "value head": (lambda name: f"pretrained_model.{name}", "'pretrained_model.model.'"),
    "each layer compiled": (
        lambda name: name.replace(".self_attn", "._orig_mod.self_attn"),
        "_orig_mod in the tensors' names",
    ),
    "FSDP": (
        lambda name: name.replace(".mlp.", "._fsdp_wrapped_module.mlp."),
        "_fsdp_wrapped_module",
    ),
}


@pytest.mark.parametrize("kind", PREFIXES)
def test_known_prefixes_are_read_and_said(tmp_path: Path, kind: str) -> None:
    rename, said = PREFIXES[kind]
    ordinary = convert(checkpoint(tmp_path / "a"), name="m")
    wrapped = convert(checkpoint(tmp_path / "b", rename), name="m")
    assert ordinary.notes == ()
    assert said in " ".join(wrapped.notes)
    assert contents(wrapped) == contents(ordinary)
    assert wrapped.metadata == ordinary.metadata


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_tied_head_has_the_same_prefix(tmp_path: Path, kind: str) -> None:
    rename, _ = PREFIXES[kind]
    ordinary = convert(checkpoint(tmp_path / "a", tied=True, left_out="lm_head.weight"), name="m")
    head, embedding = rename("lm_head.weight"), rename("model.embed_tokens.weight")
    wrapped = convert(
        checkpoint(
            tmp_path / "b",
            rename,
            tied=True,
            left_out="model.embed_tokens.weight",
            metadata={embedding: head},
        ),
        name="m",
    )
    assert contents(wrapped) == contents(ordinary)
    assert wrapped.facts == ordinary.facts
    assert any("metadata of model.safetensors" in note for note in wrapped.notes)


def test_a_head_that_config_calls_the_embedding(tmp_path: Path) -> None:
    ordinary = convert(checkpoint(tmp_path / "a", tied=True, left_out="lm_head.weight"), name="m")
    saved = checkpoint(tmp_path / "b", tied=True, left_out="model.embed_tokens.weight")
    found = convert(saved, name="m")
    assert contents(found) == contents(ordinary)
    assert found.notes == ("lm_head.weight is the embedding, as tie_word_embeddings says",)


def test_an_alias_of_a_tied_head_changes_nothing(tmp_path: Path) -> None:
    """Most savers leave the head out and note it so."""
    plain = convert(checkpoint(tmp_path / "a", tied=True, left_out="lm_head.weight"), name="m")
    noted = checkpoint(
        tmp_path / "b",
        tied=True,
        left_out="lm_head.weight",
        metadata={"lm_head.weight": "model.embed_tokens.weight"},
    )
    assert contents(convert(noted, name="m")) == contents(plain)
    assert convert(noted).notes == ()


def test_an_alias_stands_for_a_tensor_that_config_wants(tmp_path: Path) -> None:
    """Not tied, says config.json, and saved as one tensor: the model has both all the same."""
    found = convert(
        checkpoint(
            tmp_path / "a",
            left_out="lm_head.weight",
            metadata={"lm_head.weight": "model.embed_tokens.weight"},
        )
    )
    tensors = dict(contents(found))
    assert tensors["output.weight"] == tensors["token_embd.weight"]


def test_a_prefix_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(TensorError, match=r"begin with 'student\.model\.'") as raised:
        convert(checkpoint(tmp_path / "a", lambda name: f"student.{name}"))
    assert "save_pretrained" in str(raised.value.hint)


def test_two_models_in_one_are_not_mixed(tmp_path: Path) -> None:
    more = ("reference.model.layers.0.mlp.up_proj.weight",)
    with pytest.raises(SourceError, match="does not have") as raised:
        convert(checkpoint(tmp_path / "a", more=more))
    assert raised.value.found == more[0]


def test_an_adapter_beside_the_weights(tmp_path: Path) -> None:
    def rename(name: str) -> str:
        return f"base_model.model.{name.replace('q_proj.', 'q_proj.base_layer.')}"

    more = tuple(
        f"base_model.model.model.layers.0.self_attn.q_proj.lora_{x}.default.weight" for x in "AB"
    )
    with pytest.raises(UnsupportedError, match="adapter lie beside") as raised:
        convert(checkpoint(tmp_path / "a", rename, more=more))
    assert "merge_and_unload" in str(raised.value.hint)


@pytest.mark.parametrize("ending", ["qweight", "weight_packed", "weight.absmax", "weight.SCB"])
def test_quantized_weights_without_a_word_in_config(tmp_path: Path, ending: str) -> None:
    def rename(name: str) -> str:
        return name.replace("q_proj.weight", f"q_proj.{ending}")

    with pytest.raises(UnsupportedError, match="quantized already") as raised:
        convert(checkpoint(tmp_path / "a", rename))
    assert f"q_proj.{ending}" in str(raised.value.found)


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("quantization", {"group_size": 64, "bits": 4}, "MLX, 4 bits"),
        ("quantization_config", {"quant_method": "awq", "bits": 3}, "awq, 3 bits"),
        ("quantization_config", {"quant_method": "fbgemm_fp8"}, "fbgemm_fp8"),
        ("compression_config", {"format": "int"}, "compression_config"),
    ],
)
def test_quantized_checkpoints_name_their_original(
    tmp_path: Path, key: str, value: object, found: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", card="---\nbase_model: Qwen/QwQ-32B\n---\n")
    write_json(folder / "config.json", config_of("qwen2", Shape()) | {key: value})
    with pytest.raises(UnsupportedError, match="quantized already") as raised:
        convert(open_checkpoint(folder))
    assert raised.value.found == found
    assert str(raised.value.hint).startswith("qwq-gguf quantize Qwen/QwQ-32B,")


def test_names_that_cannot_be_told_apart_stay(tmp_path: Path) -> None:
    info = TensorInfo("a", "F32", (1,), tmp_path, 0, 4)
    tensors = {
        name: dataclasses.replace(info, name=name)
        for name in ("model.layers.0.a", "model._orig_mod.layers.0.a", "x" * 1_000_000)
    }
    assert ordinary_names(tensors, tied=False) == (tensors, ())
