"""Whether a context fits into memory, before the system has to kill somebody over it.

Memory is promised generously and paid out on first touch, so a KV cache that is too
large is not refused by malloc: the process dies by a signal while it clears it.
"""

from __future__ import annotations

from qwq_gguf.errors import ModelError
from qwq_gguf.gguf_file import GgufFile
from qwq_gguf.machine import available_memory

__all__ = ["cache_bytes", "check_room"]

_F16 = 2


def cache_bytes(gguf: GgufFile, context: int) -> int | None:
    """Bytes of an f16 KV cache of `context` tokens; None if the header does not say.

    Keys and values, a row of `key_length` and `value_length` a key-value head a layer.
    """
    arch = gguf.architecture
    layers = gguf.integer(f"{arch}.block_count")
    heads = gguf.integer(f"{arch}.attention.head_count")
    width = gguf.integer(f"{arch}.embedding_length")
    if not layers or not heads or not width:
        return None
    key = gguf.integer(f"{arch}.attention.key_length") or width // heads
    value = gguf.integer(f"{arch}.attention.value_length") or width // heads
    kv_heads = gguf.integer(f"{arch}.attention.head_count_kv") or heads
    return layers * kv_heads * (key + value) * _F16 * context


def check_room(gguf: GgufFile, context: int, available: int | None = None) -> None:
    """ModelError if a cache of this size cannot be in main memory.

    `available` is in bytes (default: what the machine says). Weights are mapped and can
    be dropped and read again, so they are not counted.
    """
    if available is None:
        available = available_memory()
    needed = cache_bytes(gguf, context)
    if needed is None or available is None or needed <= available:
        return
    a_token = needed // context
    raise ModelError(
        f"a context of {context:,} tokens does not fit into this machine's memory",
        path=gguf.path,
        found=f"{needed / 2**30:.1f} GiB of KV cache",
        expected=f"at most the {available / 2**30:.1f} GiB that are free",
        hint=f"-c {max(256, int(0.8 * available / a_token) // 256 * 256)}",
    )
