"""When a text of several lines is whole: at a prompt, in a pipe, and typed ahead. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["QUOTES", "entries", "entry"]

QUOTES = '"""'


def entry(text: str) -> str | None:
    r"""The question in a text that was typed so far, None while it goes on.

    It goes on where its last line ends in a backslash, which stands for the line's end, and
    until a second `\"\"\"` where it begins with one.
    """
    if text.lstrip().startswith(QUOTES):
        inside, closing, after = text.lstrip()[len(QUOTES) :].partition(QUOTES)
        if not closing:
            return None
        return inside.strip("\n") + after
    if text.endswith("\\") and not text.endswith("\\\\"):
        return None
    return text.replace("\\\n", "\n")


def entries(lines: Iterable[str]) -> Iterator[str]:
    """The questions in lines that come one by one; one that never ended comes as it is."""
    so_far: list[str] = []
    for line in lines:
        so_far.append(line.rstrip("\n"))
        whole = entry("\n".join(so_far))
        if whole is not None:
            so_far.clear()
            yield whole
    if so_far:
        yield "\n".join(so_far).removesuffix("\\")
