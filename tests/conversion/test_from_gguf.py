"""A GGUF's headers as a conversion: what is kept, what is dropped, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.errors import ConfigError, GgufError, QwqGgufError, TensorError, UnsupportedError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import GgufFile, GgufTensor, SplitGguf, tensor_bytes
from qwq_gguf.gguf_file.header_slack import with_room
from qwq_gguf.metadata import KeyValue, ValueType, array, text, u32

BLOCK = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def tensors(layers: int = 2, kind: GgmlType = GgmlType.BF16) -> dict[str, GgufTensor]:
    """In the order of Hugging Face names, as the converter writes them."""
    names = ["output.weight", "token_embd.weight"]
    names += [f"blk.{layer}.{part}.weight" for layer in range(layers) for part in BLOCK]
    made = {name: tensor(name, (256, 8), kind) for name in names}
    return made | {"output_norm.weight": tensor("output_norm.weight", (256,), GgmlType.F32)}


def tensor(name: str, shape: tuple[int, ...], kind: GgmlType = GgmlType.BF16) -> GgufTensor:
    return GgufTensor(name, shape, kind, 4096, tensor_bytes(kind, shape))


def keys(architecture: str = "qwen2", /, **changes: Any) -> dict[str, KeyValue]:
    entries = [
        text("general.architecture", architecture),
        text("general.type", "model"),
        text("general.name", "Some Model"),
        u32(f"{architecture}.block_count", 2),
        u32(f"{architecture}.context_length", 4096),
        u32(f"{architecture}.embedding_length", 256),
        u32(f"{architecture}.attention.head_count", 8),
        u32(f"{architecture}.attention.head_count_kv", 2),
        u32("general.file_type", 32),
        text("tokenizer.ggml.model", "gpt2"),
        u32("general.quantization_version", 1),
        KeyValue("split.no", ValueType.UINT16, 0),
    ]
    found = {entry.key: entry for entry in entries}
    for name, entry in changes.items():
        key = name.replace("__", ".")
        if entry is None:
            del found[key]
        else:
            found[key] = entry
    return found


def gguf(
    metadata: dict[str, KeyValue] | None = None,
    stored: dict[str, GgufTensor] | None = None,
    name: str = "file-BF16.gguf",
) -> SplitGguf:
    found = tuple((stored or tensors()).values())
    return SplitGguf(
        (GgufFile(Path(name), 3, keys() if metadata is None else metadata, found, 32, 512, 9999),)
    )


def test_keys_stay_in_order_without_those_of_the_file() -> None:
    made = from_gguf(gguf())
    assert [entry.key for entry in made.metadata] == [
        "general.architecture",
        "general.type",
        "general.name",
        "qwen2.block_count",
        "qwen2.context_length",
        "qwen2.embedding_length",
        "qwen2.attention.head_count",
        "qwen2.attention.head_count_kv",
        "tokenizer.ggml.model",
    ]
    last = made.converter_metadata(FileType.F16)[-2:]
    assert last == (u32("general.quantization_version", 2), u32("general.file_type", 1))


def test_reserved_room_is_not_taken_over() -> None:
    laid = {entry.key: entry for entry in with_room(keys().values())}
    assert set(laid) > set(keys())
    assert set(from_gguf(gguf(laid)).metadata) == set(from_gguf(gguf()).metadata)


def test_facts() -> None:
    facts = from_gguf(gguf()).facts
    assert (facts.layers, facts.heads, facts.kv_heads, facts.experts) == (2, 8, 2, 0)
    assert (facts.embedding, facts.vocab, facts.context, facts.tied) == (256, 8, 4096, False)


def test_a_number_a_layer_counts_by_its_first() -> None:
    several = array("qwen2.attention.head_count_kv", ValueType.INT32, [4, 2])
    facts = from_gguf(gguf(keys(qwen2__attention__head_count_kv=several))).facts
    assert (facts.heads, facts.kv_heads) == (8, 4)
    facts = from_gguf(gguf(keys(qwen2__attention__head_count_kv=None))).facts
    assert facts.kv_heads == 8


def test_without_an_output_the_embedding_is_it() -> None:
    stored = tensors()
    del stored["output.weight"]
    assert from_gguf(gguf(stored=stored)).facts.tied


def test_tensors_are_found_in_their_parts_and_sorted_as_llama_cpp_sorts_them() -> None:
    stored = tensors(11)
    names = list(stored)
    whole = gguf(keys(qwen2__block_count=u32("qwen2.block_count", 11)), stored).head
    parts = SplitGguf(
        tuple(
            replace(whole, path=Path(f"m-0000{number}-of-00002.gguf"), tensors=tuple(some))
            for number, some in (
                (1, [stored[name] for name in names[:10]]),
                (2, [stored[name] for name in names[10:]]),
            )
        )
    )
    made = from_gguf(parts)
    assert made.converter_order == made.tensors
    assert [tensor.name for tensor in made.tensors[:4]] == [
        "output.weight",
        "output_norm.weight",
        "token_embd.weight",
        "blk.0.attn_k.weight",
    ]
    assert [t.layer for t in made.tensors[3:]] == [i for i in range(11) for _ in BLOCK]
    for found in made.tensors:
        part = 1 if found.name in names[:10] else 2
        (source,) = found.sources
        assert isinstance(source, TensorInfo)
        assert str(source.shard) == f"m-0000{part}-of-00002.gguf"
        assert source.start == 4096
        assert source.shape == tuple(reversed(found.shape))
        assert found.kept is found.stored


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("QwQ 32B", "x.gguf", "QwQ 32B"),
        (None, "QwQ-32B-BF16-00001-of-00003.gguf", "QwQ-32B"),
        (None, "QwQ-32B.f16.gguf", "QwQ-32B"),
        ("  ", "model.gguf", "model"),
        (None, "-F16.gguf", "model"),
    ],
)
def test_the_name(name: str | None, file: str, expected: str) -> None:
    entry = None if name is None else text("general.name", name)
    assert from_gguf(gguf(keys(general__name=entry), name=file)).name == expected


def test_a_name_and_keys_of_the_users() -> None:
    made = from_gguf(gguf(), name="Mine", extra=[u32("qwen2.context_length", 8)])
    values = {entry.key: entry.value for entry in made.metadata}
    assert (made.name, values["general.name"], values["qwen2.context_length"]) == (
        "Mine",
        "Mine",
        8,
    )
    assert list(values) == [entry.key for entry in from_gguf(gguf()).metadata]
    unnamed = from_gguf(gguf(keys(general__name=None)), name="Mine")
    assert unnamed.metadata[-1] == text("general.name", "Mine")
    with pytest.raises(ConfigError, match="cannot be overridden"):
        from_gguf(gguf(), extra=[u32("general.file_type", 0)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"general__architecture": text("general.architecture", "falcon")}, "falcon"),
        ({"general__architecture": None}, "no architecture"),
        ({"general__type": text("general.type", "adapter")}, "type adapter"),
        ({"general__architecture": text("general.architecture", "glm5-next")}, "glm5-next"),
    ],
)
def test_what_is_not_supported_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_gguf(gguf(keys(**changes)))
    assert words in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize("key", ["block_count", "context_length", "attention.head_count"])
@pytest.mark.parametrize("value", [None, 0, 2**31, "many", True])
def test_sizes_that_are_none(key: str, value: object) -> None:
    entry: KeyValue | None = None
    if isinstance(value, bool):
        entry = KeyValue(f"qwen2.{key}", ValueType.BOOL, value)
    elif isinstance(value, int):
        entry = u32(f"qwen2.{key}", value)
    elif isinstance(value, str):
        entry = text(f"qwen2.{key}", value)
    with pytest.raises(GgufError, match=key):
        from_gguf(gguf(keys(**{f"qwen2.{key}".replace(".", "__"): entry})))


@pytest.mark.parametrize(
    "name",
    ["token_embd.weight", "output_norm.weight", "blk.1.attn_v.weight", "blk.0.ffn_down.weight"],
)
def test_a_missing_tensor_is_named(name: str) -> None:
    stored = tensors()
    del stored[name]
    with pytest.raises(TensorError, match=name.replace(".", r"\.")):
        from_gguf(gguf(stored=stored))


@pytest.mark.parametrize("layer", [2, 999_999])
def test_a_layer_too_many(layer: int) -> None:
    name = f"blk.{layer}.attn_q.weight"
    with pytest.raises(TensorError, match="should not have"):
        from_gguf(gguf(stored=tensors() | {name: tensor(name, (256, 8))}))


@pytest.mark.parametrize(
    "name", ["blk.0.ffn_up_shexp.weight", "attn_v.weight", "x.ffn_down.weight"]
)
def test_a_matrix_that_llama_cpp_would_count_among_others(name: str) -> None:
    with pytest.raises(TensorError, match="should not have"):
        from_gguf(gguf(stored=tensors() | {name: tensor(name, (256, 8))}))
    vector = tensor(name, (256,))
    bias = tensor(name.replace("weight", "bias"), (256, 8))
    from_gguf(gguf(stored=tensors() | {name: vector, bias.name: bias}))


def test_experts() -> None:
    stored = tensors(0)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        for layer in range(2):
            stored[f"blk.{layer}.{part}.weight"] = tensor(f"blk.{layer}.{part}.weight", (256, 8))
    for part in ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"):
        for layer in range(2):
            stored[f"blk.{layer}.{part}.weight"] = tensor(f"blk.{layer}.{part}.weight", (256, 8, 4))
    for layer in range(2):
        name = f"blk.{layer}.ffn_gate_inp.weight"
        stored[name] = tensor(name, (256, 4), GgmlType.F32)

    def with_experts(count: int) -> Conversion:
        return from_gguf(
            gguf(
                keys("qwen3moe", qwen3moe__expert_count=u32("qwen3moe.expert_count", count)), stored
            )
        )

    assert with_experts(4).facts.experts == 4
    assert with_experts(8).facts.experts == 8


def test_every_refusal_names_the_file() -> None:
    with pytest.raises(QwqGgufError) as caught:
        from_gguf(gguf(keys(qwen2__block_count=u32("qwen2.block_count", 3))))
    assert "file-BF16.gguf" in str(caught.value)


def test_a_conversion_is_made_without_the_file() -> None:
    """Nothing is at that path: only headers were needed."""
    made = from_gguf(gguf(name="/nowhere/at/all.gguf"))
    assert isinstance(made, Conversion)
