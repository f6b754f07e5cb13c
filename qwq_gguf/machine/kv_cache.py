"""How much memory a KV cache takes, and whether this computer has it.

Memory is promised generously and paid out on first touch, so a KV cache that is too
large is not refused by malloc: the process dies by a signal while it clears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qwq_gguf.errors import ModelError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.memory import available_memory

if TYPE_CHECKING:
    from qwq_gguf.metadata import KeyValue

__all__ = ["KvShape", "ModelHeader", "check_cache_fits"]


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
    """What one token is in a KV cache: a row of `key` and one of `value` numbers a head, in each
    of the `layers` that attend. Recurrent ones have a state, whatever the number of tokens.
    """

    layers: int
    heads: int
    key: int
    value: int

    @classmethod
    def of(cls, header: ModelHeader) -> KvShape | None:
        """That of a model; None if its header does not say."""
        arch = header.architecture
        layers = header.integer(f"{arch}.block_count")
        heads = header.integer(f"{arch}.attention.head_count")
        width = header.integer(f"{arch}.embedding_length")
        if not layers or not heads or not width:
            return None
        kv_heads = header.integer(f"{arch}.attention.head_count_kv") or heads
        each = header.metadata.get(f"{arch}.attention.head_count_kv")
        if each is not None and each.element is not None:  # a number for each layer
            counts = [n for n in each.items[:layers] if isinstance(n, int) and n > 0]
            layers, kv_heads = len(counts), max(counts, default=0)
        elif interval := header.integer(f"{arch}.full_attention_interval"):
            layers = -(-layers // max(1, interval))
        return cls(
            layers,
            kv_heads,
            header.integer(f"{arch}.attention.key_length") or width // heads,
            header.integer(f"{arch}.attention.value_length") or width // heads,
        )

    def nbytes(
        self, context: int, keys: GgmlType = GgmlType.F16, values: GgmlType = GgmlType.F16
    ) -> int:
        """Bytes for `context` tokens, with keys and values kept in these types."""
        row = keys.row_bytes(self.heads * self.key) + values.row_bytes(self.heads * self.value)
        return self.layers * row * context


def check_cache_fits(
    header: ModelHeader,
    context: int,
    *,
    keys: GgmlType = GgmlType.F16,
    values: GgmlType = GgmlType.F16,
    available: int | None = None,
) -> None:
    """ModelError if a cache of `context` tokens cannot be in main memory, or in these types.

    `available` is in bytes (default: what the machine says). Weights are mapped and can
    be dropped and read again, so they are not counted.
    """
    shape = KvShape.of(header)
    if shape is None:
        return
    _check_blocks(header, shape.key, keys)
    _check_blocks(header, shape.value, values)
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
    raise ModelError(
        f"a context of {context:,} tokens does not fit into this machine's memory",
        path=header.path,
        found=f"{needed / 2**30:.1f} GiB of KV cache",
        expected=f"at most the {available / 2**30:.1f} GiB that are free",
        hint=hint,
    )


def _half_fits(shape: KvShape, context: int, available: int) -> bool:
    small = GgmlType.Q8_0
    if shape.key % small.block_size or shape.value % small.block_size:
        return False
    return shape.nbytes(context, small, small) <= available


def _check_blocks(header: ModelHeader, size: int, kind: GgmlType) -> None:
    if size % kind.block_size:
        raise ModelError(
            f"this model's KV cache cannot be kept in {kind.name.lower()}",
            path=header.path,
            found=f"heads of {size} numbers",
            expected=f"a multiple of {kind.block_size}",
            hint="keep it in f16",
        )
