"""From a checkpoint's headers to everything a GGUF says but the types of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qwq_gguf.conversion.architectures import Architecture, find_architecture
from qwq_gguf.conversion.config import ModelConfig, read_config
from qwq_gguf.conversion.general import general_keys, size_label
from qwq_gguf.conversion.keys import hyperparameters
from qwq_gguf.conversion.names import ordinary_names
from qwq_gguf.conversion.overrides import apply_overrides
from qwq_gguf.conversion.packed import PackedEncoding, separate_packed
from qwq_gguf.conversion.parts import Code
from qwq_gguf.conversion.scaled import Encoding, original_of, read_encoding, separate_scales
from qwq_gguf.conversion.tensors import map_tensors
from qwq_gguf.conversion.values import Conversion, ModelFacts, SourceTensor
from qwq_gguf.conversion.vocabulary import piece_keys, vocabulary_keys
from qwq_gguf.errors import ConfigError
from qwq_gguf.ggml_types import FileType
from qwq_gguf.metadata import KeyValue, ValueType, boolean, text

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.adapter import Adapter
    from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo
    from qwq_gguf.conversion.updates import Update

__all__ = ["convert"]

_EXPERTS = "_exps."


def convert(
    checkpoint: Checkpoint,
    *,
    name: str | None = None,
    extra: Sequence[KeyValue] = (),
    adapters: Sequence[Adapter] = (),
) -> Conversion:
    """Plan what the GGUF of a checkpoint says and where its tensors come from; reads no file.

    `name` replaces the model's name, entries of `extra` replace those of the same key or are
    added at the end. `adapters` are merged into the weights, in this order. SourceError, in
    one of its kinds, when the checkpoint contradicts itself or is of a kind that is not
    supported, or an adapter does not fit it.
    """
    path = checkpoint.folder / "config.json"
    architecture = find_architecture(checkpoint.config, path)
    encoding = read_encoding(checkpoint)
    config = read_config(
        checkpoint.config,
        path,
        head_dim=architecture.head_dim,
        context=architecture.context,
        tied=architecture.tied,
        scalings=architecture.scalings,
    )
    named, notes = ordinary_names(checkpoint.tensors, tied=config.tied)
    scales: dict[str, Code] = {}
    if isinstance(encoding, PackedEncoding):
        named, packed = separate_packed(named, encoding)
        scales |= packed
        notes += _unpacked(checkpoint, encoding, len(packed))
    config = architecture.adjusted(replace(config, present=frozenset(named)))
    named, left_out = _without(architecture, config, named)
    notes += left_out
    if isinstance(encoding, Encoding):
        named, factors = separate_scales(named, encoding)
        scales |= factors
        notes += _decoded(encoding, factors)
    updates: Mapping[str, tuple[Update, ...]] = {}
    if adapters:
        from qwq_gguf.conversion.adapters import merge_adapters

        left = partial(_left_out, architecture, config)
        merged = merge_adapters(adapters, checkpoint, named, scales, left)
        named, scales, updates = dict(merged.tensors), dict(merged.scales), merged.updates
        notes += merged.notes
    tensors = map_tensors(architecture, config, named, checkpoint.folder, scales, updates)
    weights = sum(tensor.weights for tensor in tensors)
    general = general_keys(checkpoint, weights, name=name, label=_size(tensors))
    sizes = architecture.all_keys(config) or hyperparameters(
        architecture.name,
        config,
        head_sizes=_head_sizes(architecture, config),
    )
    after_type = list(architecture.extra_keys(config))
    vocabulary = (
        piece_keys(checkpoint, config.vocab)
        if architecture.pieces
        else vocabulary_keys(checkpoint, config.vocab, architecture.special, architecture.splitting)
    )
    if checkpoint.tekken:
        notes += _without_template(checkpoint)
    elif architecture.writes_space_prefix:
        prefix = checkpoint.tokenizer_config.get("add_prefix_space")
        if isinstance(prefix, bool):
            vocabulary.insert(0, boolean("tokenizer.ggml.add_space_prefix", prefix))

    head = [
        text("general.architecture", architecture.name),
        *architecture.early_keys(config),
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
            kv_heads=_first_layer(sizes, f"{architecture.name}.attention.head_count_kv"),
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
        packed=FileType.MXFP4_MOE if _is_mxfp4(encoding) else None,
    )


def _first_layer(keys: Sequence[KeyValue], name: str) -> int:
    """A number that some models have one of for each layer: the mixes ask the first."""
    entry = next(key for key in keys if key.key == name)
    value = entry.value if entry.element is None else next(iter(entry.items))
    assert isinstance(value, int)
    return value


def _head_sizes(architecture: Architecture, config: ModelConfig) -> tuple[int, int] | None:
    if architecture.head_sizes is not None:
        return architecture.head_sizes(config)
    written = architecture.writes_head_size or config.head_dim_given
    return (config.head_dim, config.head_dim) if written else None


def _without_template(checkpoint: Checkpoint) -> tuple[str, ...]:
    told = "the vocabulary is that of tekken.json"
    if checkpoint.chat_template is None:
        told += ", with which comes no chat template: qwq-gguf set FILE --chat-template JINJA"
    return (told,)


def _left_out(architecture: Architecture, config: ModelConfig, name: str) -> str | None:
    """The same of a module's name, in front of which Transformers has put `model.` since."""
    names = (name, name.removeprefix("model."))
    return next(filter(None, (architecture.left_out(config, each) for each in names)), None)


def _without(
    architecture: Architecture, config: ModelConfig, tensors: Mapping[str, TensorInfo]
) -> tuple[dict[str, TensorInfo], tuple[str, ...]]:
    """The tensors that the GGUF has, and what is left out, for people."""
    kept: dict[str, TensorInfo] = {}
    counts: dict[str, int] = {}
    for name, info in tensors.items():
        what = architecture.left_out(config, name)
        if what is None:
            kept[name] = info
        else:
            counts[what] = counts.get(what, 0) + 1
    return kept, tuple(f"{what} is left out ({count} tensors)" for what, count in counts.items())


def _unpacked(checkpoint: Checkpoint, encoding: PackedEncoding, number: int) -> tuple[str, ...]:
    if not number:
        return ()
    return (
        f"{number} tensors are {encoding.method}: read as F32, each number less its zero times "
        "its scale",
        f"rounded a second time they lose more: {original_of(checkpoint)}",
    )


def _decoded(encoding: Encoding, scales: Mapping[str, Code]) -> tuple[str, ...]:
    if not scales:
        return ()
    if _is_mxfp4(encoding):
        return (f"{len(scales)} tensors are MXFP4 already; the recipe MXFP4_MOE keeps them",)
    return (
        f"{len(scales)} tensors are {encoding.method}: read as BF16, each weight times its scale",
    )


def _is_mxfp4(encoding: Encoding | PackedEncoding | None) -> bool:
    return encoding is not None and encoding.method == "MXFP4"


def _size(tensors: Sequence[SourceTensor]) -> str:
    """As the converter counts: the number of experts, and a model with one of them. Biases,
    which have a row an expert, count whole.
    """
    stacked = [tensor for tensor in tensors if _EXPERTS in tensor.name and len(tensor.shape) > 2]
    names = {tensor.name for tensor in stacked}
    weights = sum(
        tensor.weights // (tensor.shape[-1] if tensor.name in names else 1) for tensor in tensors
    )
    counts = [tensor.shape[-1] for tensor in stacked]
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
