"""What of a model has to be somewhere while it runs: weights by layer, cache, buffers. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Protocol

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.kv_cache import KvShape, ModelHeader

__all__ = ["LayerBytes", "ModelShape", "TensorSize", "WeightBytes"]

_LAYER = re.compile(r"blk\.(\d{1,4})\.")
_INPUT = ("token_embd.", "per_layer_token_embd.", "position_embd.")
_CELLS = 256  # llama.cpp rounds a context up to a multiple of it
_F32 = 4


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that decide what a model takes besides its weights.

    `feed_forward` is the width within a layer; of one with experts that of the `used` ones
    together. `query` is how many numbers all heads of a layer have.
    """

    architecture: str
    layers: int
    embedding: int
    feed_forward: int
    experts: int
    used: int
    heads: int
    query: int
    vocabulary: int
    trained: int | None
    cache: KvShape

    @classmethod
    def of(cls, header: ModelHeader) -> ModelShape | None:
        """That of a model; None if its header does not say."""
        arch = header.architecture
        cache = KvShape.of(header)
        if arch is None or cache is None:
            return None

        def number(name: str) -> int:
            return header.integer(f"{arch}.{name}") or _most(header, f"{arch}.{name}")

        layers, embedding = number("block_count"), number("embedding_length")
        heads, used = number("attention.head_count"), number("expert_used_count")
        inner = number("expert_feed_forward_length")
        tokens = header.metadata.get("tokenizer.ggml.tokens")
        listed = 0 if tokens is None or tokens.element is None else len(tokens.items)
        return cls(
            architecture=arch,
            layers=layers,
            embedding=embedding,
            feed_forward=used * inner if used and inner else number("feed_forward_length"),
            experts=number("expert_count"),
            used=used,
            heads=heads,
            query=heads * cache.head[0],
            vocabulary=listed or number("vocab_size"),
            trained=header.integer(f"{arch}.context_length"),
            cache=cache,
        )

    def cells(self, context: int) -> int:
        """Tokens that the cache of such a context has room for."""
        return -(-context // _CELLS) * _CELLS

    def cache_bytes(self, context: int, kind: GgmlType) -> tuple[int, ...]:
        """Bytes of KV cache in each layer."""
        return self.cache.by_layer(self.cells(context), kind, kind)

    def buffer_bytes(self, context: int, batch: int, *, flash: bool = True) -> int:
        """Bytes that llama.cpp sets aside to compute `batch` tokens at once.

        It reuses memory within a graph, so the largest moment counts: the logits of a whole
        batch, or the inside of a layer. Found by looking at what it says of models of ten
        shapes (docs/memory.md), which this meets to the page.
        """
        logits = self.vocabulary + 2 * self.embedding
        return batch * _F32 * max(logits, self._layer(context, flash=flash))

    def touched_bytes(self, context: int, batch: int, *, flash: bool = True) -> int:
        """How much of that is ever written: logits are computed for one token only, and memory
        that nobody wrote to is not there.
        """
        return batch * _F32 * self._layer(context, flash=flash) + _F32 * self.vocabulary

    def _layer(self, context: int, *, flash: bool) -> int:
        """Numbers a token of the batch, at the widest place within a layer."""
        width, cells = self.embedding, self.cells(context)
        experts = self.used * width if self.experts else 0
        inside = 3 * self.feed_forward + 4 * width + experts
        if flash:
            return inside + cells // 2  # the mask, in half precision
        kept = max((key + value for key, value in self.cache.rows), default=0)
        return max(inside + cells, (self.heads + 1) * cells + 2 * width + 3 * self.query + kept)


class _Tensor(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def type(self) -> GgmlType: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class TensorSize(NamedTuple):
    """A tensor's name and bytes; where speed is asked, its type and how many rows it has."""

    name: str
    nbytes: int
    type: GgmlType | None = None
    rows: int = 0

    @classmethod
    def of(cls, tensor: _Tensor) -> TensorSize:
        """That of a tensor in a GGUF that is, or is planned; `shape` begins with a row's length."""
        return cls(tensor.name, tensor.nbytes, tensor.type, prod(tensor.shape[1:]))


@dataclass(frozen=True, slots=True)
class LayerBytes:
    """The weights of a layer: what every token needs, and its experts, of which few are asked."""

    common: int = 0
    experts: int = 0


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """The weights of a model by where llama.cpp puts them.

    The `embedding` of tokens stays in main memory. `output` is what follows the last layer; where
    it is the embedding once more (`tied`), a card gets a copy of its own. `active` is the part of
    the experts that a token asks. `kinds` are the parts of each type in what a token asks, `rows`
    how many rows there are in a byte of each.
    """

    layers: tuple[LayerBytes, ...]
    embedding: int
    output: int
    tied: bool
    active: float
    kinds: tuple[tuple[GgmlType, float], ...] = ()
    rows: tuple[tuple[GgmlType, float], ...] = ()

    @classmethod
    def of(cls, tensors: Iterable[TensorSize], shape: ModelShape) -> WeightBytes:
        """Those of a model of this shape."""
        common, experts = [0] * shape.layers, [0] * shape.layers
        embedding = output = 0
        tied, active = True, shape.used / shape.experts if shape.experts else 1.0
        asked, rows = Counter[GgmlType](), Counter[GgmlType]()
        looked_up, their_rows = Counter[GgmlType](), Counter[GgmlType]()
        for name, nbytes, kind, count in tensors:
            found = _LAYER.match(name)
            part, counted, counted_rows = 1.0, asked, rows
            if found and int(found[1]) < shape.layers:
                side = experts if "_exps." in name else common
                side[int(found[1])] += nbytes
                part = active if side is experts else 1.0
            elif name.startswith(_INPUT):
                embedding += nbytes
                counted, counted_rows = looked_up, their_rows
            else:
                output += nbytes
                tied = tied and not name.startswith("output.")
            if kind is not None:
                counted[kind] += round(nbytes * part)
                counted_rows[kind] += round(count * part)
        if tied:
            asked += looked_up
            rows += their_rows
        whole = asked.total()
        return cls(
            tuple(map(LayerBytes, common, experts)),
            embedding,
            output + (embedding if tied else 0),
            tied,
            active,
            tuple((kind, size / whole) for kind, size in asked.items() if size),
            tuple((kind, rows[kind] / size) for kind, size in asked.items() if size),
        )

    @property
    def total(self) -> int:
        """All of them, once."""
        inside = sum(layer.common + layer.experts for layer in self.layers)
        return inside + self.output + (0 if self.tied else self.embedding)


def _most(header: ModelHeader, key: str) -> int:
    """The largest where a key has a number for each layer, else 0."""
    entry = header.metadata.get(key)
    if entry is None or entry.element is None:
        return 0
    return max((n for n in entry.items if isinstance(n, int)), default=0)
