"""From a checkpoint's tensor names to those of a GGUF, each with its shape checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from qwq_gguf.conversion.architectures.base import (
    Architecture,
    TensorRule,
    common_sizes,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.names import strange_prefix
from qwq_gguf.conversion.parts import FLOATS, Code, Packed, Part
from qwq_gguf.conversion.values import RowOrder, Source, SourceTensor
from qwq_gguf.errors import TensorError, UnsupportedError
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import TensorInfo
    from qwq_gguf.conversion.updates import Update

__all__ = ["map_tensors"]

DTYPES = FLOATS
# Buffers that older versions of transformers saved with the weights.
_IGNORED = (".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq")


def map_tensors(
    architecture: Architecture,
    config: ModelConfig,
    tensors: Mapping[str, TensorInfo],
    folder: Path,
    scales: Mapping[str, Code] = MappingProxyType({}),
    updates: Mapping[str, tuple[Update, ...]] = MappingProxyType({}),
) -> tuple[SourceTensor, ...]:
    """All tensors of the model in the converter's order: computed ones, then as the shards
    have them. `scales` belong to the tensors of these names, and `updates` are done to them,
    which makes them F32. TensorError when one is missing,
    unknown or of another shape than config.json says; UnsupportedError for a dtype that is
    not BF16, F16 or F32, and without scales.
    """
    sizes = {**common_sizes(config), **architecture.sizes(config)}
    order = interleaved(config.head_dim)
    rules: dict[str, list[tuple[TensorRule, int | None]]] = {}
    for rule, layer in _rules(architecture, config):
        for name in rule.sources:
            rules.setdefault(name, []).append((rule, layer))
    stacks = _Stacks(pair for pairs in rules.values() for pair in pairs)
    found: list[SourceTensor] = [
        SourceTensor(computed.name, computed.shape, (computed,))
        for computed in architecture.computed(config)
    ]
    early = len(found)
    unknown: list[str] = []
    for name, info in tensors.items():
        if name.endswith(_IGNORED):
            continue
        if name not in rules:
            if not _beside_packed(name, scales):
                unknown.append(name)
            continue
        for rule, layer in rules.pop(name):
            shape = tuple(sizes[dimension] for dimension in rule.shape)
            _check(info, shape, rule, scaled=name in scales)
            for whole, infos in stacks.add(rule, layer, name, info):
                packed = {isinstance(scales.get(each), Packed) for each in whole.sources}
                wide = len(packed) > 1 or any(each in updates for each in whole.sources)
                sources = [
                    source
                    for each, held in zip(whole.sources, infos, strict=True)
                    for source in _taken(
                        whole, held, scales.get(each), updates.get(each, ()) if wide else None
                    )
                ]
                made = _made(whole, layer, infos, tuple(sources), order)
                found.insert(early if whole.early else len(found), made)
                early += whole.early
    missing = [name for name, pairs in rules.items() if any(rule.needed for rule, _ in pairs)]
    if missing or unknown:
        _refuse_known_kinds(unknown, tensors, folder)
    if missing:
        raise TensorError(
            "tensors that the model needs are missing",
            path=folder,
            found=f"{len(found)} tensors",
            expected=some(missing),
            hint="check that config.json belongs to these weights, and that all shards are here",
        )
    if unknown:
        raise TensorError(
            f"tensors that a {architecture.model_class} does not have",
            path=folder,
            found=some(unknown),
            hint="check that config.json belongs to these weights",
        )
    return tuple(found)


# What is left beside or instead of a weight by those who quantize or train it.
_QUANTIZED = re.compile(
    r"\.(?:qweight|qzeros|g_idx|weight_packed|weight_scale(?:_inv)?|absmax|SCB|scales|quant_map)"
    r"(?:\.|$)"
)
_ADAPTER = re.compile(r"\.(?:lora_(?:A|B|embedding_A|embedding_B)|base_layer)\.")


def _refuse_known_kinds(
    unknown: Sequence[str], tensors: Mapping[str, TensorInfo], folder: Path
) -> None:
    """Say it better than by names that are missing, where one can see what happened."""
    quantized = [name for name in unknown if _QUANTIZED.search(name)]
    if quantized:
        raise UnsupportedError(
            "these weights are quantized already",
            path=folder,
            found=some(quantized),
            expected=", ".join(DTYPES),
            hint="take the original weights, which lose nothing twice",
        )
    adapters = [name for name in unknown if _ADAPTER.search(name)]
    if adapters:
        raise UnsupportedError(
            "the weights of an adapter lie beside the model's, not merged into them",
            path=folder,
            found=some(adapters),
            hint="with PEFT: model.merge_and_unload().save_pretrained(FOLDER)",
        )
    prefix = strange_prefix(tensors)
    if prefix is not None:
        raise TensorError(
            f"the tensors' names begin with {prefix!r}, which is nothing known",
            path=folder,
            found=some(tensors),
            expected="model.layers. ...",
            hint="save the model itself, not what wraps it: model.save_pretrained(FOLDER)",
        )


class _Stacks:
    """Tensors that wait for those that they are stacked with.

    The converter waits for all experts of a layer, and then makes its tensors in the order
    of the rules, wherever the shards cut between them.
    """

    def __init__(self, rules: Iterable[tuple[TensorRule, int | None]]) -> None:
        self._waiting: dict[int | None, dict[str, TensorRule]] = {}
        self._found: dict[int | None, dict[str, TensorInfo]] = {}
        for rule, layer in rules:
            if rule.stacked:
                self._waiting.setdefault(layer, {})[rule.target] = rule

    def add(
        self, rule: TensorRule, layer: int | None, name: str, info: TensorInfo
    ) -> Iterator[tuple[TensorRule, tuple[TensorInfo, ...]]]:
        """What is whole with this tensor: rules, and their tensors in order."""
        if not rule.stacked:
            yield rule, (info,)
            return
        found = self._found.setdefault(layer, {})
        found[name] = info
        whole = self._waiting[layer].values()
        if len(found) == sum(each.stacked for each in whole):
            for each in whole:
                yield each, tuple(found[source] for source in each.sources)


def _beside_packed(name: str, scales: Mapping[str, Code]) -> bool:
    """Whether it is a bias that the model does not have. GPTQ and AWQ saved zeros for it, and
    Transformers looks at none of them.
    """
    module, _, kind = name.rpartition(".")
    return kind == "bias" and isinstance(scales.get(f"{module}.weight"), Packed)


def _taken(
    rule: TensorRule,
    info: TensorInfo,
    scales: Code | None,
    updates: tuple[Update, ...] | None,
) -> tuple[Source, ...]:
    if rule.view is not None:
        return rule.view.parts(info, scales, updates)
    plain = scales is None and updates is None
    return (info,) if plain else (Part.whole(info, scales, updates),)


def _made(
    rule: TensorRule,
    layer: int | None,
    infos: tuple[TensorInfo, ...],
    sources: tuple[Source, ...],
    order: RowOrder,
) -> SourceTensor:
    for source in sources:
        if source.dtype != sources[0].dtype:
            raise TensorError(
                f"{source.name} cannot be stacked on {sources[0].name}",
                path=infos[0].shard,
                found=source.dtype,
                expected=sources[0].dtype,
                hint="save the model in one data type",
            )
    shape = tuple(reversed(infos[0].shape if rule.view is None else rule.view.shape))
    made = SourceTensor(
        name=rule.target,
        shape=(*shape, rule.stacked) if rule.stacked else shape,
        sources=sources,
        layer=layer,
        row_order=order if rule.interleave else None,
        change=rule.change,
    )
    return replace(made, kept=made.stored) if rule.kept else made


def interleaved(head_dim: int) -> RowOrder:
    """Rows 0, d/2, 1, d/2 + 1, ... of each head of d rows: partners in a rotation, which
    transformers keeps half a head apart, become neighbours.
    """
    half = head_dim // 2
    return RowOrder(tuple(row for pair in range(half) for row in (pair, pair + half)))


def _rules(
    architecture: Architecture, config: ModelConfig
) -> Iterator[tuple[TensorRule, int | None]]:
    yield from architecture.outer(config)
    for layer in range(config.layers):
        for rule in architecture.block(config, layer):
            source = f"model.layers.{layer}.{rule.source}"
            target = f"blk.{layer}.{rule.target}"
            yield replace(rule, source=source, target=target), layer


def _check(info: TensorInfo, shape: tuple[int, ...], rule: TensorRule, *, scaled: bool) -> None:
    if info.dtype not in DTYPES and not scaled:
        raise UnsupportedError(
            f"{info.name}: this data type cannot be converted",
            path=info.shard,
            found=info.dtype,
            expected=", ".join(DTYPES),
            hint="take the original weights, not a quantized copy",
        )
    if info.shape != shape:
        raise TensorError(
            f"{info.name}: its shape is not what config.json says",
            path=info.shard,
            found=list(info.shape),
            expected=f"{list(shape)} ({' x '.join(rule.shape)})",
        )
