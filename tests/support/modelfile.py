"""A reader of Modelfiles that follows the grammar of Ollama's parser/parser.go.

Written from its rules, not its code. Characters are taken one by one in a state: between
statements, in a comment, in an instruction's name, in a parameter's name or a message's
role, in a value. A value ends at a line's end, if what was gathered is not an open quote;
characters that Go's strconv.IsPrint refuses are dropped, except blanks and line ends
inside quotes. The names and types of parameters are those of api/types.go.

`line N` is the line the reader was on when it gave up, counted as Ollama counts: the line
end that closes a bad statement belongs to the next line already.
"""

from __future__ import annotations

import math
import re
import unicodedata

INSTRUCTIONS = frozenset(
    [
        "FROM",
        "LICENSE",
        "TEMPLATE",
        "SYSTEM",
        "ADAPTER",
        "DRAFT",
        "RENDERER",
        "PARSER",
        "PARAMETER",
        "MESSAGE",
        "REQUIRES",
    ]
)
ROLES = frozenset(["system", "user", "assistant"])
# Parameter -> type and the values that make sense (Ollama checks the type alone; ranges
# are llama-server's, which gets the numbers).
PARAMETERS: dict[str, tuple[str, float, float]] = {
    "temperature": ("float", 0.0, math.inf),
    "top_p": ("float", 0.0, 1.0),
    "min_p": ("float", 0.0, 1.0),
    "typical_p": ("float", 0.0, 1.0),
    "repeat_penalty": ("float", 0.0, math.inf),
    "presence_penalty": ("float", -2.0, 2.0),
    "frequency_penalty": ("float", -2.0, 2.0),
    "top_k": ("int", 0, 2**31 - 1),
    "repeat_last_n": ("int", 0, 2**31 - 1),
    "seed": ("int", -(2**63), 2**63 - 1),
    "num_predict": ("int", -2, 2**31 - 1),
    "num_keep": ("int", -1, 2**31 - 1),
    "num_ctx": ("int", 1, 2**31 - 1),
    "num_batch": ("int", 1, 2**31 - 1),
    "num_gpu": ("int", -1, 2**31 - 1),
    "main_gpu": ("int", 0, 2**31 - 1),
    "num_thread": ("int", 0, 2**31 - 1),
    "draft_num_predict": ("int", 0, 2**31 - 1),
    "use_mmap": ("bool", 0, 1),
    "stop": ("text", 0, 0),
}


class ModelfileError(Exception):
    """What Ollama would say, with the line."""


def parse(text: str) -> list[tuple[str, ...]]:
    """The instructions, with parameters checked; ModelfileError for the first wrong one."""
    found = []
    for line, words in _statements(text):
        if words[0] == "PARAMETER":
            _check(words[1], words[2], line)
        found.append(words)
    if not any(words[0] == "FROM" for words in found):
        raise ModelfileError("no FROM line")
    return found


def _statements(text: str) -> list[tuple[int, tuple[str, ...]]]:
    found: list[tuple[int, tuple[str, ...]]] = []
    state, buffer, words, line, start = "between", "", [""], 1, 1
    for char in text.removeprefix("\ufeff"):
        newline, blank = char in "\r\n", char in " \t"
        line += newline
        if state == "between":
            if char == "#":
                state = "comment"
            elif not newline and not blank:
                # What is no print is dropped here, too, but a name has begun.
                state, buffer, start = "name", char if _is_print(char) else "", line
        elif state == "comment":
            state = "between" if newline else state
        elif state == "name":
            if re.fullmatch("[A-Za-z]", char):
                buffer += char
            elif blank and buffer.upper() in INSTRUCTIONS:
                words = [buffer.upper()]
                state = {"PARAMETER": "parameter", "MESSAGE": "role"}.get(words[0], "value")
                buffer = ""
            else:
                raise ModelfileError(f"(line {line}): command must be one of {_listed()}")
        elif state in ("parameter", "role"):
            if re.fullmatch("[A-Za-z0-9_]" if state == "parameter" else "[A-Za-z]", char):
                buffer += char
            elif not blank:
                raise ModelfileError(f"unexpected EOF: {buffer}")
            elif state == "role" and buffer not in ROLES:
                raise ModelfileError(f"(line {line}): message role must be one of {sorted(ROLES)}")
            else:
                words.append(buffer)
                state, buffer = "value", ""
        elif newline or blank:
            value = _unquoted(buffer)
            if value is None or blank:
                buffer += char
            else:
                found.append((start, (*words, value)))
                state, buffer = "between", ""
        elif _is_print(char):
            buffer += char
    if state == "value":
        value = _unquoted(buffer)
        if value is None:
            raise ModelfileError(f"(line {start}): unexpected EOF")
        found.append((start, (*words, value)))
    elif state not in ("between", "comment"):
        raise ModelfileError(f"(line {start}): unexpected EOF")
    return found


def _listed() -> str:
    return ", ".join(sorted(name.lower() for name in INSTRUCTIONS))


def _unquoted(buffer: str) -> str | None:
    """What is between the quotes; None while they are open."""
    text = buffer.strip()
    for mark in ('"""', '"'):
        if text.startswith(mark):
            closed = len(text) >= 2 * len(mark) and text.endswith(mark)
            return text[len(mark) : -len(mark)] if closed else None
    return text


def _is_print(char: str) -> bool:
    # Letters, marks, numbers, punctuation, symbols and the ASCII blank.
    return char == " " or unicodedata.category(char)[0] in "LMNPS"


def _check(name: str, value: str, line: int) -> None:
    if name not in PARAMETERS:
        raise ModelfileError(f"(line {line}): unknown parameter '{name}'")
    kind, low, high = PARAMETERS[name]
    if kind == "text":
        return
    try:
        if kind == "bool":
            number = float(["false", "true"].index(value))
        else:
            number = float(value) if kind == "float" else int(value)
    except ValueError:
        raise ModelfileError(f"(line {line}): invalid {kind} value [{value}]") from None
    if not low <= number <= high:
        raise ModelfileError(f"(line {line}): {name} {value} is out of range")
