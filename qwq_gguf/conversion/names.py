"""Tensor names as Transformers saves them, whatever wrapped the model when it was saved.

torch.compile, DataParallel, FSDP, PEFT, value heads and vision models put the model into
another module, and each leaves its mark in every name. The tensors are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["EMBEDDING", "HEAD", "ordinary_names", "strange_prefix", "usual_names"]

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_USUAL = "model."
_BACKBONE = "backbone."  # what Nemotron-H calls the decoder: nothing strange
# Modules that others are put into, in front of the decoder or of its parts.
_OUTER = frozenset(
    (
        *("model", "module", "base_model", "language_model", "text_model", "pretrained_model"),
        *("_forward_module", "llm", "actor", "policy"),
    )
)
# torch.compile and FSDP wrap single layers as well, in the midst of a name.
_INNER = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_BODY = re.compile(
    r"((?:[^.]+\.)*?)"
    r"(layers\.\d+\.[^\n]+|(?:embed_tokens|norm|embed_tokens_per_layer|per_layer_[a-z_]+)\.weight)"
)
_HEAD = re.compile(r"((?:[^.]+\.)*)lm_head\.weight")
_LONGEST = 300  # characters; no name that means anything is longer


def ordinary_names(
    tensors: Mapping[str, TensorInfo], *, tied: bool
) -> tuple[dict[str, TensorInfo], tuple[str, ...]]:
    """The tensors by the names that Transformers gives them, and what was found, for people.

    In the order of their shards, and in each by name, as those of an ordinary checkpoint
    are. Where the names have no prefix in common that is known, they stay as they are. Names
    that only the metadata of a shard has are added. With `tied` embeddings, a tensor that
    is saved as lm_head alone is the embedding.
    """
    naming = _Naming.of(tensors)
    by_name = {naming.usual(name): info for name, info in tensors.items()}
    if len(by_name) < len(tensors):  # two became one
        return dict(tensors), ()
    notes = list(naming.notes(tensors))
    for name, info in list(by_name.items()):
        for alias in map(naming.usual, info.aliases):
            if alias in by_name or (tied and alias == HEAD):
                continue
            by_name[alias] = info
            if tied and (name, alias) == (HEAD, EMBEDDING):
                del by_name[name]
            notes.append(f"{alias} is {info.name}, as the metadata of {info.shard.name} says")
    if tied and EMBEDDING not in by_name and HEAD in by_name:
        by_name[EMBEDDING] = by_name.pop(HEAD)
        notes.append(f"{by_name[EMBEDDING].name} is the embedding, as tie_word_embeddings says")
    shards = dict.fromkeys(info.shard for info in tensors.values())
    places = {shard: place for place, shard in enumerate(shards)}
    order = sorted(by_name, key=lambda name: (places[by_name[name].shard], name))
    return {name: by_name[name] for name in order}, tuple(notes)


def usual_names(names: Sequence[str]) -> dict[str, str]:
    """What Transformers calls each of these, whatever stands in front of all of them."""
    naming = _Naming.of(names)
    return {name: naming.usual(name) for name in names}


def strange_prefix(names: Iterable[str]) -> str | None:
    """What stands before the name of every tensor of a decoder, if it is nothing usual."""
    prefix = _Naming.of(names).prefix
    return None if prefix is None or prefix == _BACKBONE or _known(prefix) else prefix


@dataclass(frozen=True, slots=True)
class _Naming:
    """How a checkpoint names its tensors. `prefix` is what stands before those of the
    decoder, None where that is not one thing.
    """

    prefix: str | None

    @classmethod
    def of(cls, names: Iterable[str]) -> _Naming:
        # What predicts a further token has layers of its own, beside the decoder's.
        parts = (_body(name) for name in names if not name.startswith("mtp."))
        prefixes = {prefix for prefix, rest in filter(None, parts) if rest != "norm.weight"}
        # What sees or hears may have layers too, in modules that no decoder is put into.
        ours = {prefix for prefix in prefixes if _known(prefix)} or prefixes
        return cls(ours.pop() if len(ours) == 1 else None)

    def usual(self, name: str) -> str:
        """What Transformers calls it."""
        if self.prefix is None or not _known(self.prefix):
            return name
        body = _body(name)
        if body is not None:
            return _USUAL + body[1] if body[0] == self.prefix else name
        head = _HEAD.fullmatch(_bare(name))
        return HEAD if head is not None and _known(head[1]) else _bare(name)

    def notes(self, names: Iterable[str]) -> Iterable[str]:
        """What is not usual about it."""
        if self.prefix is None or not _known(self.prefix):
            return
        if self.prefix == "":
            yield f"the tensors' names lack the usual {_USUAL!r}: read as if they had it"
        elif self.prefix != _USUAL:
            yield (
                f"the tensors' names begin with {self.prefix!r} where {_USUAL!r} is usual: "
                "read as if they had that"
            )
        wrappers = {found.rstrip(".") for name in names for found in _INNER.findall(name)}
        if wrappers:
            yield f"{', '.join(sorted(wrappers))} in the tensors' names is left out"


def _bare(name: str) -> str:
    return _INNER.sub("", name) if len(name) <= _LONGEST else name


def _body(name: str) -> tuple[str, str] | None:
    """What stands before the decoder's own name of a tensor, and that name."""
    match = _BODY.fullmatch(_bare(name)) if len(name) <= _LONGEST else None
    return None if match is None else (match[1], match[2])


def _known(prefix: str) -> bool:
    return all(part in _OUTER for part in prefix.split(".") if part)
