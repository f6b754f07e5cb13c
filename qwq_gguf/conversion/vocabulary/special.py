"""Which tokens begin, end and pad a text, and which of them the tokenizer adds by itself.

Three places have a say, and llama.cpp's converter hears them in this order: the
post_processor of tokenizer.json, tokenizer_config.json, config.json. What an earlier one
said stays. This follows it, because a different order gives a different GGUF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qwq_gguf.conversion.vocabulary.postprocessor import (
    processors,
    sequence_id,
    special_id,
    template,
)
from qwq_gguf.conversion.vocabulary.tokens import BpeVocabulary
from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, boolean, u32

__all__ = ["SpecialTokens", "named_special", "read_special", "token_text"]

_KINDS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_KEYS = {
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "unk": "unknown_token_id",
    "sep": "seperator_token_id",  # as GGUF spells it
    "pad": "padding_token_id",
    "mask": "mask_token_id",
    "eot": "eot_token_id",
    "eom": "eom_token_id",
}
# There is no key for `cls`, and for the others no add_*_token.
_ADD_KEYS = ("bos", "eos", "sep")


@dataclass(slots=True)
class SpecialTokens:
    """Token numbers and switches by kind, in the order in which they were found."""

    ids: dict[str, int] = field(default_factory=dict)
    adds: dict[str, bool] = field(default_factory=dict)

    def keys(self) -> list[KeyValue]:
        """`tokenizer.ggml.*_token_id`, then `tokenizer.ggml.add_*_token`."""
        return [
            u32(f"tokenizer.ggml.{_KEYS[kind]}", number)
            for kind, number in self.ids.items()
            if kind in _KEYS
        ] + [
            boolean(f"tokenizer.ggml.add_{kind}_token", value)
            for kind, value in self.adds.items()
            if kind in _ADD_KEYS
        ]


def read_special(
    tokenizer: Mapping[str, Any],
    tokenizer_config: Mapping[str, Any],
    config: Mapping[str, Any],
    vocabulary: BpeVocabulary,
    *,
    size: int,
    path: Path,
) -> SpecialTokens:
    """Collect the special tokens of a model with `size` embeddings.

    ConfigError when config.json, at `path`, names a token beyond the last embedding.
    """
    special = SpecialTokens()
    named = dict(tokenizer_config)
    kinds = _apply_post_processor(tokenizer.get("post_processor"), named, special)
    if tokenizer_config:
        numbers: dict[str, int] = {}
        for token in vocabulary.added:
            numbers.setdefault(token.content, token.id)
        for kind in kinds:
            add = tokenizer_config.get(f"add_{kind}_token")
            if isinstance(add, bool):
                special.adds.setdefault(kind, add)
            number = numbers.get(token_text(named.get(f"{kind}_token")))
            if number is not None:
                special.ids.setdefault(kind, number)
    for kind in kinds:
        number = config.get(f"{kind}_token_id")
        # A list (Llama 3 names several ends) or -1 (no padding) names no one token.
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            continue
        if number >= size:
            raise ConfigError(
                f"{kind}_token_id is beyond the vocabulary",
                path=path,
                found=number,
                expected=f"less than {size}",
            )
        special.ids.setdefault(kind, number)
    return special


def named_special(tokenizer_config: Mapping[str, Any]) -> frozenset[str]:
    """Tokens that tokenizer_config.json gives a role, which makes them special whatever
    tokenizer.json says of them.
    """
    return frozenset(token_text(tokenizer_config.get(f"{kind}_token")) for kind in _KINDS)


def token_text(value: Any) -> str:
    """A token of tokenizer_config.json, text or an object with `content`; "" for neither."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _apply_post_processor(
    post_processor: Any, named: dict[str, Any], special: SpecialTokens
) -> tuple[str, ...]:
    """Read the switches, correct `named` where a template knows better, and return the kinds
    to look for: `eot` and `eom` join them when a template ends in another token than eos.
    """
    kinds = list(_KINDS)
    for missing, stand_in in (("bos_token", "cls_token"), ("eos_token", "sep_token")):
        if not named.get(missing) and named.get(stand_in):
            named[missing] = named[stand_in]
    for processor in processors(post_processor):
        kind = processor.get("type")
        if kind == "ByteLevel":
            special.adds.setdefault("bos", False)
            special.adds.setdefault("eos", False)
        elif kind == "RobertaProcessing":
            special.adds.update(bos=True, eos=True, sep=True)
        elif kind == "TemplateProcessing":
            first, last = _single(template(processor, "single"), named, special, kinds)
            _pair(template(processor, "pair"), first, last, named, special)
    return tuple(kinds)


def _single(
    parts: list[Mapping[str, Any]],
    named: dict[str, Any],
    special: SpecialTokens,
    kinds: list[str],
) -> tuple[str | None, str | None]:
    """The tokens around one text: the first is bos (or cls), the last is the true eos."""
    if len(parts) < 2:
        return None, None
    first, last = special_id(parts[0]), special_id(parts[-1])
    if first:
        if first not in (named.get("bos_token"), named.get("cls_token")):
            named["bos_token"] = named.get("bos_token") or first
            named["cls_token"] = named.get("cls_token") or first
        special.adds["bos"] = first in (named["bos_token"], named.get("cls_token"))
    if last:
        if last != named.get("eos_token"):
            free = next((name for name in ("eot", "eom") if name not in kinds), None)
            if free:
                kinds.append(free)
                named[f"{free}_token"] = named.get("eos_token")
            named["eos_token"] = last
        special.adds["eos"] = True
    return first, last


def _pair(
    parts: list[Mapping[str, Any]],
    first: str | None,
    last: str | None,
    named: dict[str, Any],
    special: SpecialTokens,
) -> None:
    """Whether a separator stands between two named: A sep B, or A sep eos B."""
    if not parts:
        return
    if first and special_id(parts[0]) == first:
        parts = parts[1:]
    if parts and last and special_id(parts[-1]) == last:
        parts = parts[:-1]
    if len(parts) < 3 or sequence_id(parts[0]) != "A" or sequence_id(parts[-1]) != "B":
        return
    between = [special_id(part) for part in parts[1:-1]]
    separators = (named.get("sep_token"), named.get("eos_token"))
    add = between[0] is not None and between[0] in separators and not last
    if len(between) == 2 and between[1] is not None and between[1] in separators:
        add = True
    special.adds["sep"] = add
    if add and not named.get("sep_token"):
        named["sep_token"] = named.get("eos_token")
