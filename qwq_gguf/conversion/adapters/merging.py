"""Adapters on a checkpoint: which of its tensors get which products, and which give way.

The arithmetic is that of PEFT's `merge_and_unload` on a model loaded in F32: a product, times
its scale, added to the weight; one adapter after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.conversion.adapters.contents import sort_out
from qwq_gguf.conversion.adapters.settings import Settings, peft_merge, read_settings
from qwq_gguf.conversion.names import EMBEDDING, HEAD
from qwq_gguf.conversion.updates import Factor, Update
from qwq_gguf.errors import TensorError, UnsupportedError
from qwq_gguf.words import count, some

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.adapter import Adapter
    from qwq_gguf.checkpoint.values import Checkpoint, TensorInfo
    from qwq_gguf.conversion.parts import Code

__all__ = ["Merged", "merge_adapters"]


@dataclass(frozen=True, slots=True)
class Merged:
    """The tensors of a checkpoint, some replaced by an adapter's; what makes weights of their
    numbers; what is done to them; and sentences about it.
    """

    tensors: Mapping[str, TensorInfo]
    scales: Mapping[str, Code]
    updates: Mapping[str, tuple[Update, ...]]
    notes: tuple[str, ...]


def merge_adapters(
    adapters: Sequence[Adapter],
    checkpoint: Checkpoint,
    tensors: Mapping[str, TensorInfo],
    scales: Mapping[str, Code],
    left_out: Callable[[str], str | None],
) -> Merged:
    """`tensors` are the checkpoint's by their ordinary names; `left_out` says of a name why a
    GGUF has no such tensor, None where it has.

    TensorError for an adapter that does not fit the model, UnsupportedError for one of a form
    that is not known, ConfigError for a configuration that makes no sense.
    """
    named, codes = dict(tensors), dict(scales)
    updates: dict[str, tuple[Update, ...]] = {}
    notes: list[str] = []
    for adapter in adapters:
        settings = read_settings(adapter.config, adapter.folder / "adapter_config.json")
        contents = sort_out(adapter)
        dropped = [
            name
            for name in (*contents.products, *contents.replaced)
            if name not in named and left_out(name) is not None
        ]
        wanted = {*contents.products, *contents.replaced, *_biases(contents.products)}
        _refuse_missing(adapter, [n for n in wanted if n not in named and n not in dropped])
        for name, info in contents.replaced.items():
            if name in dropped:
                continue
            if info.shape != named[name].shape:
                raise _other_shape(adapter, info, named[name])
            named[name] = info
            codes.pop(name, None)
            updates[name] = ()
        for name, parts in contents.products.items():
            if name in dropped:
                continue
            update = _product(adapter, settings, name, parts, named[name])
            updates[name] = (*updates.get(name, ()), update)
            bias = parts.get("lora_B.bias")
            if bias is not None:
                other = _bias_name(name)
                if bias.shape != named[other].shape:
                    raise _other_shape(adapter, bias, named[other])
                added = Update(None, Factor(bias), update.scale)
                updates[other] = (*updates.get(other, ()), added)
        notes += _notes(adapter, checkpoint, len(contents.products), contents.replaced, dropped)
    return Merged(named, codes, updates, tuple(notes))


def _product(
    adapter: Adapter,
    settings: Settings,
    name: str,
    parts: Mapping[str, TensorInfo],
    weight: TensorInfo,
) -> Update:
    pairs = ("lora_A", "lora_B"), ("lora_embedding_A", "lora_embedding_B")
    found = [pair for pair in pairs if pair[0] in parts or pair[1] in parts]
    if len(found) != 1 or not all(part in parts for part in found[0]):
        raise TensorError(
            f"the adapter has no whole product for {name}",
            path=adapter.weights,
            found=", ".join(sorted(parts)),
            expected="lora_A and lora_B, or lora_embedding_A and lora_embedding_B",
            hint="it was not saved as a whole: download or save it again",
        )
    first, second = (parts[part] for part in found[0])
    embedding = found == [pairs[1]]
    if len(weight.shape) != 2:
        raise UnsupportedError(
            f"{name} has {len(weight.shape)} dimensions, and adapters are merged into matrices",
            path=adapter.weights,
            found=first.name,
            hint=peft_merge(adapter.folder),
        )
    rank = first.shape[0] if len(first.shape) == len(second.shape) == 2 else 0
    if rank == 0 or second.shape[1] != rank or (rank != settings.rank and not settings.ranks):
        raise TensorError(
            f"the matrices of the adapter for {name} do not fit each other",
            path=adapter.weights,
            found=f"{list(first.shape)} and {list(second.shape)}",
            expected=f"[{settings.rank}, ...] and [..., {settings.rank}], as r says",
            hint="check that adapter_config.json belongs to these weights",
        )
    across = (second.shape[0], first.shape[1])  # of second times first
    turned = embedding or (across != weight.shape and settings.fan_in_fan_out)
    if (across[::-1] if turned else across) != weight.shape:
        raise _other_shape(adapter, first, weight, across[::-1] if turned else across)
    magnitudes = parts.get("lora_magnitude_vector")
    if magnitudes is not None and (turned or magnitudes.shape not in _columns(weight.shape[0])):
        raise UnsupportedError(
            f"DoRA is merged into the rows of plain matrices, and not into {name}",
            path=adapter.weights,
            found=f"{magnitudes.name} {list(magnitudes.shape)}",
            expected=f"[{weight.shape[0]}]",
            hint=peft_merge(adapter.folder),
        )
    scale = settings.scale(name.removesuffix(".weight"), rank)
    if turned:
        return Update(Factor(first, True), Factor(second, True), scale)
    return Update(Factor(second), Factor(first), scale, magnitudes)


def _columns(rows: int) -> tuple[tuple[int, ...], ...]:
    return (rows,), (rows, 1)


def _bias_name(name: str) -> str:
    return f"{name.removesuffix('weight')}bias"


def _biases(products: Mapping[str, Mapping[str, TensorInfo]]) -> list[str]:
    return [_bias_name(name) for name, parts in products.items() if "lora_B.bias" in parts]


def _refuse_missing(adapter: Adapter, missing: Sequence[str]) -> None:
    if not missing:
        return
    if HEAD in missing:
        raise UnsupportedError(
            "the adapter changes the head, which this model has in common with its embedding",
            path=adapter.weights,
            found=HEAD,
            expected=f"a model with {HEAD}, or an adapter for {EMBEDDING}",
            hint=peft_merge(adapter.folder)
            + ', with "tie_word_embeddings": false in its config.json',
        )
    raise TensorError(
        "the adapter is for tensors that this model does not have",
        path=adapter.weights,
        found=some(sorted(missing)),
        hint=_name_the_base(adapter),
    )


def _other_shape(
    adapter: Adapter,
    info: TensorInfo,
    weight: TensorInfo,
    shape: tuple[int, ...] | None = None,
) -> TensorError:
    longer = weight.name.endswith(("embed_tokens.weight", "lm_head.weight"))
    return TensorError(
        f"the adapter does not fit {weight.name}",
        path=adapter.weights,
        found=f"{info.name}, for {list(shape or info.shape)}",
        expected=list(weight.shape),
        hint="its vocabulary was enlarged in training: " + peft_merge(adapter.folder)
        if longer and info.shape[1:] == weight.shape[1:]
        else _name_the_base(adapter),
    )


def _name_the_base(adapter: Adapter) -> str:
    if adapter.base is None:
        return "take the model that it was trained on"
    return f"take the model that it was trained on, which it calls {adapter.base[:200]}"


def _notes(
    adapter: Adapter,
    checkpoint: Checkpoint,
    products: int,
    replaced: Mapping[str, TensorInfo],
    dropped: Sequence[str],
) -> list[str]:
    told = count(products, "product") + " added"
    if replaced:
        told += f", {count(len(replaced), 'tensor')} replaced"
    notes = [f"the adapter {adapter.name} is merged in F32: {told}"]
    if dropped:
        notes.append(f"{len(dropped)} of them are for what is left out: {some(dropped)}")
    base = adapter.base
    if base is not None:
        last = base.rstrip("/").rpartition("/")[2].lower()
        if last not in (checkpoint.name.lower(), checkpoint.folder.name.lower()):
            notes.append(
                f"{adapter.name} was trained on {base[:200]}, as it says, and is merged into "
                f"{checkpoint.name}, which it fits"
            )
    return notes
