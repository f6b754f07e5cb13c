"""What the name of a model says: "Qwen/Qwen2.5-7B-Instruct-v2" taken to pieces.

The rules are those of llama.cpp's converter (gguf-py/gguf/metadata.py), so that both files
say the same of one model. They describe the habits of people who name models, no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ModelId", "parse_model_id", "size_label", "titled"]

_VERSION = re.compile(r"(v|iter)?\d+(\.\d+)*", re.IGNORECASE)
_ENCODING = re.compile(r"i?q\d(_\w)*|b?fp?(16|32)", re.IGNORECASE)
_SIZE = re.compile(r"(A|\d+x)?\d+([._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl", re.IGNORECASE)
_TUNED = re.compile(r"chat|instruct|vision|lora", re.IGNORECASE)
_KEPT_AS_IS = re.compile(r"v\d+(\.\d+)*|\d.*")
_THOUSANDS = " KMBT"
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


@dataclass(frozen=True, slots=True)
class ModelId:
    """`name` is the whole name without the organization; each part is None where the name
    does not tell.
    """

    name: str
    organization: str | None = None
    basename: str | None = None
    size: str | None = None
    finetune: str | None = None
    version: str | None = None


@dataclass(slots=True)
class _Part:
    text: str
    kinds: set[str]


def parse_model_id(model_id: str, weights: int = 0) -> ModelId:
    """Take a Hub id or a folder's name to pieces. `weights`, the model's own size, tells a
    size label from a context length ("-128k"); 0 when unknown.
    """
    if " " in model_id:
        return ModelId(model_id)
    head, slash, tail = model_id.partition("/")
    organization, name = (head, tail) if slash else ("", model_id)
    parts = [
        _classify(text, first=index == 0, weights=weights)
        for index, text in enumerate(text for text in name.split("-") if text)
    ]
    _drop_worded_sizes(parts)
    _mark_basename(parts)

    def joined(kind: str) -> str | None:
        return "-".join(part.text for part in parts if kind in part.kinds) or None

    sizes = dict.fromkeys(part.text for part in parts if "size" in part.kinds)
    versions = (
        part.text for part in parts if "version" in part.kinds and "basename" not in part.kinds
    )
    size = "-".join(sizes) or None
    finetune = joined("finetune")
    version = "-".join(versions) or None
    known = (size, finetune, version) != (None, None, None)
    return ModelId(
        name,
        organization=None if organization.startswith(".") else organization or None,
        # A name that could not be divided says nothing about what it is based on.
        basename=joined("basename") if known else None,
        size=size,
        finetune=finetune,
        version=version,
    )


def _classify(text: str, *, first: bool, weights: int) -> _Part:
    if _VERSION.fullmatch(text):
        return _Part(text, {"version"})
    if _ENCODING.fullmatch(text):
        return _Part(text.upper(), {"encoding"})
    if not first and _SIZE.fullmatch(text):
        return _size(text.replace("_", "."), weights)
    if not first and _TUNED.fullmatch(text):
        return _Part(text, {"finetune"})
    return _Part(text, set())


def _size(text: str, weights: int) -> _Part:
    if text[-1].isdecimal():  # "7b1" is 7.1B
        text = f"{text[:-2]}.{text[-1]}{text[-2]}"
    if len(text) > 1 and text[-2].isdecimal() and text[-1] in "kmbt":
        text = text[:-1] + text[-1].upper()
    if weights:
        try:
            labelled = float(text[:-1]) * pow(1000, _THOUSANDS.find(text[-1]))
        except ValueError:  # "8x7B", "large"
            labelled = float(weights)
        if abs(labelled - weights) > 7 * weights // 8:
            return _Part(text[:-1] + text[-1].lower(), {"finetune"})
    return _Part(text, {"size"})


def _drop_worded_sizes(parts: list[_Part]) -> None:
    """Forget sizes in words ("large") where one in numbers is given as well."""
    sizes = [part for part in parts if "size" in part.kinds]
    if any(character.isdecimal() for part in sizes for character in part.text):
        for part in sizes:
            if part.text.isalpha():
                part.kinds.discard("size")


def _mark_basename(parts: list[_Part]) -> None:
    """The leading words, with versions between but not after them; what is left is a finetune."""
    leading = True
    for part in parts:
        if leading and ("version" in part.kinds or (not part.kinds and part.text[0].isalpha())):
            part.kinds.add("basename")
            continue
        leading = False
        if not part.kinds:
            part.kinds.add("finetune")
    for part in reversed(parts):
        if "basename" not in part.kinds or len(part.kinds) == 1:
            break
        part.kinds.discard("basename")


def titled(name: str) -> str:
    """Capitals and spaces, "qwen2.5-7B-instruct" as "Qwen2.5 7B Instruct"; versions stay."""
    words = name.strip().replace("-", " ").split()
    return " ".join(
        word.title() if word.islower() and not _KEPT_AS_IS.fullmatch(word) else word
        for word in words
    )


def size_label(weights: int, experts: int = 0) -> str:
    """A count of weights in two digits or more: "33B", "8.0B", "494M". With `experts` it is
    that of a model with a single one of them: "128x1.8B".
    """
    unit, suffix = next(((unit, suffix) for unit, suffix in _UNITS if weights > unit), (1e3, "K"))
    scaled = weights * (1 / unit)
    digits = max(2 - len(str(round(scaled)).lstrip("0")), 0)
    return f"{experts}x{scaled:.{digits}f}{suffix}" if experts else f"{scaled:.{digits}f}{suffix}"
