"""From a checkpoint's headers to everything a GGUF says but the types of its tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwq_gguf.conversion.architectures import find_architecture
from qwq_gguf.conversion.config import read_config
from qwq_gguf.conversion.general import general_keys, size_label
from qwq_gguf.conversion.keys import hyperparameters
from qwq_gguf.conversion.names import ordinary_names
from qwq_gguf.conversion.overrides import apply_overrides
from qwq_gguf.conversion.tensors import map_tensors
from qwq_gguf.conversion.values import Conversion, ModelFacts, SourceTensor
from qwq_gguf.conversion.vocabulary import vocabulary_keys
from qwq_gguf.errors import ConfigError, UnsupportedError
from qwq_gguf.metadata import KeyValue, ValueType, boolean, text

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import Checkpoint

__all__ = ["convert"]

# Transformers' key, that of MLX, and older ones; MLX writes the first two.
_QUANTIZED = ("quantization", "quantization_config", "compression_config", "quant_config")
_EXPERTS = "_exps."
_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


def convert(
    checkpoint: Checkpoint, *, name: str | None = None, extra: Sequence[KeyValue] = ()
) -> Conversion:
    """Plan what the GGUF of a checkpoint says and where its tensors come from; reads no file.

    `name` replaces the model's name, entries of `extra` replace those of the same key or are
    added at the end. SourceError, in one of its kinds, when the checkpoint contradicts
    itself or is of a kind that is not supported.
    """
    path = checkpoint.folder / "config.json"
    architecture = find_architecture(checkpoint.config, path)
    _refuse_quantized(checkpoint)
    config = read_config(
        checkpoint.config, path, head_dim=architecture.head_dim, context=architecture.context
    )
    named, notes = ordinary_names(checkpoint.tensors, tied=config.tied)
    tensors = map_tensors(architecture, config, named, checkpoint.folder)
    weights = sum(tensor.weights for tensor in tensors)
    general = general_keys(checkpoint, weights, name=name, label=_size(tensors))
    sizes = hyperparameters(
        architecture.name,
        config,
        head_size=architecture.writes_head_size or config.head_dim_given,
    )
    after_type = list(architecture.extra_keys(config))
    vocabulary = vocabulary_keys(checkpoint, config.vocab)
    if architecture.writes_space_prefix:
        prefix = checkpoint.tokenizer_config.get("add_prefix_space")
        if isinstance(prefix, bool):
            vocabulary.insert(0, boolean("tokenizer.ggml.add_space_prefix", prefix))

    head = [
        text("general.architecture", architecture.name),
        text("general.type", "model"),
        *general,
        *sizes,
    ]
    metadata = apply_overrides([*head, *after_type, *vocabulary], extra)
    _check_text(metadata)
    names = {key.key: key.value for key in head}
    return Conversion(
        architecture=architecture.name,
        name=str(names["general.name"]),
        facts=ModelFacts(
            architecture=architecture.name,
            layers=config.layers,
            heads=config.heads,
            kv_heads=config.kv_heads,
            experts=config.experts,
            embedding=config.embedding,
            vocab=config.vocab,
            tied=all(tensor.name != "output.weight" for tensor in tensors),
            context=config.context,
        ),
        metadata=metadata,
        tensors=tuple(sorted(tensors, key=lambda tensor: tensor.order)),
        converter_order=tensors,
        file_type_at=len(head),
        quantization_version_at=len(head) + len(after_type),
        notes=(*checkpoint.notes, *notes),
    )


def _size(tensors: Sequence[SourceTensor]) -> str:
    """As the converter counts: the number of experts, and a model with one of them."""
    counts = [tensor.shape[-1] for tensor in tensors if _EXPERTS in tensor.name]
    weights = sum(
        tensor.weights // (tensor.shape[-1] if _EXPERTS in tensor.name else 1) for tensor in tensors
    )
    return size_label(weights, sum(counts) // len(counts) if counts else 0)


def _check_text(metadata: Sequence[KeyValue]) -> None:
    """Refuse what JSON can hold and UTF-8 cannot: half of a surrogate pair."""
    for entry in metadata:
        if ValueType.STRING not in (entry.type, entry.element):
            continue
        texts = [entry.value] if isinstance(entry.value, str) else entry.items
        try:
            "".join(map(str, texts)).encode("utf-8")
        except UnicodeEncodeError as problem:
            raise ConfigError(f"{entry.key} is no valid text: it has a lone surrogate") from problem


def _refuse_quantized(checkpoint: Checkpoint) -> None:
    found = {key: checkpoint.config[key] for key in _QUANTIZED if checkpoint.config.get(key)}
    if not found:
        return
    key, told = next(iter(found.items()))
    method = str(told.get("quant_method", "") if isinstance(told, dict) else told)[:40]
    bits = told.get("bits") if isinstance(told, dict) else None
    if key == "quantization":  # MLX writes both keys, with a method in neither
        method = "MLX"
    bits = f", {bits} bits" if isinstance(bits, int) else ""
    raise UnsupportedError(
        "these weights are quantized already",
        path=checkpoint.folder / "config.json",
        found=f"{method or key}{bits}",
        expected="BF16, F16 or F32",
        hint=_original(checkpoint),
    )


def _original(checkpoint: Checkpoint) -> str:
    """Where the weights are that this was made from, if its card says so."""
    base = checkpoint.card.get("base_model")
    base = base[0] if isinstance(base, list) and base else base
    if isinstance(base, str) and _HUB_ID.fullmatch(base):
        return f"qwq-gguf quantize {base}, the original that its card names"
    return "take the original weights, which lose nothing twice"
