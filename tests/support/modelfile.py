"""A reader of Modelfiles that follows the grammar of Ollama's parser/parser.go.

Written from its rules, not its code: instructions in any case, values bare to the end of
the line, or in one or three double quotes over several lines, no escapes; `#` comments
where a statement may start; names of parameters are case-sensitive.
"""

from __future__ import annotations

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
FLOATS = frozenset(
    [
        "temperature",
        "top_p",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    ]
)
INTEGERS = frozenset(
    [
        "top_k",
        "repeat_last_n",
        "seed",
        "num_predict",
        "num_keep",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "num_thread",
    ]
)


class ModelfileError(Exception):
    """What Ollama would say, with the line."""


def parse(text: str) -> list[tuple[str, ...]]:
    """The instructions; ModelfileError names the line of the first wrong one."""
    found: list[tuple[str, ...]] = []
    at, line = 0, 1
    while at < len(text):
        if text[at].isspace():
            line += text[at] == "\n"
            at += 1
            continue
        if text[at] == "#":
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
            continue
        word, at = _word(text, at)
        name = word.upper()
        if name not in INSTRUCTIONS:
            raise ModelfileError(f"(line {line}): no such instruction: {word}")
        words = [name]
        if name in ("PARAMETER", "MESSAGE"):
            word, at = _word(text, _blank(text, at))
            words.append(word)
        value, end = _value(text, _blank(text, at), line)
        words.append(value)
        _check(words, line)
        line += text.count("\n", at, end)
        at = end
        found.append(tuple(words))
    if not any(words[0] == "FROM" for words in found):
        raise ModelfileError("no FROM line")
    return found


def _word(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[at:end], end


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _value(text: str, at: int, line: int) -> tuple[str, int]:
    for mark in ('"""', '"'):
        if text.startswith(mark, at):
            # The value ends at the first line that ends in its closing quotes.
            end = at + len(mark)
            while (end := text.find(mark, end)) != -1:
                after = end + len(mark)
                if after == len(text) or text[after] == "\n":
                    return text[at + len(mark) : end], after
                end += 1
            raise ModelfileError(f"(line {line}): unexpected EOF")
    end = text.find("\n", at)
    end = len(text) if end == -1 else end
    return text[at:end].strip(), end


def _check(words: list[str], line: int) -> None:
    if words[0] != "PARAMETER":
        return
    _, name, value = words
    try:
        if name in FLOATS:
            float(value)
        elif name in INTEGERS:
            int(value)
        elif name != "stop":
            raise ModelfileError(f"(line {line}): unknown parameter '{name}'")
    except ValueError:
        raise ModelfileError(f"(line {line}): invalid value for {name}: {value}") from None
