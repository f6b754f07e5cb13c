"""The texts that a person enters: edited at a prompt on a terminal, else as they come."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.cli.chatting.commands import COMMANDS, Look, completions
from qwq_gguf.cli.chatting.entry import entries, entry
from qwq_gguf.cli.terminal.keys import kept_terminal, unread_keys
from qwq_gguf.cli.terminal.output import note
from qwq_gguf.cli.terminal.typing_ahead import Typing

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings

__all__ = ["edits_lines", "entered", "history_file"]

_MARK = ">>> "
_FILES = frozenset(each.name for each in COMMANDS if each.file)


def edits_lines() -> bool:
    """Whether a line can be edited here: at a terminal that draws."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def entered(typing: Typing, look: Look) -> Iterator[str]:
    """One text after the other, what was typed ahead first; see `entry`."""
    if edits_lines():
        yield from _edited(typing, look)
    else:
        yield from entries(_lines(typing))


def _lines(typing: Typing) -> Iterator[str]:
    asking = sys.stdin.isatty()
    while True:
        if not asking:
            begun = ""
        else:
            typing.feed(unread_keys())
            typing.held = False  # nothing can be changed here
            ahead = typing.take()
            begun = "" if ahead is not None else typing.take_rest()
            print(f"{_MARK}{ahead or begun}", end="", file=sys.stderr, flush=True)
            if ahead is not None:
                print(file=sys.stderr)
                yield ahead
                continue
            if typing.ended:
                return
        line = sys.stdin.readline()
        if not line:
            return
        yield begun + line


def _edited(typing: Typing, look: Look) -> Iterator[str]:
    from prompt_toolkit.formatted_text import FormattedText

    session = _session(look)
    prompt = FormattedText([("bold ansigreen", _MARK)])
    hinted = False
    unfinished = ""
    while True:
        typing.feed(unread_keys())
        ahead = typing.take()
        if ahead is None and typing.ended:
            return
        begun = unfinished + (typing.take_rest() if ahead is None else ahead)
        try:
            with kept_terminal():
                text = session.prompt(
                    prompt,
                    default=begun,
                    accept_default=ahead is not None and not typing.held,
                    prompt_continuation="... ",
                )
        except KeyboardInterrupt:
            # As in a shell: the line is dropped. Once, say how to leave.
            if not hinted:
                note("(Ctrl-D or /bye leaves)")
            hinted, unfinished = True, ""
            continue
        except EOFError:
            return
        typing.held = typing.held and bool(typing.lines)
        whole = entry(text)
        unfinished = "" if whole is not None else f"{text}\n"
        if whole is not None:
            yield whole


def _session(look: Look) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = history_file()
    history: History = InMemoryHistory() if path is None else FileHistory(path)
    return PromptSession(
        history=history,
        key_bindings=_keys(),
        completer=_completer(look),
        complete_while_typing=False,
    )


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if entry(buffer.text) is None:
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    return keys


def _completer(look: Look) -> Completer:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    paths = PathCompleter(expanduser=True)

    class Words(Completer):
        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterator[Completion]:
            text = document.text_before_cursor
            name, blank, rest = text.partition(" ")
            if blank and name in _FILES:
                yield from paths.get_completions(Document(rest), complete_event)
                return
            typed, words = completions(text, look)
            for word in words:
                yield Completion(word, start_position=-len(typed))

    return Words()


def history_file() -> str | None:
    """Where typed lines are kept, readable by their owner only; None where that fails."""
    from qwq_gguf.resources import cache_folder

    path = cache_folder() / "chat-history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Through no link: one to /dev/null, say, means that nothing is to be kept.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            ordinary = stat.S_ISREG(os.fstat(opened).st_mode)
        finally:
            os.close(opened)
    except OSError:
        return None
    return str(path) if ordinary else None
