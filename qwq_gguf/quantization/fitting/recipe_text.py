"""An assignment of types as the text of a recipe. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.words import one_line

__all__ = ["recipe_text"]

_LAYER = re.compile(r"blk\.(\d{1,5})\.(.+)", re.DOTALL)
_LAYERS_A_RULE = 120  # a pattern has a bound on its steps
_LONGEST = 300  # of a comment


def recipe_text(
    name: str,
    about: str,
    types: Mapping[str, GgmlType],
    comments: Sequence[str] = (),
) -> str:
    """The TOML of a recipe that gives each of these tensors its type.

    A rule for each type and each name within a layer; what most tensors have is the base, and
    needs none. Base is a quantized type where there is one.
    """
    counts = Counter(kind for kind in types.values() if kind.quantized)
    base = counts.most_common(1)[0][0] if counts else GgmlType.Q8_0
    lines = [f"# {one_line(comment, _LONGEST)}" for comment in comments]
    lines += [f"name = {_text(name)}", f"about = {_text(about)}", f'base = "{base.name}"']
    for pattern, kind in _rules(types, base):
        lines += ["", "[[rule]]", f"names = {_text(pattern)}", f'type = "{kind.name}"']
    return "\n".join(lines) + "\n"


def _rules(types: Mapping[str, GgmlType], base: GgmlType) -> list[tuple[str, GgmlType]]:
    layers: dict[tuple[str, GgmlType], list[int]] = {}
    outside: dict[GgmlType, list[str]] = {}
    for name, kind in types.items():
        if kind is base:
            continue
        found = _LAYER.fullmatch(name)
        if found:
            layers.setdefault((found[2], kind), []).append(int(found[1]))
        else:
            outside.setdefault(kind, []).append(name)
    rules = [(f"^{_escaped(name)}$", kind) for kind, names in outside.items() for name in names]
    for (rest, kind), numbers in sorted(layers.items()):
        numbers.sort()
        for first in range(0, len(numbers), _LAYERS_A_RULE):
            some = "|".join(map(str, numbers[first : first + _LAYERS_A_RULE]))
            rules.append((rf"^blk\.({some})\.{_escaped(rest)}$", kind))
    return rules


def _escaped(text: str) -> str:
    """As a pattern that is this text; letters and digits mean themselves."""
    return "".join(each if each.isalnum() or each == "_" else f"\\{each}" for each in text)


def _text(text: str) -> str:
    """A string of TOML, whatever a stranger calls a tensor; a literal one where that will do."""
    if text.isprintable() and "'" not in text and "\\" in text:
        return f"'{text}'"
    return '"' + "".join(map(_character, text)) + '"'


def _character(each: str) -> str:
    if each.isprintable() and each not in '"\\':
        return each
    return f"\\U{ord(each):08x}"
