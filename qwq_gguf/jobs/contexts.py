"""What a user wants of a context, and what that means for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.errors import UsageError
from qwq_gguf.words import did_you_mean

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.context_settings import ContextSettings
    from qwq_gguf.engine.llama.rpc_devices import Worker
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.metadata import KeyValue

__all__ = ["AUTOMATIC", "USUAL", "ContextWish", "cache_type", "read_workers"]

AUTOMATIC = ("context", "gpu_layers", "kv_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWish:
    """As people say it: types by their names, a factor for YaRN. None is the usual.

    `automatic` are those of AUTOMATIC that are chosen by what fits this machine; the experts of
    the first `cpu_experts` layers stay in main memory. `workers` are other machines that compute
    some of the layers.

    UsageError for a type that a cache cannot be kept in.
    """

    keys: str | None = None
    values: str | None = None
    flash_attention: bool | None = None
    yarn: float | None = None
    automatic: frozenset[str] = frozenset()
    cpu_experts: int = 0
    workers: tuple[Worker, ...] = ()

    def __post_init__(self) -> None:
        if self.workers and self.automatic:
            raise UsageError(
                "auto looks at this machine alone: with --rpc, say the numbers "
                "(docs/scale.md has how to plan them)"
            )
        if self.keys is not None:
            cache_type(self.keys, "--cache-type-k")
        if self.values is not None:
            kind = cache_type(self.values, "--cache-type-v")
            if kind.quantized and self.flash_attention is False:
                raise UsageError(
                    f"--cache-type-v {self.values} goes with --flash-attn on or auto only"
                )

    def settings(self, metadata: Mapping[str, KeyValue]) -> ContextSettings:
        """For the model of these keys. ConfigError where its positions cannot be stretched so."""
        from qwq_gguf.engine.llama.context_settings import ContextSettings
        from qwq_gguf.gguf_file.yarn import yarn_of

        return ContextSettings(
            keys=cache_type(self.keys or "f16", "--cache-type-k"),
            values=cache_type(self.values or "f16", "--cache-type-v"),
            flash_attention=self.flash_attention,
            yarn=None if self.yarn is None else yarn_of(metadata, self.yarn),
        )


USUAL = ContextWish()


def cache_type(name: str, flag: str) -> GgmlType:
    """The type that a user calls so. UsageError, which names the flag, where it is none."""
    from qwq_gguf.engine.llama.context_settings import CACHE_TYPES

    known = {kind.name.lower(): kind for kind in CACHE_TYPES}
    kind = known.get(name.lower())
    if kind is None:
        meant = did_you_mean(name, known) or "it may be f16, q8_0 or q4_0"
        raise UsageError(f"{flag}: a KV cache cannot be kept in {name[:20]}; {meant}")
    return kind


def read_workers(text: str) -> tuple[Worker, ...]:
    """`HOST:PORT,HOST,...`. UsageError for what is none, for one twice, and for too many."""
    from qwq_gguf.engine.llama.rpc_devices import MOST_WORKERS, PORT, Worker

    found = []
    for part in text.split(","):
        host, colon, port = part.strip().partition(":")
        if not host or not host.isascii() or not host.replace("-", "").replace(".", "").isalnum():
            raise UsageError(f"--rpc is HOST:PORT,HOST:PORT,..., not {part.strip()[:60]!r}")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 1 << 16):
            raise UsageError(f"--rpc: {port[:20]!r} is no port")
        found.append(Worker(host, int(port) if colon else PORT))
    if len(set(found)) < len(found):
        raise UsageError("--rpc names a worker twice")
    if len(found) > MOST_WORKERS:
        raise UsageError(f"--rpc takes at most {MOST_WORKERS} workers")
    return tuple(found)
