"""The tensors of an adapter by the modules that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwq_gguf.conversion.adapters.settings import peft_merge
from qwq_gguf.conversion.names import usual_names
from qwq_gguf.conversion.parts import FLOATS
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.words import some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.adapter import Adapter
    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["Contents", "sort_out"]

_WRAPPER = "base_model.model."
# What PEFT calls the parts of a product, and the ending that it saves with each.
_PARTS = {
    "lora_A": ("weight",),
    "lora_B": ("weight", "bias"),
    "lora_embedding_A": ("", "weight"),
    "lora_embedding_B": ("", "weight"),
    "lora_magnitude_vector": ("", "weight"),
}
# Parts of names that stand for the module itself, and the name that most adapters bear.
_INNER = ("modules_to_save", "base_layer", "original_module")
_DEFAULT = "default"


@dataclass(slots=True)
class Contents:
    """`products` has the parts of a product by the ordinary name of the weight that it is added
    to, each by PEFT's name of it ("lora_B.bias" for a bias). `replaced` are whole tensors by
    the ordinary names of those in whose place they stand.
    """

    products: dict[str, dict[str, TensorInfo]] = field(default_factory=dict)
    replaced: dict[str, TensorInfo] = field(default_factory=dict)


def sort_out(adapter: Adapter) -> Contents:
    """What an adapter holds. UnsupportedError names tensors that are nothing known."""
    _refuse_numbers(adapter.tensors)
    parts: dict[str, list[tuple[str, TensorInfo]]] = {}
    whole: dict[str, TensorInfo] = {}
    unknown: list[str] = []
    for name, info in adapter.tensors.items():
        pieces = name.removeprefix(_WRAPPER).split(".")
        at = next((i for i, piece in enumerate(pieces) if piece in _PARTS), None)
        if at is not None:
            rest = ".".join(piece for piece in pieces[at + 1 :] if piece != _DEFAULT)
            if rest not in _PARTS[pieces[at]] or at == 0:
                unknown.append(name)
                continue
            part = f"{pieces[at]}.bias" if rest == "bias" else pieces[at]
            module = ".".join(piece for piece in pieces[:at] if piece not in _INNER)
            parts.setdefault(f"{module}.weight", []).append((part, info))
        elif pieces[-1] in ("weight", "bias") and len(pieces) > 1:
            inner = [piece in _INNER for piece in pieces]
            bare = [
                piece
                for i, piece in enumerate(pieces)
                if not inner[i] and not (piece == _DEFAULT and i and inner[i - 1])
            ]
            whole[".".join(bare)] = info
        else:
            unknown.append(name)
    if unknown:
        raise UnsupportedError(
            "tensors of the adapter that are no part of a LoRA known here",
            path=adapter.weights,
            found=some(unknown),
            hint=peft_merge(adapter.folder),
        )
    usual = usual_names([*parts, *whole])
    found = Contents()
    for name, several in parts.items():
        known = found.products.setdefault(usual[name], {})
        for part, info in several:
            if part in known:
                raise _twice(adapter, known[part], info)
            known[part] = info
    for name, info in whole.items():
        if usual[name] in found.replaced:
            raise _twice(adapter, found.replaced[usual[name]], info)
        found.replaced[usual[name]] = info
    return found


def _twice(adapter: Adapter, first: TensorInfo, second: TensorInfo) -> UnsupportedError:
    return UnsupportedError(
        "two tensors of the adapter are for one of the model",
        path=adapter.weights,
        found=f"{first.name}, {second.name}",
        hint=peft_merge(adapter.folder),
    )


def _refuse_numbers(tensors: Mapping[str, TensorInfo]) -> None:
    for info in tensors.values():
        if info.dtype not in FLOATS:
            raise UnsupportedError(
                f"{info.name}: an adapter of this data type cannot be merged",
                path=info.shard,
                found=info.dtype,
                expected=", ".join(FLOATS),
                hint="save the adapter in one of these",
            )
