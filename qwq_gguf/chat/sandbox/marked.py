"""Texts that remember which of their characters the template itself wrote.

A control token such as `<|im_end|>` may come from the template and from nowhere else;
what a user or a tool says is text, whatever it looks like. Comparing texts cannot tell
the two apart once a template has joined, stripped, split or replaced them. So a text the
template wrote is a `Marked`: a str that carries one mark a character. A plain str is
untrusted, and so is the result of any operation not listed here: forgetting a mark makes
a prompt worse, never unsafe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = [
    "Marked",
    "add",
    "change_case",
    "concatenate",
    "cut",
    "join",
    "marks_of",
    "partition",
    "repeat",
    "replace",
    "split",
    "split_lines",
    "strip",
    "trusted",
]

TRUSTED = b"\x01"


class Marked(str):
    """A text with `marks`: one byte a character, 1 where the template wrote it."""

    __slots__ = ("marks",)
    marks: bytes

    def __str__(self) -> str:
        return self  # str(value) stands in every output statement of compiled templates


def marked(text: str, marks: bytes) -> str:
    """The text with its marks, or a plain one when there are none."""
    if TRUSTED not in marks:
        return text if type(text) is str else str.__str__(text)
    result = Marked(text)
    result.marks = marks
    return result


def trusted(text: str) -> str:
    """A text written by the template."""
    return marked(text, TRUSTED * len(text))


def marks_of(text: str) -> bytes:
    """The marks of any text; a plain one has none set."""
    return text.marks if isinstance(text, Marked) else bytes(len(text))


def concatenate(parts: Sequence[str]) -> str:
    """The parts joined without anything between."""
    text = "".join(parts)
    if not any(isinstance(part, Marked) for part in parts):
        return text
    return marked(text, b"".join(map(marks_of, parts)))


def join(separator: str, parts: Sequence[str]) -> str:
    """`separator.join(parts)`."""
    text = str.join(separator, parts)
    if not (isinstance(separator, Marked) or any(isinstance(part, Marked) for part in parts)):
        return text
    return marked(text, marks_of(separator).join(map(marks_of, parts)))


def add(left: str, right: str) -> str:
    """`left + right`."""
    return concatenate((left, right))


def repeat(text: str, times: int) -> str:
    """`text * times`."""
    return marked(str.__mul__(text, times), marks_of(text) * times)


def cut(text: str, key: slice | int) -> str:
    """`text[key]`."""
    part = str.__getitem__(text, key)
    if not isinstance(text, Marked):
        return part
    marks = text.marks[key]
    return marked(part, marks if isinstance(marks, bytes) else bytes([marks]))


def strip(text: str, chars: str | None, *, left: bool = True, right: bool = True) -> str:
    """`text.strip(chars)`, or one side of it."""
    start = len(text) - len(str.lstrip(text, chars)) if left else 0
    end = len(str.rstrip(text, chars)) if right else len(text)
    return cut(text, slice(start, max(start, end)))


def split(text: str, separator: str | None, limit: int, *, right: bool = False) -> list[str]:
    """`text.split(separator, limit)`, or `rsplit`."""
    plain = (str.rsplit if right else str.split)(text, separator, limit)
    if not isinstance(text, Marked):
        return plain
    parts, at = [], 0
    for part in plain:
        if separator is None:
            at = str.find(text, part, at)
        parts.append(cut(text, slice(at, at + len(part))))
        at += len(part) + (len(separator) if separator is not None else 0)
    return parts


def split_lines(text: str, keep_ends: bool) -> list[str]:
    """`text.splitlines(keep_ends)`."""
    plain = str.splitlines(text, keep_ends)
    if not isinstance(text, Marked):
        return plain
    parts, at = [], 0
    for part, whole in zip(plain, str.splitlines(text, True), strict=True):
        parts.append(cut(text, slice(at, at + len(part))))
        at += len(whole)
    return parts


def partition(text: str, separator: str, *, right: bool = False) -> tuple[str, str, str]:
    """`text.partition(separator)`, or `rpartition`."""
    head, middle, _ = (str.rpartition if right else str.partition)(text, separator)
    first, second = len(head), len(head) + len(middle)
    return (
        cut(text, slice(0, first)),
        cut(text, slice(first, second)),
        cut(text, slice(second, None)),
    )


def replace(text: str, old: str, new: str, count: int) -> str:
    """`text.replace(old, new, count)`; an empty `old` loses the marks."""
    if not old or not (isinstance(text, Marked) or isinstance(new, Marked)):
        return str.replace(text, old, new, count)
    return join(new, split(text, old, count))


def change_case(text: str, change: Callable[[str], str]) -> str:
    """`change(text)`, where it keeps the length; else the marks are lost."""
    changed = change(text)
    return marked(changed, marks_of(text)) if len(changed) == len(text) else changed
