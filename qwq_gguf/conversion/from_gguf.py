"""From a GGUF's headers to the conversion that llama-quantize would make of it.

What it copies, drops and reorders is in llama_model_quantize_impl of
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.overrides import apply_overrides
from qwq_gguf.conversion.values import Conversion, ModelFacts, SourceTensor
from qwq_gguf.errors import GgufError, TensorError, UnsupportedError
from qwq_gguf.ggml_types import trimmed
from qwq_gguf.gguf_file.header_slack import without_room
from qwq_gguf.gguf_file.layout import DEFAULT_ALIGNMENT
from qwq_gguf.metadata import KeyValue, text
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor
    from qwq_gguf.gguf_file.splits import SplitGguf

__all__ = ["from_gguf", "model_name"]

# Set anew by whoever writes the file, or about how this one was cut.
_DROPPED = (
    "general.file_type",
    "general.quantization_version",
    "split.no",
    "split.count",
    "split.tensors.count",
)
_NAME = "general.name"
_MOST_LAYERS = 1 << 12
_LAYER = re.compile(r"blk\.(\d{1,6})\.")
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_PRECISION = re.compile(r"[-._](B?F16|F32)$", re.IGNORECASE)

_OUTER = ("token_embd.weight", "output_norm.weight")
_ATTENTION = ("attn_q", "attn_k", "attn_v", "attn_output")
_DENSE = (*_ATTENTION, "ffn_gate", "ffn_up", "ffn_down")
_EXPERTS = (*_ATTENTION, "ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
# The matrices of each layer, of the architectures whose files can be seen to be whole. Of all
# others their tensors are taken as they are, by their names alone, as llama-quantize takes them.
_BLOCKS = {
    "llama": _DENSE,
    "qwen2": _DENSE,
    "qwen3": _DENSE,
    "qwen3moe": _EXPERTS,
    "gemma3": _DENSE,
    "glm4": (*_ATTENTION, "ffn_up", "ffn_down"),
    "mistral3": _DENSE,
    "phi3": ("attn_qkv", "attn_output", "ffn_up", "ffn_down"),
    "seed_oss": _DENSE,
    "smollm3": _DENSE,
}
# What llama-quantize has rules of its own for, which the recipes have not.
_OF_THEIR_OWN = ("falcon", "glm5-next", "bailingmoe3", "clip")
# The mixes count the matrices with these in their names: one more or less in a layer would
# move the types of all later ones.
_COUNTED = ("attn_v.", "attn_qkv.", "attn_kv_b.", "ffn_up", "ffn_gate", "ffn_down")


def from_gguf(
    model: SplitGguf, *, name: str | None = None, extra: Sequence[KeyValue] = ()
) -> Conversion:
    """What quantizing a GGUF again starts from; its arrays may still be read from the file.

    Keys stay as they are, in their order, but for those of the file itself; tensors that no
    recipe touches keep their type. `name` replaces the model's name, entries of `extra`
    those of the same key. UnsupportedError for what is no model, and for an architecture of
    which the mixes are not llama.cpp's. GgufError and TensorError for a file that contradicts
    itself.
    """
    head = model.head
    architecture = _architecture(head)
    facts = _facts(model, architecture)
    tensors = tuple(sorted(_tensors(model), key=lambda tensor: tensor.order))
    _check_complete(head, facts, tensors)
    metadata = apply_overrides(_metadata(head, name), extra)
    return Conversion(
        architecture=architecture,
        name=model_name(head, metadata),
        facts=facts,
        metadata=metadata,
        tensors=tensors,
        # llama-quantize makes files of one float type as it makes all others.
        converter_order=tensors,
        quantization_version_at=len(metadata),
        file_type_at=len(metadata) + 1,
    )


def model_name(file: GgufFile, metadata: Sequence[KeyValue] | None = None) -> str:
    """What a model is called: by itself, else by its file without number and precision."""
    entries = file.metadata.values() if metadata is None else metadata
    for entry in entries:
        if entry.key == _NAME and isinstance(entry.value, str) and entry.value.strip():
            return entry.value
    return _PRECISION.sub("", _PART.sub("", file.path.name.removesuffix(".gguf"))) or "model"


def _architecture(head: GgufFile) -> str:
    kind = head.text("general.type")
    name = head.architecture
    if kind not in (None, "model") or not name:
        raise UnsupportedError(
            "only whole models can be quantized again",
            path=head.path,
            found=f"{name or 'no architecture'}" + (f", type {kind}" if kind else ""),
            expected="a model, with its architecture",
            hint="llama-quantize knows more kinds of files",
        )
    if name in _OF_THEIR_OWN:
        raise UnsupportedError(
            "for this architecture llama-quantize has rules that no recipe has",
            path=head.path,
            found=name,
            hint="take llama-quantize for it",
        )
    return name


def _facts(model: SplitGguf, architecture: str) -> ModelFacts:
    head = model.head

    def size(key: str, most: int, default: int | None = None) -> int:
        entry = head.metadata.get(f"{architecture}.{key}")
        value: object = default
        if entry is not None:  # an array has one number a layer, and the mixes ask the first
            value = entry.value if entry.element is None else next(iter(entry.items), None)
        least = 1 if default is None else 0
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise GgufError(
                f"{architecture}.{key} is missing or absurd",
                path=head.path,
                found=None if value is None else str(value)[:40],
                expected=f"a number from {least} to {most}",
            )
        return value

    shapes = {tensor.name: tensor.shape for _, tensor in model.tensors}
    # What has no attention has no heads.
    absent = None if architecture in _BLOCKS else 0
    heads = size("attention.head_count", 1 << 14, absent)
    return ModelFacts(
        architecture=architecture,
        layers=size("block_count", _MOST_LAYERS),
        heads=heads,
        kv_heads=size("attention.head_count_kv", 1 << 14, heads),
        experts=size("expert_count", 1 << 14, 0),
        embedding=size("embedding_length", 1 << 20),
        vocab=shapes.get("token_embd.weight", (0,))[-1],
        tied="output.weight" not in shapes,
        context=size("context_length", (1 << 31) - 1, absent),
    )


def _tensors(model: SplitGguf) -> Iterator[SourceTensor]:
    for file, tensor in model.tensors:
        shape = _trimmed(tensor)
        match = _LAYER.match(tensor.name)
        yield SourceTensor(
            name=tensor.name,
            shape=shape,
            sources=(
                TensorInfo(
                    tensor.name,
                    tensor.type.name,
                    tuple(reversed(shape)),
                    file.path,
                    tensor.offset,
                    tensor.nbytes,
                ),
            ),
            layer=int(match[1]) if match else None,
            kept=tensor.type,
        )


def _trimmed(tensor: GgufTensor) -> tuple[int, ...]:
    return trimmed(tensor.shape or (1,))


def _metadata(head: GgufFile, name: str | None) -> tuple[KeyValue, ...]:
    entries = [
        entry
        for entry in without_room(head.metadata.values())
        if entry.key not in _DROPPED and not _other_alignment(entry)
    ]
    if name is None:
        return tuple(entries)
    named = text(_NAME, name)
    if any(entry.key == _NAME for entry in entries):
        return tuple(named if entry.key == _NAME else entry for entry in entries)
    return (*entries, named)


def _other_alignment(entry: KeyValue) -> bool:
    """llama-quantize copies the key and lays tensors out without heed of it; such a file
    cannot be read.
    """
    return entry.key == "general.alignment" and entry.value != DEFAULT_ALIGNMENT


def _check_complete(head: GgufFile, facts: ModelFacts, tensors: Sequence[SourceTensor]) -> None:
    names = {tensor.name for tensor in tensors}
    block = _BLOCKS.get(facts.architecture)
    known = block is not None and bool(facts.experts) is (block is _EXPERTS)
    needed: dict[str, None] = {}
    if block is not None and known:
        needed = dict.fromkeys(_OUTER)
        needed |= {f"blk.{i}.{part}.weight": None for i in range(facts.layers) for part in block}
    missing = [name for name in needed if name not in names]
    if missing:
        raise TensorError(
            "tensors that the model needs are missing",
            path=head.path,
            found=f"{len(names)} tensors",
            expected=some(missing),
            hint="download it again; or llama-quantize may know this kind of model",
        )
    surplus = [
        tensor.name
        for tensor in tensors
        if (tensor.layer is not None and tensor.layer >= facts.layers)
        or (known and _is_counted(tensor) and tensor.name not in needed)
    ]
    if surplus:
        raise TensorError(
            "tensors that the model should not have",
            path=head.path,
            found=some(surplus),
            expected=f"{facts.layers} layers" + (f" of {', '.join(block)}" if block else ""),
            hint="llama-quantize may know this kind of model",
        )


def _is_counted(tensor: SourceTensor) -> bool:
    matrix = len(tensor.shape) > 1 and tensor.name.endswith("weight")
    return matrix and any(part in tensor.name for part in _COUNTED)
