"""The language of recipe files.

    name = "Q4_K_M"                 # what people call it
    about = "..."                   # one line, for lists
    bits = 4.85                     # bits a weight at QwQ-32B's shape (shipped ones only)
    base = "Q4_K"                   # every matrix that no rule names
    file_type = "Q4_K_M"            # general.file_type; left out: the base type's usual one

    [[rule]]                        # the first rule that fits a tensor decides
    tensors = ["attn_v"]            # kinds, see recipe.KINDS; or names = "a regex"
    layers = [{ until = "1/8" }]    # position among the layers that have this kind
    when = { imatrix = false }      # conditions on the model; a list means any of them
    type = "Q6_K"
    why = "..."                     # the reason, for people

A layer range has `from` (included) and `until` (not included), numbers or fractions of
the layer count rounded down, and `every`/`skip`: of the range's layers the ones where
(layer - from) % every == skip. Conditions: imatrix, tied (true/false), architecture,
layer_count, gqa_at_least (query heads for each key head), experts_at_least,
row_multiple_of.

Unknown keys, kinds and types are errors that suggest the right spelling: a typo must
never quietly change a quantization.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from qwq_gguf.errors import RecipeError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.quantization.recipes.name_pattern import NamePattern, PatternError
from qwq_gguf.quantization.recipes.recipe import (
    KINDS,
    TARGET_TYPES,
    Condition,
    LayerRange,
    Recipe,
    Rule,
)
from qwq_gguf.toml_text import parse_toml
from qwq_gguf.words import did_you_mean, one_of

__all__ = ["parse_recipe", "parse_type"]

_USUAL_FILE_TYPE = {
    GgmlType.Q4_K: FileType.Q4_K_M,
    GgmlType.Q5_K: FileType.Q5_K_M,
    GgmlType.Q3_K: FileType.Q3_K_M,
}
"""The file type llama.cpp guesses for a file made mostly of these; others share a name."""

_MAX_LAYER = 1 << 16
_MAX_RULES = 500
_MAX_STEPS = 10_000  # of the patterns of all rules: each tensor's name goes through them
_FRACTION = re.compile(r"(\d{1,5})/(\d{1,5})")


def parse_recipe(text: str, path: Path | None = None) -> Recipe:
    """The recipe in this TOML; RecipeError says what is wrong, where, and what was meant."""
    table = parse_toml(text, "recipe", RecipeError, path)
    try:
        return _recipe(table, text)
    except _Wrong as wrong:
        raise RecipeError(
            wrong.message, path=path, found=wrong.found, expected=wrong.expected, hint=wrong.hint
        ) from None


def parse_type(name: str) -> GgmlType:
    """A tensor type by name in any case; RecipeError for one no tensor may be given."""
    try:
        return _type({"type": name}, "type", "")
    except _Wrong as wrong:
        raise RecipeError(
            wrong.message, found=wrong.found, expected=wrong.expected, hint=wrong.hint
        ) from None


class _Wrong(Exception):
    def __init__(self, message: str, found: object, expected: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.found, self.expected, self.hint = message, found, expected, hint


def _wrong(message: str, found: object, expected: str) -> NoReturn:
    raise _Wrong(message, found, expected)


def _unknown(message: str, word: str, known: Sequence[str]) -> NoReturn:
    raise _Wrong(message, word, one_of(known), did_you_mean(word, known))


def _recipe(table: Mapping[str, object], text: str) -> Recipe:
    _only(table, ("name", "about", "bits", "base", "file_type", "rule"), "the recipe")
    name = _text(table, "name", "the recipe")
    base = _type(table, "base", "the recipe")
    rules = table.get("rule", [])
    if not isinstance(rules, list):
        _wrong("rule is not a list of tables", rules, "[[rule]] before each rule")
    if len(rules) > _MAX_RULES:
        _wrong("the recipe has too many rules", len(rules), f"at most {_MAX_RULES}")
    bits = table.get("bits")
    if bits is not None and not isinstance(bits, float):
        _wrong("bits is not a number with a point", bits, "such as 4.85")
    made = tuple(_rule(rule, f"rule {place}") for place, rule in enumerate(rules, 1))
    steps = sum(len(rule.names.steps) for rule in made if rule.names is not None)
    if steps > _MAX_STEPS:
        _wrong("the names of all rules are too much", f"{steps} steps", f"at most {_MAX_STEPS}")
    return Recipe(
        name=name,
        base=base,
        file_type=_file_type(table, base),
        about=_text(table, "about", "the recipe") if "about" in table else "",
        bits=bits,
        rules=made,
        text=text,
    )


def _file_type(table: Mapping[str, object], base: GgmlType) -> FileType:
    if "file_type" not in table:
        return _USUAL_FILE_TYPE.get(base) or FileType[base.name]
    name = _text(table, "file_type", "the recipe")
    try:
        return FileType[name.upper()]
    except KeyError:
        _unknown(
            f"{name} is no file type that llama.cpp knows", name, [known.name for known in FileType]
        )


def _rule(table: object, where: str) -> Rule:
    if not isinstance(table, Mapping):
        _wrong(f"{where} is not a table", table, "[[rule]] before each rule")
    _only(table, ("tensors", "names", "layers", "when", "type", "why"), where)
    if ("tensors" in table) == ("names" in table):
        _wrong(
            f"{where} must say which tensors it is for", ", ".join(table), "either tensors or names"
        )
    return Rule(
        type=_type(table, "type", where),
        kinds=_kinds(table, where) if "tensors" in table else (),
        names=_names(table, where) if "names" in table else None,
        layers=tuple(_layers(item, where) for item in _tables(table, "layers", where)),
        when=tuple(_condition(item, where) for item in _tables(table, "when", where)),
        why=_text(table, "why", where) if "why" in table else "",
    )


def _kinds(table: Mapping[str, object], where: str) -> tuple[str, ...]:
    value = table["tensors"]
    kinds = [value] if isinstance(value, str) else value
    if not isinstance(kinds, list) or not kinds:
        _wrong(f"{where}: tensors names nothing", value, one_of(KINDS))
    for kind in kinds:
        if kind not in KINDS:
            _unknown(f"{where}: no tensors are called {kind}", str(kind), KINDS)
    return tuple(kinds)


def _names(table: Mapping[str, object], where: str) -> NamePattern:
    pattern = _text(table, "names", where)
    try:
        return NamePattern(pattern)
    except PatternError as error:
        _wrong(
            f"{where}: names is not a regular expression for names: {error}",
            pattern[:200],
            "such as '^blk\\.(0|1)\\.ffn_down'",
        )


def _layers(table: Mapping[str, object], where: str) -> LayerRange:
    _only(table, ("from", "until", "every", "skip"), f"{where}: layers")
    every = _whole(table, "every", where, 1, least=1)
    return LayerRange(
        start=_bound(table, "from", where, 0),
        stop=_bound(table, "until", where, (1, 1)),
        every=every,
        skip=_whole(table, "skip", where, 0, most=every - 1),
    )


def _bound(
    table: Mapping[str, object], key: str, where: str, default: int | tuple[int, int]
) -> int | tuple[int, int]:
    value = table.get(key)
    if isinstance(value, str):
        match = _FRACTION.fullmatch(value)
        if match and 0 <= int(match[1]) <= int(match[2]) and int(match[2]):
            return int(match[1]), int(match[2])
        _wrong(f"{where}: {key} is no fraction of the layers", value, 'such as "1/8" or "7/8"')
    return default if value is None else _whole(table, key, where, 0)


def _condition(table: Mapping[str, object], where: str) -> Condition:
    where = f"{where}: when"
    _only(table, tuple(Condition.__dataclass_fields__), where)
    if not table:
        _wrong(f"{where} is empty", "{}", "at least one condition")
    return Condition(
        imatrix=_flag(table, "imatrix", where),
        tied=_flag(table, "tied", where),
        architecture=_text(table, "architecture", where) if "architecture" in table else None,
        layer_count=_optional_whole(table, "layer_count", where),
        gqa_at_least=_optional_whole(table, "gqa_at_least", where),
        experts_at_least=_optional_whole(table, "experts_at_least", where),
        row_multiple_of=_optional_whole(table, "row_multiple_of", where),
    )


def _only(table: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            _unknown(f"{where} has no setting {key}", key, known)


def _tables(table: Mapping[str, object], key: str, where: str) -> Sequence[Mapping[str, object]]:
    value = table.get(key, [])
    items = [value] if isinstance(value, Mapping) else value
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        _wrong(f"{where}: {key} is not a table", value, f"{key} = {{ ... }} or a list of them")
    if key in table and not items:
        _wrong(f"{where}: {key} is empty", value, "leave it out to mean all")
    return items


def _text(table: Mapping[str, object], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        _wrong(f"{where} needs {key}", value, "a text in quotes")
    return value


def _flag(table: Mapping[str, object], key: str, where: str) -> bool | None:
    value = table.get(key)
    if value is not None and not isinstance(value, bool):
        _wrong(f"{where}: {key} is not true or false", value, "true or false")
    return value


def _optional_whole(table: Mapping[str, object], key: str, where: str) -> int | None:
    return _whole(table, key, where, 0, least=1) if key in table else None


def _whole(
    table: Mapping[str, object],
    key: str,
    where: str,
    default: int,
    least: int = 0,
    most: int = _MAX_LAYER,
) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        _wrong(f"{where}: {key} is out of range", value, f"a whole number, {least} to {most}")
    return value


def _type(table: Mapping[str, object], key: str, where: str) -> GgmlType:
    value = table.get(key)
    names = {known.name: known for known in TARGET_TYPES}
    if isinstance(value, str) and value.upper() in names:
        return names[value.upper()]
    context = f"{where}: " if where else ""
    if value is None:
        _wrong(f"{context}{key} is missing", None, one_of(names))
    _unknown(f"{context}{value} is no type a tensor can be given", str(value), list(names))
