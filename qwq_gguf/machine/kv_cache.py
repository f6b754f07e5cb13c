"""How much memory a KV cache takes, and whether this computer has it.

Memory is promised generously and paid out on first touch, so a KV cache that is too
large is not refused by malloc: the process dies by a signal while it clears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qwq_gguf.errors import ModelError, NoRoomError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.memory import available_memory

if TYPE_CHECKING:
    from qwq_gguf.metadata import KeyValue

__all__ = ["KvShape", "ModelHeader", "check_cache_fits"]

_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS


class ModelHeader(Protocol):
    """As much of a GGUF as says how large its cache is."""

    @property
    def path(self) -> Path: ...

    @property
    def architecture(self) -> str | None: ...

    @property
    def metadata(self) -> Mapping[str, KeyValue]: ...

    def integer(self, key: str) -> int | None:
        """A whole number of the header, None where it has none."""


@dataclass(frozen=True, slots=True)
class KvShape:
    """What one token is in a KV cache: in each layer of the model so many numbers as keys and as
    values, none of both where it does not attend. `head` are those of one head.

    `state` is what recurrent layers keep of a text, in bytes, whatever the number of tokens.
    With latent attention (MLA) the values are part of the keys, and not kept twice. Sliding
    windows are kept whole, as llama_context_default_params has it (`swa_full`) and so do we.
    """

    rows: tuple[tuple[int, int], ...]
    head: tuple[int, int]
    state: int = 0

    @classmethod
    def of(cls, header: ModelHeader) -> KvShape | None:
        """That of a model; None if its header does not say."""
        arch = header.architecture
        layers = header.integer(f"{arch}.block_count")
        heads = header.integer(f"{arch}.attention.head_count")
        width = header.integer(f"{arch}.embedding_length")
        if each := _numbers(header, f"{arch}.attention.head_count"):
            heads = max(each)
        if not layers or not heads or not width or layers > _MOST_LAYERS:
            return None
        key = header.integer(f"{arch}.attention.key_length") or width // heads
        value = header.integer(f"{arch}.attention.value_length") or width // heads
        if min(layers, heads, width, key, value) < 1:
            return None
        latent = header.integer(f"{arch}.attention.key_length_mla")
        counts = _kv_heads(header, layers, heads)
        rows = tuple((n * key, 0 if latent else n * value) for n in counts)
        resting = _recurrent(header, counts)
        return cls(rows, (key, value), resting * _state_of(header))

    @property
    def layers(self) -> int:
        """How many attend."""
        return sum(any(row) for row in self.rows)

    def nbytes(
        self, context: int, keys: GgmlType = GgmlType.F16, values: GgmlType = GgmlType.F16
    ) -> int:
        """Bytes for `context` tokens, with keys and values kept in these types."""
        return sum(self.by_layer(context, keys, values)) + self.state

    def by_layer(self, context: int, keys: GgmlType, values: GgmlType) -> tuple[int, ...]:
        """The same for each layer, without what recurrent ones keep."""
        return tuple(
            (keys.row_bytes(key) + values.row_bytes(value)) * context for key, value in self.rows
        )

    def takes(self, kind: GgmlType) -> bool:
        """Whether heads are whole blocks of this type."""
        return all(size % kind.block_size == 0 for size in self.head)


def _kv_heads(header: ModelHeader, layers: int, heads: int) -> list[int]:
    """How many heads' keys and values each layer keeps."""
    arch = header.architecture
    name = f"{arch}.attention.head_count_kv"
    if each := _numbers(header, name):
        return [*each[:layers], *[0] * (layers - len(each))]
    usual = max(0, header.integer(name) or heads)
    interval = header.integer(f"{arch}.full_attention_interval")
    if not interval or interval < 1:
        return [usual] * layers
    return [usual if (n + 1) % interval == 0 or interval == 1 else 0 for n in range(layers)]


def _recurrent(header: ModelHeader, kv_heads: list[int]) -> int:
    """How many layers have a state. Where layers are of three kinds (Nemotron-H), those with
    neither heads nor a feed-forward part.
    """
    inner = _numbers(header, f"{header.architecture}.feed_forward_length")
    quiet = [n for n, heads in enumerate(kv_heads) if not heads]
    return sum(n >= len(inner) or not inner[n] for n in quiet) if inner else len(quiet)


def _state_of(header: ModelHeader) -> int:
    """Bytes that one recurrent layer keeps of one text, as float32: `n_embd_r` and `n_embd_s` of
    llama.cpp's llama-hparams.cpp.
    """

    def number(name: str) -> int:
        return max(0, header.integer(f"{header.architecture}.{name}") or 0)

    if short := number("shortconv.l_cache"):
        return 4 * number("embedding_length") * (short - 1)
    inner, size = number("ssm.inner_size"), number("ssm.state_size")
    conv = max(0, number("ssm.conv_kernel") - 1)
    return 4 * (conv * (inner + 2 * number("ssm.group_count") * size) + size * inner)


def _numbers(header: ModelHeader, key: str) -> list[int]:
    """A key that has a number for each layer; empty where it has one for all, or none."""
    entry = header.metadata.get(key)
    if entry is None or entry.element is None:
        return []
    return [n if isinstance(n, int) and n > 0 else 0 for n in entry.items[:_MOST_LAYERS]]


def check_cache_fits(
    header: ModelHeader,
    context: int,
    *,
    keys: GgmlType = GgmlType.F16,
    values: GgmlType = GgmlType.F16,
    available: int | None = None,
    on_card: bool = False,
) -> None:
    """NoRoomError if a cache of `context` tokens cannot be in main memory, ModelError if not in
    these types.

    `available` is in bytes (default: what the machine says). Weights are mapped and can
    be dropped and read again, so they are not counted. Of a cache that is `on_card` only the types
    are checked: llama.cpp refuses what a card has no room for.
    """
    shape = KvShape.of(header)
    if shape is None:
        return
    _check_blocks(header, shape.head[0], keys)
    _check_blocks(header, shape.head[1], values)
    if on_card:
        return
    if available is None:
        available = available_memory()
    if available is None:
        return
    needed = shape.nbytes(context, keys, values)
    if needed <= available:
        return
    a_token = -(-needed // context)
    hint = f"-c {max(256, int(0.8 * available / a_token) // 256 * 256)}"
    if keys is values is GgmlType.F16 and _half_fits(shape, context, available):
        hint += ", or -ctk q8_0 -ctv q8_0, which take about half"
    raise NoRoomError(
        f"a context of {context:,} tokens does not fit into this machine's memory",
        path=header.path,
        found=f"{needed / 2**30:.1f} GiB of KV cache",
        expected=f"at most the {available / 2**30:.1f} GiB that are free",
        hint=hint,
    )


def _half_fits(shape: KvShape, context: int, available: int) -> bool:
    small = GgmlType.Q8_0
    return shape.takes(small) and shape.nbytes(context, small, small) <= available


def _check_blocks(header: ModelHeader, size: int, kind: GgmlType) -> None:
    if size % kind.block_size:
        raise ModelError(
            f"this model's KV cache cannot be kept in {kind.name.lower()}",
            path=header.path,
            found=f"heads of {size} numbers",
            expected=f"a multiple of {kind.block_size}",
            hint="keep it in f16",
        )
