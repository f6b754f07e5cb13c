r"""Formulas as trees of our own, by a parser that knows nothing but mathematics. Pure."""

from __future__ import annotations

from qwq_gguf.evaluation.grading.math_terms import Tree, inverse, negative, number
from qwq_gguf.evaluation.grading.math_tokens import Unreadable, tokens_of

__all__ = ["Unreadable", "parse"]

_DEEPEST = 60
_RELATIONS = ("=", "<", ">", "<=", ">=", "!=", "∈")
_STARTS = ("number", "name", "function", "frac", "sqrt", "binom", "matrix", "(", "[", "{", "{set")
_ONE: Tree = ("num", "1", "1")


def parse(text: str) -> Tree:
    """The tree of a formula. Unreadable for what is none, or is too long or too deep."""
    reader = _Reader(tokens_of(text))
    tree = reader.items(None)
    if reader.at < len(reader.tokens):
        raise Unreadable(f"{reader.tokens[reader.at][1]} is in the way")
    return tree


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at, self.depth, self.bars = tokens, 0, 0, 0

    def kind(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def take(self, *kinds: str) -> tuple[str, str]:
        if self.at >= len(self.tokens) or (kinds and self.kind() not in kinds):
            raise Unreadable("it breaks off" if self.at >= len(self.tokens) else "out of place")
        self.at += 1
        return self.tokens[self.at - 1]

    def items(self, closing: str | None) -> Tree:
        """What stands between commas: one tree, or a ("list", ...)."""
        found = [self.relation()]
        while self.kind() in (",", ";"):
            self.at += 1
            if self.kind() in ("", ",") or self.kind() == closing:
                continue
            found.append(self.relation())
        return found[0] if len(found) == 1 else ("list", *found)

    def relation(self) -> Tree:
        left = self.sum()
        links: list[Tree] = []
        while self.kind() in _RELATIONS:
            sign = self.take()[0]
            if sign == "=" and self.kind() == "":
                break
            right = self.sum()
            links.append(("rel", sign, left, right))
            left = right
        if not links:
            return left
        if len(links) > 1 and all(link[1] == "=" for link in links):
            return ("rel", "=", links[0][2], left)
        return links[0] if len(links) == 1 else ("both", *links)

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unreadable("nested too deeply")
        tree = self.product()
        while self.kind() in ("+", "-", "±", "∪"):
            sign = self.take()[0]
            right = self.product()
            if sign == "∪":
                tree = ("union", tree, right)
                continue
            right = negative(right) if sign == "-" else ("pm", right) if sign == "±" else right
            tree = ("add", tree, right)
        self.depth -= 1
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while True:
            kind = self.kind()
            if kind in ("*", "/"):
                self.at += 1
                right = self.signed()
                tree = ("mul", tree, inverse(right) if kind == "/" else right)
            elif kind in _STARTS or (kind == "|" and not self.bars):
                before = self.kind(-1)
                right = self.power()
                mixed = before == "number" and kind == "frac" and tree[0] == "num"
                if mixed and right[0] == "mul" and right[1][0] == "num":
                    tree = ("add", tree, right)  # 1 3/8
                else:
                    tree = ("mul", tree, right)
            else:
                return tree

    def signed(self) -> Tree:
        signs = 0
        while self.kind() in ("+", "-", "±"):
            sign = self.take()[0]
            if sign == "±":
                return ("pm", self.power())
            signs += sign == "-"
        tree = self.power()
        return negative(tree) if signs % 2 else tree

    def power(self) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unreadable("nested too deeply")
        tree = self.marked(self.atom())
        if self.kind() == "^":
            self.at += 1
            if self.kind() == "°" or (self.kind() == "{" and self.kind(1) == "°"):
                self.at += 1 if self.kind() == "°" else 3
                tree = ("deg", tree)
            else:
                tree = self.marked(("pow", tree, self.exponent()))
        self.depth -= 1
        return tree

    def exponent(self) -> Tree:
        """One token after ^ in LaTeX, and with its sign or power in plain text."""
        if self.kind() == "{":
            return self.group()
        return self.signed()

    def marked(self, tree: Tree) -> Tree:
        while self.kind() in ("!", "°", "%", "'"):
            kind = self.take()[0]
            names = {"°": "deg", "%": "percent"}
            tree = ("call", "factorial", tree) if kind == "!" else tree
            tree = (names[kind], tree) if kind in names else tree
            if kind == "'":
                raise Unreadable("a prime")
        return tree

    def group(self) -> Tree:
        self.take("{")
        tree = self.items("}")
        self.take("}")
        return tree

    def argument(self) -> Tree:
        """What a LaTeX command takes: a group, or one digit or name."""
        if self.kind() == "{":
            return self.group()
        kind, text = self.take("number", "name", "frac", "sqrt", "(")
        if kind == "number" and len(text) > 1:
            self.tokens[self.at - 1] = ("number", text[1:])
            self.at -= 1
            return number(text[0])
        self.at -= 1
        return self.atom()

    def atom(self) -> Tree:
        kind, text = self.take()
        match kind:
            case "number":
                return number(text)
            case "name":
                return self.name(text)
            case "frac":
                over, under = self.argument(), self.argument()
                return ("mul", over, inverse(under))
            case "binom":
                return ("call2", "binomial", self.argument(), self.argument())
            case "sqrt":
                return self.root()
            case "function":
                return self.function(text)
            case "{":
                self.at -= 1
                return self.braces()
            case "{set":
                return self.enclosed("}set", "set")
            case "(" | "[":
                return self.brackets(kind)
            case "|":
                self.bars += 1
                tree = self.sum()
                self.take("|")
                self.bars -= 1
                return ("call", "abs", tree)
            case "matrix":
                return self.matrix()
            case "∅":
                return ("set",)
        raise Unreadable(f"{text} is out of place")

    def name(self, text: str) -> Tree:
        if self.kind() != "_":
            return ("name", text)
        self.at += 1
        if self.kind() == "{":
            self.at += 1
            index = ""
            while self.kind() in ("number", "name"):
                index += self.take()[1]
            self.take("}")
        else:
            index = self.take("number", "name")[1]
        return ("name", f"{text}_{index}")

    def root(self) -> Tree:
        index: Tree = ("num", "2", "1")
        if self.kind() == "[":
            self.at += 1
            index = self.sum()
            self.take("]")
        inside = self.argument()
        return (
            "pow",
            inside,
            ("mul", _ONE, inverse(index)) if index[1] != "2" else ("num", "1", "2"),
        )

    def function(self, name: str) -> Tree:
        name = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "ln": "log"}.get(name, name)
        base: Tree | None = None
        power: Tree | None = None
        while self.kind() in ("_", "^"):
            if self.take()[0] == "_":
                base = self.argument()
            else:
                power = self.exponent()
        if self.kind() in ("(", "{", "["):
            inside = self.atom()
        else:
            inside = self.power()
            while self.kind() in ("name", "number"):  # sin 2x
                inside = ("mul", inside, self.power())
        tree: Tree = ("call", name, inside)
        if base is not None:
            tree = ("log", base, inside)
        return tree if power is None else ("pow", tree, power)

    def braces(self) -> Tree:
        """A group in LaTeX, a set in plain text: {2, 3}."""
        tree = self.group()
        if tree[0] == "list":
            return ("set", *tree[1:])
        return tree

    def enclosed(self, closing: str, kind: str) -> Tree:
        if self.kind() == closing:
            self.at += 1
            return (kind,)
        tree = self.items(closing)
        self.take(closing)
        return (kind, *(tree[1:] if tree[0] == "list" else (tree,)))

    def brackets(self, opening: str) -> Tree:
        bars, self.bars = self.bars, 0
        tree = self.items(None)
        closing = self.take(")", "]")[0]
        self.bars = bars
        if tree[0] == "list":
            return ("tuple", opening, closing, *tree[1:])
        if opening == "[" and closing == "]":
            return ("tuple", opening, closing, tree)
        if (opening, closing) != ("(", ")"):
            raise Unreadable("brackets that do not match")
        return tree

    def matrix(self) -> Tree:
        rows: list[Tree] = []
        row: list[Tree] = []
        while self.kind() != "end":
            if self.kind() == "row":
                self.at += 1
                rows.append(("row", *row))
                row = []
            elif self.kind() == "&":
                self.at += 1
            else:
                row.append(self.relation())
        self.take("end")
        return ("matrix", *rows, *([("row", *row)] if row else []))
