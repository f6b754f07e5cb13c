"""Where words go: data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.wrap import for_width
from qwq_gguf.json_text import to_json
from qwq_gguf.words import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "emit",
    "emit_json",
    "may_draw",
    "note",
    "show_table",
    "stderr_console",
    "stdout_console",
    "table",
    "width_of",
]

_WIDEST = 500  # cells of a table that no terminal limits


def emit_json(value: Mapping[str, Any]) -> None:
    """Write one object to stdout: on one line, or indented when a person is reading."""
    print(to_json(value, indent=2 if sys.stdout.isatty() else None))


def emit(text: str) -> None:
    """Write a line of data to stdout, with foreign terminal controls made harmless."""
    print(clean(text))


def note(
    text: str, stream: TextIO | None = None, *, always: bool = False, code: bool = False
) -> None:
    """Tell the person at the terminal something, on stderr; no word is broken by its edge.

    With `-q` only what is to be said `always`. `code` is there to be copied: no line of it is
    broken.
    """
    if manner.quiet and not always:
        return
    stream = sys.stderr if stream is None else stream
    width = None if code else width_of(stream)
    print(for_width(clean(text), width), file=stream, flush=True)


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that this leads to; None where it leads to none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def may_draw() -> bool:
    """Whether anything drawn on stderr may be seen: a terminal, a notebook, or what is said to be
    one. rich decides; but where the answer is no, nobody has to load it.
    """
    told = any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
    return told or "IPython" in sys.modules or width_of(sys.stderr) is not None


def stdout_console() -> Console:
    """A console on stdout that reads nothing into the text it is given."""
    return _console(stderr=False)


def stderr_console() -> Console:
    """The same on stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console
    from rich.theme import Theme

    from qwq_gguf.cli.terminal.styles import STYLES

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise

    # Names and model output are data: no [markup], no :emoji:, no guessed colours.
    return Ours(stderr=stderr, highlight=False, markup=False, emoji=False, theme=Theme(STYLES))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = "") -> Table:
    """A plain table. `right` lists the columns whose numbers align right, comma-separated."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    aligned = set(right.split(",")) - {""}
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(
            Text(_cell(column)), justify="right" if column in aligned else "left", overflow="fold"
        )
    for row in rows:
        drawn.add_row(*(Text(_cell(cell)) for cell in row))
    return drawn


def _cell(value: object) -> str:
    # A line end in a name would begin a row of its own making.
    return clean(str(value)).replace("\n", "\N{SYMBOL FOR NEWLINE}")


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: str = "",
    stderr: bool = False,
) -> None:
    """Print a table; in a pipe it is as wide as it needs to be, so that grep finds whole rows."""
    console = _console(stderr=stderr)
    drawn = table(columns, rows, right=right)
    if console.is_terminal:
        console.print(drawn)
        return
    console.width = _WIDEST
    with console.capture() as text:
        console.print(drawn)
    stream = sys.stderr if stderr else sys.stdout
    stream.write("".join(line.rstrip() + "\n" for line in text.get().splitlines()))
