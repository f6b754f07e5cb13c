"""JSON schemas as grammars: every text of the grammar is a JSON value that fits the schema.

The other way it need not hold: an object gets its properties in the order of the schema and no
others, and between tokens there is a blank or a line end at most. Descriptions and defaults say
nothing here. `oneOf` is read as `anyOf`. What a grammar cannot hold (patterns, most bounds of
numbers, conditions) is refused by its name, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.schema.words import (
    BASE,
    FORMATS,
    KNOWN,
    MOST_CHARS,
    QUOTED_KINDS,
    SAYS_NOTHING,
    bounds_of,
    check_only,
    least_of,
    literal,
    quoted,
    refusal,
    times_of,
)

__all__ = ["ANY_OBJECT", "Compiler", "grammar_of"]

ANY_OBJECT = f"root ::= object\n{BASE}"

_MOST_ITEMS = 256
_MOST_VALUES = 500


def grammar_of(schema: Mapping[str, Any], at: str = "schema") -> str:
    """GBNF of a JSON schema. Refusal that names the place and the word that it cannot express."""
    compiler = Compiler(schema, at)
    root = compiler.rule(compiler.expression())
    return "\n".join((f"root ::= {root}", *compiler.rules, BASE))


class Compiler:
    """Rules for one schema; `expression` makes what stands for a value of it.

    Names of rules begin with `prefix`. A `loose` one leaves out what a grammar cannot hold, down to
    the bare type of a part, where another would refuse. With a `quote` texts are as they are,
    between two of it, and names of members have none: the rules `quoted_base` makes are needed.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        at: str,
        *,
        prefix: str = "r",
        loose: bool = False,
        quote: str = "",
    ) -> None:
        self._schema, self._at = schema, at
        self._prefix, self._loose, self._quote = prefix, loose, quote
        self.rules: list[str] = []
        self._names: dict[str, str] = {}  # of what a $ref names
        self._nodes = 0

    def expression(self, schema: Any = None, at: str = "") -> str:
        """Of the whole schema, or of a part of it."""
        if schema is None:
            return self._expression(self._schema, self._at, 0)
        return self._expression(schema, f"{self._at}.{at}", 1)

    def rule(self, body: str) -> str:
        """The name of a rule with this body."""
        name = f"{self._prefix}{len(self.rules)}"
        self.rules.append(f"{name} ::= {body}")
        return name

    def _free(self, kind: str) -> str:
        """The rule of anything of this kind."""
        if self._quote and kind in QUOTED_KINDS:
            return f"q-{kind}"
        return "string" if kind == "name" else kind

    @property
    def _mark(self) -> str:
        """What stands around a text."""
        return quoted(self._quote or '"')

    def _expression(self, schema: Any, at: str, depth: int) -> str:
        if not self._loose:
            return self._exactly(schema, at, depth)
        rules, names = len(self.rules), dict(self._names)
        try:
            return self._exactly(schema, at, depth)
        except Refusal:
            del self.rules[rules:]
            self._names = names
        kind = schema.get("type") if isinstance(schema, Mapping) else None
        return self._free(kind if isinstance(kind, str) and kind in KNOWN else "value")

    def _only(
        self, schema: Mapping[str, Any], known: Sequence[str] | frozenset[str], at: str
    ) -> Mapping[str, Any]:
        """The schema without other words. Refusal where there are some that count."""
        if not self._loose:
            check_only(schema, known, at)
            return schema
        return {word: value for word, value in schema.items() if word in known}

    def _exactly(self, schema: Any, at: str, depth: int) -> str:
        """What stands for a value of this schema; safe to be repeated or joined with others."""
        self._nodes += 1
        if depth > LIMITS.schema_depth or self._nodes > LIMITS.schema_nodes:
            raise refusal(
                at,
                f"the schema is too large: {LIMITS.schema_depth} levels and "
                f"{LIMITS.schema_nodes} parts are the most",
            )
        if schema is True or schema == {}:
            return self._free("value")
        if not isinstance(schema, Mapping):
            raise refusal(
                at, "it must be an object" if schema is not False else "a schema that nothing fits"
            )
        kept = {name: part for name, part in schema.items() if name not in SAYS_NOTHING}
        if "$ref" in kept:
            self._only(kept, ("$ref",), at)
            return self._reference(kept["$ref"], at, depth)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in kept:
                self._only(kept, (word, "type"), at)
                return self._several(word, kept[word], f"{at}.{word}", depth)
        if "const" in kept:
            self._only(kept, ("const", "type"), at)
            return literal(kept["const"], at, self._quote)
        if "enum" in kept:
            self._only(kept, ("enum", "type"), at)
            return self._enum(kept["enum"], f"{at}.enum")
        return self._typed(kept, at, depth)

    def _reference(self, name: Any, at: str, depth: int) -> str:
        if not isinstance(name, str) or not name.startswith("#"):
            raise refusal(at, "a $ref must name a part of the same schema: #/$defs/NAME")
        if name not in self._names:
            found: Any = self._schema
            for step in name[1:].split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, Mapping) or step not in found:
                    raise refusal(at, f"there is no {name[:100]} in the schema")
                found = found[step]
            place = len(self.rules)
            self._names[name] = f"{self._prefix}{place}"
            self.rules.append("")  # its own place, as it may name itself
            body = self._expression(found, name[:100], depth + 1)
            if body == f"{self._prefix}{place}":
                raise refusal(at, f"{name[:100]} is nothing but itself")
            self.rules[place] = f"{self._prefix}{place} ::= {body}"
        return self._names[name]

    def _several(self, word: str, schemas: Any, at: str, depth: int) -> str:
        if not isinstance(schemas, list) or not 0 < len(schemas) <= _MOST_VALUES:
            raise refusal(at, "it must be a list of schemas")
        if word == "allOf" and len(schemas) > 1:
            raise refusal(at, "schemas that have to hold together cannot be expressed")
        made = [self._expression(one, f"{at}[{n}]", depth + 1) for n, one in enumerate(schemas)]
        return self.rule(" | ".join(dict.fromkeys(made)))

    def _enum(self, values: Any, at: str) -> str:
        if not isinstance(values, list) or not 0 < len(values) <= _MOST_VALUES:
            raise refusal(at, f"it must be a list of 1 to {_MOST_VALUES} values")
        return self.rule(
            " | ".join(dict.fromkeys(literal(value, at, self._quote) for value in values))
        )

    def _typed(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        kinds = schema.get("type")
        if kinds is None:
            kinds = [kind for kind, words in KNOWN.items() if words & schema.keys()][:1]
        elif isinstance(kinds, str):
            kinds = [kinds]
        if not isinstance(kinds, list) or any(
            not isinstance(kind, str) or kind not in KNOWN for kind in kinds
        ):
            raise refusal(f"{at}.type", f"it must be one of {', '.join(KNOWN)}")
        if not kinds and schema.keys() - {"type"}:
            raise refusal(at, f"{sorted(schema)[0][:60]} cannot be expressed")
        if not kinds:
            return self._free("value")
        known = frozenset(("type",)).union(*(KNOWN[kind] for kind in kinds))
        schema = self._only(schema, known, at)
        made = [getattr(self, f"_{kind}")(schema, at, depth) for kind in dict.fromkeys(kinds)]
        return made[0] if len(made) == 1 else self.rule(" | ".join(made))

    def _boolean(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        return "boolean"

    def _null(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        return "null"

    def _string(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        if "format" in schema:
            body = FORMATS.get(schema["format"]) if isinstance(schema["format"], str) else None
            if body is None or schema.keys() & {"minLength", "maxLength"}:
                known = ", ".join(FORMATS)
                raise refusal(f"{at}.format", f"it must be one of {known}, and no length beside")
            return self.rule(f"{self._mark} {body} {self._mark}")
        times = times_of(schema, "minLength", "maxLength", at, MOST_CHARS)
        if times is None:
            return self._free("string")
        return self.rule(f"{self._mark} {self._free('char')}{times} {self._mark}")

    def _integer(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        match least_of(schema, at):
            case None:
                return "integer"
            case (0, False):
                return "whole"
            case (1, False) | (0, True):
                return "positive"
        raise refusal(f"{at}.minimum", "only 0 or 1 can be expressed")

    def _number(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        match least_of(schema, at):
            case None:
                return "number"
            case (0, False):
                return "magnitude"
        raise refusal(f"{at}.minimum", "only 0 can be expressed, and no exclusive bound")

    def _array(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        if schema.get("uniqueItems"):
            raise refusal(f"{at}.uniqueItems", "it cannot be expressed")
        if "prefixItems" in schema:
            return self._tuple(schema, at, depth)
        item = self._expression(schema.get("items", True), f"{at}.items", depth + 1)
        least, most = bounds_of(schema, "minItems", "maxItems", at, _MOST_ITEMS)
        if most == 0:
            return self.rule('"[" ws "]"')
        more = f'("," ws {item} ws){{{max(0, least - 1)},{"" if most is None else most - 1}}}'
        if least <= 1 and most is None:
            more = f'("," ws {item} ws)*'
        inside = f"{item} ws {more}"
        return self.rule(f'"[" ws {inside if least else f"({inside})?"} "]"')

    def _tuple(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        items = schema["prefixItems"]
        if not isinstance(items, list) or not 0 < len(items) <= _MOST_ITEMS:
            raise refusal(f"{at}.prefixItems", "it must be a list of schemas")
        if any(schema.get(word, len(items)) != len(items) for word in ("minItems", "maxItems")):
            raise refusal(at, "a tuple has as many items as its prefixItems")
        made = [
            self._expression(item, f"{at}.prefixItems[{n}]", depth + 1)
            for n, item in enumerate(items)
        ]
        return self.rule('"[" ws ' + ' ws "," ws '.join(made) + ' ws "]"')

    def _object(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        more = schema.get("additionalProperties", not properties)
        if not isinstance(properties, Mapping):
            raise refusal(f"{at}.properties", "it must be an object")
        if not isinstance(required, list) or any(name not in properties for name in required):
            raise refusal(f"{at}.required", "it must name some of the properties")
        if not properties:
            if more is False:
                return self.rule('"{" ws "}"')
            value = self._expression(more, f"{at}.additionalProperties", depth + 1)
            member = f'{self._free("name")} ":" ws {value} ws'
            return self.rule(f'"{{" ws ({member} ("," ws {member})*)? "}}"')
        members = [
            f'{quoted(name) if self._quote else literal(name, at)} ":" ws '
            + self._expression(part, f"{at}.properties.{name[:60]}", depth + 1)
            + " ws"
            for name, part in properties.items()
        ]
        return self._members(members, [name in required for name in properties])

    def _members(self, members: Sequence[str], needed: Sequence[bool]) -> str:
        """An object of these members in order, of which those not needed may be left out."""
        rules = [self.rule(member) for member in members]
        tail, first = "", ""  # what may follow a member; what may begin the object
        for rule, need in zip(reversed(rules), reversed(needed), strict=True):
            begins = f"{rule} {tail}".strip()
            if need:
                first = begins
            else:
                first = f"{begins} | {first}" if first else begins
            follows = f'"," ws {rule}'
            if not need:
                follows = f"({follows})?"
            tail = self.rule(f"{follows} {tail}".strip())
        inside = first if any(needed) else f"({first})?"
        return self.rule(f'"{{" ws ({inside}) "}}"')
