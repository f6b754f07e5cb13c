r"""Simple LaTeX as text that reads well: `\frac{1}{2}` is 1/2, `x^2 \le 4` is x² ≤ 4. Pure.

A formula in which anything is not known stays as it was written, so nothing that a model says is
lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from qwq_gguf.cli.terminal.latex_table import (
    BLANKS,
    DROPPED,
    FUNCTIONS,
    STYLES,
    SUBSCRIPT,
    SUPERSCRIPT,
    SYMBOLS,
)

__all__ = ["BARE", "as_text"]

#: Commands that are read outside of formulas, too, and how many groups each takes.
BARE = {"boxed": 1, "sqrt": 1, "frac": 2, "dfrac": 2, "tfrac": 2} | dict.fromkeys(
    ("times", "cdot", "div", "pm", "leq", "geq", "neq", "approx"), 0
)
_FRACTIONS = ("frac", "dfrac", "tfrac")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\?.", re.DOTALL)
_BLANK_RUN = re.compile(r"[ \t]{2,}")
# What needs no parentheses before or behind a slash: a word, a number, something raised.
_SIMPLE = re.compile("[\\w.,\u00b0\u2032\u221a\u2070-\u209f\u00b2\u00b3\u00b9]*")
_DEEPEST = 20


class _Unreadable(ValueError):
    """Braces that do not match, a formula nested too deeply, or an unknown command."""


def as_text(latex: str) -> str | None:
    """A formula as text, lines where it has lines; None where it cannot be read."""
    try:
        text = _sequence(iter(_TOKEN.findall(latex)), 0)
    except (_Unreadable, StopIteration):
        return None
    lines = (_BLANK_RUN.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _sequence(tokens: Iterator[str], depth: int) -> str:
    """What stands up to the closing brace; at depth 0, up to the end."""
    if depth > _DEEPEST:
        raise _Unreadable
    shown: list[str] = []
    for token in tokens:
        if token == "}":
            if depth:
                return "".join(shown)
            raise _Unreadable
        shown.append(_one(token, tokens, depth))
    if depth:
        raise _Unreadable
    return "".join(shown)


def _one(token: str, tokens: Iterator[str], depth: int) -> str:
    match token:
        case "{":
            return _sequence(tokens, depth + 1)
        case "^":
            return _raised(_argument(tokens, depth), SUPERSCRIPT, "^")
        case "_":
            return _raised(_argument(tokens, depth), SUBSCRIPT, "_")
        case "&":
            return ""
        case "~" | "\n" | "\t":
            return " "
        case "\\\\":
            return "\n"
    return _command(token[1:], tokens, depth) if token[0] == "\\" else token


def _command(name: str, tokens: Iterator[str], depth: int) -> str:
    if name in SYMBOLS:
        return SYMBOLS[name]
    if name in BLANKS:
        return BLANKS[name]
    if name in _FRACTIONS:
        above = _argument(tokens, depth)
        return f"{_grouped(above)}/{_grouped(_argument(tokens, depth))}"
    if name == "sqrt":
        return f"\N{SQUARE ROOT}{_grouped(_argument(tokens, depth))}"
    if name == "boxed" or name in STYLES:
        return _argument(tokens, depth)
    if name == "pmod":
        return f" (mod {_argument(tokens, depth)})"
    if name in ("begin", "end"):  # of aligned, cases and the like
        _argument(tokens, depth)
        return ""
    if name in DROPPED:
        return ""
    if name in FUNCTIONS:
        return name
    if name in set("{}%$#_&|"):
        return name
    raise _Unreadable


def _argument(tokens: Iterator[str], depth: int) -> str:
    """The group, or the one character, that a command takes."""
    token = next(tokens)
    while token.isspace():
        token = next(tokens)
    if token == "}" or depth >= _DEEPEST:
        raise _Unreadable
    return _one(token, tokens, depth + 1 if token != "{" else depth)


def _raised(text: str, table: Mapping[str, str], mark: str) -> str:
    if all(letter in table for letter in text):
        return "".join(table[letter] for letter in text)
    return f"{mark}{_grouped(text)}"


def _grouped(text: str) -> str:
    """In parentheses, if what stands beside it could be taken for a part of it."""
    text = text.strip()
    return text if _SIMPLE.fullmatch(text) else f"({text})"
