"""Markdown as lines on a terminal: readable on dark and light ones, and code that can be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.markdown import for_screen, parts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.syntax import SyntaxTheme
    from rich.text import Text

__all__ = ["code_lines", "print_block", "tail"]

_LOOKED_AT = 8000  # characters of an unfinished block that are drawn again with every word


def print_block(console: Console, block: str) -> None:
    """Print a block of Markdown for good. Code has no margin and no line of it is broken: what
    is copied is what was written.
    """
    for number, (code, text) in enumerate(parts(block)):
        if number:
            console.print()
        for line in _lines(console, code, text):
            console.print(line, soft_wrap=True)


def tail(console: Console, block: str, most: int) -> list[Text]:
    """The last lines of a block that is still being written, as they look so far."""
    from rich.text import Text

    lines: list[Text] = []
    for code, text in reversed(list(parts(block))):
        between = [Text("")] if lines else []
        lines = _lines(console, code, text[-_LOOKED_AT:]) + between + lines
        if len(lines) >= most:
            break
    return lines[-max(most, 1) :]


def _lines(console: Console, code: str | None, text: str) -> list[Text]:
    return _prose_lines(console, text) if code is None else code_lines(text, code)


def code_lines(code: str, language: str) -> list[Text]:
    """Code in colours, a line each."""
    from rich.syntax import Syntax

    highlighted = Syntax(code, language or "text", theme=_theme()).highlight(code)
    lines = list(highlighted.split("\n", allow_blank=True))
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for line in lines:
        line.rstrip()
        line.no_wrap = True
    return lines


def _prose_lines(console: Console, text: str) -> list[Text]:
    from rich.markdown import Heading, Markdown
    from rich.text import Text

    class Left(Heading):
        LEVEL_ALIGN = dict.fromkeys(Heading.LEVEL_ALIGN, "left")

    class Ours(Markdown):
        elements = {**Markdown.elements, "heading_open": Left}  # noqa: RUF012

    # Without hyperlinks=False the address of a link is hidden behind its text.
    rendered = console.render_lines(Ours(for_screen(text), hyperlinks=False), pad=False)
    lines = [Text.assemble(*((part.text, part.style or "") for part in line)) for line in rendered]
    for line in lines:
        line.rstrip()
    while lines and not lines[0].plain:
        del lines[0]
    while lines and not lines[-1].plain:
        del lines[-1]
    return lines


def _theme() -> SyntaxTheme:
    """Weights, and colours that are readable on black and on white."""
    from pygments.token import Comment, Generic, Keyword, Name, Number, String
    from rich.style import Style
    from rich.syntax import ANSISyntaxTheme

    return ANSISyntaxTheme(
        {
            Comment: Style(italic=True, dim=True),
            Keyword: Style(bold=True),
            Name.Function: Style(color="blue"),
            Name.Class: Style(color="blue"),
            Name.Decorator: Style(color="magenta"),
            Number: Style(color="cyan"),
            String: Style(color="green"),
            Generic.Deleted: Style(color="red"),
            Generic.Inserted: Style(color="green"),
        }
    )
