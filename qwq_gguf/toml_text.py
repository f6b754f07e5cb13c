"""TOML of strangers, looked at before it is read.

tomllib takes memory for the square of a key's parts (32,000 dots: 4 GB), ends in a
RecursionError in nested lists, and in a bare ValueError in a number of 5,000 digits. TOML
itself knows whole numbers of 64 bits and floats of 64. So one pass over the text, of time
in proportion to its length, refuses keys, nesting and numbers that no file of ours has.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

from qwq_gguf.errors import QwqGgufError

__all__ = ["MAX_DEPTH", "MAX_NUMBER", "MAX_PARTS", "parse_toml"]

MAX_PARTS = 16
"""Parts of a dotted key, or of a table's name."""
MAX_DEPTH = 32
"""Lists and inline tables in one another."""
MAX_NUMBER = 64
"""Characters of a number or a date."""

# Strings and comments are taken whole, so that nothing in them counts. None fails late: an open
# string goes to the end of the text. Groups are not possessive: Python 3.11.2 matches those wrong.
_TOKEN = re.compile(
    r"""
      "{3} [^"\\]*+ (?: (?: \\. | "{1,2}(?!") ) [^"\\]*+ )* (?: "{3,5} | \\?\Z )
    | '{3} [^']*+ (?: '{1,2}(?!') [^']*+ )* (?: '{3,5} | \Z )
    | " [^"\\\n]*+ (?: \\[^\n] [^"\\\n]*+ )* "?
    | ' [^'\n]*+ '?
    | \#[^\n]*+
    | (?P<number> (?<![\w-]) [+-]? (?: [0-9] [\w.+:-]*+ | nan(?![\w-]) ) )
    | (?P<mark> [][{}.=,\n] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
# Hexadecimal has an e, too.
_FLOAT = re.compile(r"nan|^[+-]?[0-9]+[.eE]")


class _Wrong(Exception):
    """What is wrong, and where in the text."""


def parse_toml(
    text: str, what: str, error: type[QwqGgufError], path: Path | None = None
) -> dict[str, Any]:
    """The table of a TOML text whose size is bounded already; `what` names it ("profile").

    `error`, with the line, for what is not TOML, has a key of more than MAX_PARTS, nests
    deeper than MAX_DEPTH, or has a number that 64 bits do not hold. A float may be written
    `inf`, and nothing else comes to that; there is no nan.
    """
    try:
        _look(text)
        return tomllib.loads(text)
    except _Wrong as wrong:
        found, token = wrong.args
        line = text.count("\n", 0, token.start()) + 1
        raise error(
            f"the {what} has {found} (at line {line})", path=path, found=token[0][:MAX_NUMBER]
        ) from None
    except ValueError as problem:  # TOMLDecodeError is one
        raise error(f"the {what} is not valid TOML", path=path, found=problem) from None
    except RecursionError:
        raise error(f"the {what} is nested too deeply", path=path) from None


def _look(text: str) -> None:
    depth = dots = 0
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        if token["number"] is not None:
            _check_number(token)
            dots += token[0].count(".")  # 1.2.3 may be a key
        elif mark == ".":
            dots += 1
        elif mark is not None:
            depth = max(0, depth + (mark in "[{") - (mark in "]}"))
            dots = 0
        if dots >= MAX_PARTS:
            raise _Wrong(f"a key of more than {MAX_PARTS} parts", token)
        if depth > MAX_DEPTH:
            raise _Wrong(f"lists or tables nested more than {MAX_DEPTH} deep", token)


def _check_number(token: re.Match[str]) -> None:
    digits = token[0].replace("_", "")
    if len(digits) > MAX_NUMBER:
        raise _Wrong(f"a number of {len(digits)} characters", token)
    try:
        number = float(digits) if _FLOAT.search(digits) else int(digits, 0)
    except ValueError:  # a date, a key, or nothing that tomllib takes
        return
    fits = math.isfinite(number) if isinstance(number, float) else -(2**63) <= number < 2**63
    if not fits:
        raise _Wrong("a number that 64 bits do not hold", token)
