"""How a context is kept: the types of its cache, flash attention, YaRN. The flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.jobs.contexts import ContextWish

__all__ = [
    "Attention",
    "CacheTypes",
    "CpuExperts",
    "KvType",
    "Rpc",
    "Threads",
    "placed_of",
    "whole_or_auto",
    "wish_of",
]

AUTO = "auto"
_FLASH = {"on": True, "off": False, "auto": None}
_TYPES = ["f16", "q8_0", "q4_0"]

CacheTypeK: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-ctk",
        "--cache-type-k",
        metavar="TYPE",
        help="Keep the KV cache's keys in f16, q8_0 or q4_0.  [default: f16]",
        autocompletion=lambda: _TYPES,
        show_default=False,
    ),
]
CacheTypeV: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-ctv",
        "--cache-type-v",
        metavar="TYPE",
        help="The same for its values; with flash attention.  [default: f16]",
        autocompletion=lambda: _TYPES,
        show_default=False,
    ),
]
FlashAttention: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-fa",
        "--flash-attn",
        metavar="WHEN",
        help="Flash attention: on, off or auto.  [default: auto]",
        autocompletion=lambda: list(_FLASH),
        show_default=False,
    ),
]
Yarn: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--yarn",
        metavar="FACTOR",
        help="Stretch the context beyond what the model was made for, with -c; for long texts "
        "only (1: not even if the file says so).  [default: as the file says]",
        show_default=False,
    ),
]
KvType: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--kv-type",
        metavar="TYPE",
        help="The same for both; auto: by what fits this machine.  [default: f16]",
        autocompletion=lambda: ["auto", *_TYPES],
        show_default=False,
    ),
]
Rpc: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--rpc",
        metavar="HOST:PORT,...",
        help="Machines that compute some of the layers: each runs `qwq-gguf rpc-worker`.",
        show_default=False,
    ),
]
CpuExperts: TypeAlias = Annotated[
    int,
    typer.Option(
        "-ncmoe",
        "--n-cpu-moe",
        metavar="N",
        min=0,
        help="Keep the experts of the first N layers in main memory.  [default: 0]",
        show_default=False,
    ),
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option("-t", "--threads", metavar="N", min=1, help="CPU threads.  [default: cores]"),
]


@dataclass(frozen=True, slots=True)
class CacheTypes:
    """What a KV cache is kept in."""

    cache_type_k: CacheTypeK = None
    cache_type_v: CacheTypeV = None


@dataclass(frozen=True, slots=True)
class Attention:
    """How a context is attended to."""

    flash_attention: FlashAttention = None
    yarn: Yarn = None


def placed_of(
    context: str | None, gpu_layers: str | None
) -> tuple[int | None, int | None, frozenset[str]]:
    """Context and layers as numbers, and which of them are left to what fits."""
    tokens, any_context = whole_or_auto(context, "--ctx", 1)
    layers, any_layers = whole_or_auto(gpu_layers, "--gpu-layers", -1)
    left = {"context": any_context, "gpu_layers": any_layers}
    return tokens, layers, frozenset(name for name, auto in left.items() if auto)


def whole_or_auto(text: str | None, flag: str, least: int) -> tuple[int | None, bool]:
    """A number, and whether it is `auto`. Usage error for anything else."""
    if text is None or text.strip().lower() == AUTO:
        return None, text is not None
    try:
        number = int(text)
    except ValueError:
        raise typer.BadParameter(f"{flag} is a number or auto, not {text[:20]}") from None
    if not least <= number < 1 << 31:
        raise typer.BadParameter(f"{flag}: {text[:20]} is not in the range x>={least}")
    return number, False


def wish_of(
    cache: CacheTypes,
    attention: Attention,
    *,
    both: str | None = None,
    automatic: frozenset[str] = frozenset(),
    cpu_experts: int = 0,
    rpc: str | None = None,
) -> ContextWish:
    """These flags as one value. Usage error for words that mean nothing."""
    keys, values = cache.cache_type_k, cache.cache_type_v
    if both is not None:
        if keys is not None or values is not None:
            raise typer.BadParameter("--kv-type says both of --cache-type-k and --cache-type-v")
        if both.lower() == AUTO:
            automatic |= {"kv_type"}
        else:
            keys = values = both
    from qwq_gguf.jobs.contexts import ContextWish, read_workers

    flash = attention.flash_attention
    word = "auto" if flash is None else flash.lower()
    if word not in _FLASH:
        raise typer.BadParameter(f"--flash-attn is on, off or auto, not {flash}")
    return ContextWish(
        keys=keys,
        values=values,
        flash_attention=_FLASH[word],
        yarn=attention.yarn,
        automatic=automatic,
        cpu_experts=cpu_experts,
        workers=() if rpc is None else read_workers(rpc),
    )
