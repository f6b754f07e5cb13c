"""The language of recipe files.

    name = "Q4_K_M"                 # what people call it
    about = "..."                   # one line, for lists
    bits = 4.85                     # bits a weight at QwQ-32B's shape (shipped ones only)
    base = "Q4_K"                   # every matrix that no rule names
    file_type = "Q4_K_M"            # general.file_type; left out: the base type's usual one

    [[rule]]                        # the first rule that fits a tensor decides
    tensors = ["attn_v"]            # kinds, see recipe.KINDS; or names = "a regex"
    layers = [{ until = "1/8" }]    # position among the layers, as README.md has it
    when = { imatrix = false }      # conditions on the model; a list means any of them
    type = "Q6_K"
    why = "..."                     # the reason, for people

A layer range has `from` (included) and `until` (not included), numbers or fractions of
the layer count rounded down, and `every`/`skip`: of the range's layers the ones where
(layer - from) % every == skip. With `one_by_one = true` not the layers are counted but the
tensors of the kind, of which a layer with shared experts has two.

Conditions: imatrix, tied (true/false), architecture, layer_count, gqa_at_least (query heads
for each key head), experts, experts_at_least, row_multiple_of, stacked (whether the
tensor has several matrices, as experts' have).

Unknown keys, kinds and types are errors that suggest the right spelling: a typo must
never quietly change a quantization.
"""

from __future__ import annotations

import re
from pathlib import Path

from qwq_gguf.errors import RecipeError
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.patterns.name_pattern import NamePattern, PatternError
from qwq_gguf.quantization.recipes.recipe import (
    KINDS,
    TARGET_TYPES,
    Condition,
    LayerRange,
    Recipe,
    Rule,
)
from qwq_gguf.toml_table import Table, toml_table
from qwq_gguf.words import one_of

__all__ = ["parse_recipe", "parse_type"]

_USUAL_FILE_TYPE = {
    GgmlType.Q4_K: FileType.Q4_K_M,
    GgmlType.Q5_K: FileType.Q5_K_M,
    GgmlType.Q3_K: FileType.Q3_K_M,
    GgmlType.MXFP4: FileType.MXFP4_MOE,
}
"""The file type llama.cpp guesses for a file made mostly of these; others share a name."""

_MAX_LAYER = 1 << 16
_MAX_RULES = 500
_MAX_STEPS = 10_000  # of the patterns of all rules: each tensor's name goes through them
_FRACTION = re.compile(r"(\d{1,5})/(\d{1,5})")


def parse_recipe(text: str, path: Path | None = None) -> Recipe:
    """The recipe in this TOML; RecipeError says what is wrong, where, and what was meant."""
    table = toml_table(text, "recipe", RecipeError, path)
    table.only(("name", "about", "bits", "base", "file_type", "rule"))
    name = table.text("name")
    base = _type(table, "base")
    rules = table.tables("rule", numbered=True)
    if len(rules) > _MAX_RULES:
        table.refuse("the recipe has too many rules", len(rules), f"at most {_MAX_RULES}")
    bits = table.values.get("bits")
    if bits is not None and not isinstance(bits, float):
        table.wrong("bits", "must be a number with a point", "such as 4.85")
    made = tuple(map(_rule, rules))
    steps = sum(len(rule.names.steps) for rule in made if rule.names is not None)
    if steps > _MAX_STEPS:
        table.refuse(
            "the names of all rules are too much", f"{steps} steps", f"at most {_MAX_STEPS}"
        )
    return Recipe(
        name=name,
        base=base,
        file_type=_file_type(table, base),
        about=table.text_or("about", ""),
        bits=bits,
        rules=made,
        text=text,
    )


def parse_type(name: str) -> GgmlType:
    """A tensor type by name in any case; RecipeError for one no tensor may be given."""
    return _type(Table({"type": name}, RecipeError), "type")


def _file_type(table: Table, base: GgmlType) -> FileType:
    if "file_type" not in table:
        return _USUAL_FILE_TYPE.get(base) or FileType[base.name]
    name = table.text("file_type")
    try:
        return FileType[name.upper()]
    except KeyError:
        known = [each.name for each in FileType]
        table.unknown(f"{name[:80]} is no file type that llama.cpp knows", name, known)


def _rule(table: Table) -> Rule:
    table.only(("tensors", "names", "layers", "when", "type", "why"))
    if ("tensors" in table) == ("names" in table):
        table.refuse(
            f"{table.where.rstrip('.')} must say which tensors it is for",
            ", ".join(table.values),
            "either tensors or names",
        )
    return Rule(
        type=_type(table, "type"),
        kinds=_kinds(table) if "tensors" in table else (),
        names=_names(table) if "names" in table else None,
        layers=tuple(map(_layers, table.tables("layers"))),
        when=tuple(map(_condition, table.tables("when"))),
        why=table.text_or("why", ""),
    )


def _kinds(table: Table) -> tuple[str, ...]:
    value = table.values["tensors"]
    kinds = [value] if isinstance(value, str) else value
    if not isinstance(kinds, list) or not kinds:
        table.wrong("tensors", "names nothing", one_of(KINDS))
    for kind in kinds:
        if kind not in KINDS:
            table.unknown(f"{table.where}tensors: none are called {kind}", str(kind), KINDS)
    return tuple(kinds)


def _names(table: Table) -> NamePattern:
    pattern = table.text("names")
    try:
        return NamePattern(pattern)
    except PatternError as error:
        table.wrong(
            "names",
            f"is not a regular expression for names: {error}",
            "such as '^blk\\.(0|1)\\.ffn_down'",
        )


def _layers(table: Table) -> LayerRange:
    table.only(("from", "until", "every", "skip", "one_by_one"))
    every = table.whole("every", 1, _MAX_LAYER) if "every" in table else 1
    return LayerRange(
        start=_bound(table, "from", 0),
        stop=_bound(table, "until", (1, 1)),
        every=every,
        skip=table.whole("skip", 0, every - 1) if "skip" in table else 0,
        one_by_one=table.flag("one_by_one") or False,
    )


def _bound(table: Table, key: str, default: int | tuple[int, int]) -> int | tuple[int, int]:
    if key not in table:
        return default
    value = table.values[key]
    if not isinstance(value, str):
        return table.whole(key, 0, _MAX_LAYER)
    match = _FRACTION.fullmatch(value)
    if match and 0 <= int(match[1]) <= int(match[2]) and int(match[2]):
        return int(match[1]), int(match[2])
    table.wrong(key, "is no fraction of the layers", 'such as "1/8" or "7/8"')


def _condition(table: Table) -> Condition:
    table.only(tuple(Condition.__dataclass_fields__))
    if not table.values:
        table.refuse(f"{table.where.rstrip('.')} is empty", "{}", "at least one condition")
    return Condition(
        imatrix=table.flag("imatrix"),
        tied=table.flag("tied"),
        architecture=table.text("architecture") if "architecture" in table else None,
        layer_count=_count(table, "layer_count"),
        gqa_at_least=_count(table, "gqa_at_least"),
        experts=_count(table, "experts"),
        experts_at_least=_count(table, "experts_at_least"),
        row_multiple_of=_count(table, "row_multiple_of"),
        stacked=table.flag("stacked"),
    )


def _count(table: Table, key: str) -> int | None:
    return table.whole(key, 1, _MAX_LAYER) if key in table else None


def _type(table: Table, key: str) -> GgmlType:
    value = table.values.get(key)
    names = {known.name: known for known in TARGET_TYPES}
    if isinstance(value, str) and value.upper() in names:
        return names[value.upper()]
    if value is None:
        table.wrong(key, "is missing", one_of(names))
    shown = str(value)[:80]
    table.unknown(f"{table.where}{key}: {shown} is no type a tensor can be given", shown, names)
