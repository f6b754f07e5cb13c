"""How large a context is, where it and its model lie, and how it is kept: the flags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.jobs.contexts import ContextWish

__all__ = ["CountedLayers", "Kept", "Placed", "Threads", "whole_or_auto"]

AUTO = "auto"
_FLASH = {"on": True, "off": False, "auto": None}
_TYPES = ["f16", "q8_0", "q4_0"]

Context: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--ctx",
        metavar="N",
        help="Context in tokens, of a server for all replies together; auto: what fits."
        "  [default: the profile's, or the model's if smaller]",
        show_default=False,
    ),
]
GpuLayers: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-ngl",
        "--gpu-layers",
        metavar="N",
        help="Layers on the graphics card; auto: what fits.  [default: all, if this build can]",
        show_default=False,
    ),
]
CountedLayers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "-ngl",
        "--gpu-layers",
        metavar="N",
        min=-1,
        help="Layers on the graphics card.  [default: all, if this build can]",
        show_default=False,
    ),
]
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
        help="Keep keys and values in TYPE; auto: by what fits this machine.  [default: f16]",
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
class Kept:
    """What a context's cache is kept in, and how it is attended to."""

    cache_type_k: CacheTypeK = None
    cache_type_v: CacheTypeV = None
    flash_attention: FlashAttention = None
    yarn: Yarn = None

    def wish(self) -> ContextWish:
        """These flags as one value. Usage error for words that mean nothing."""
        from qwq_gguf.jobs.contexts import ContextWish

        flash = self.flash_attention
        word = AUTO if flash is None else flash.lower()
        if word not in _FLASH:
            raise typer.BadParameter(f"--flash-attn is on, off or auto, not {flash}")
        return ContextWish(
            keys=self.cache_type_k,
            values=self.cache_type_v,
            flash_attention=_FLASH[word],
            yarn=self.yarn,
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """How large a context is, and what computes on what of it and of the model."""

    context: Context = None
    gpu_layers: GpuLayers = None
    threads: Threads = None
    cpu_experts: CpuExperts = 0
    rpc: Rpc = None
    kv_type: KvType = None

    @property
    def tokens(self) -> int | None:
        """The context as a number; None for the usual one, or for what fits."""
        return whole_or_auto(self.context, "--ctx", 1)[0]

    @property
    def layers(self) -> int | None:
        """The layers on a card as a number; None for all, or for what fits."""
        return whole_or_auto(self.gpu_layers, "--gpu-layers", -1)[0]

    def wish(self, kept: Kept) -> ContextWish:
        """These flags and those as one value, with what is left to what fits. Usage error for
        words that mean nothing.
        """
        both, automatic = self.kv_type, self._automatic()
        if both is not None and (kept.cache_type_k, kept.cache_type_v) != (None, None):
            raise typer.BadParameter("--kv-type says both of --cache-type-k and --cache-type-v")
        if both is not None and both.lower() != AUTO:
            kept = replace(kept, cache_type_k=both, cache_type_v=both)
        from qwq_gguf.jobs.contexts import read_workers

        return replace(
            kept.wish(),
            automatic=automatic,
            cpu_experts=self.cpu_experts,
            workers=() if self.rpc is None else read_workers(self.rpc),
        )

    def _automatic(self) -> frozenset[str]:
        left = {
            "context": whole_or_auto(self.context, "--ctx", 1)[1],
            "gpu_layers": whole_or_auto(self.gpu_layers, "--gpu-layers", -1)[1],
            "kv_type": self.kv_type is not None and self.kv_type.lower() == AUTO,
        }
        return frozenset(name for name, auto in left.items() if auto)


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
