"""The one place where an exception becomes a message and an exit status."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from qwq_gguf.cli.terminal.early_interrupt import INTERRUPTED
from qwq_gguf.cli.terminal.harmless import clean_error
from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.refusal import Refusal
from qwq_gguf.errors import QwqGgufError

__all__ = [
    "ERROR",
    "ERROR_SCHEMA",
    "INTERRUPTED",
    "NO_ANSWER",
    "PIPE_CLOSED",
    "close_stdout",
    "debugging",
    "error_boundary",
]

ERROR = 1
NO_ANSWER = 3  # 2 is wrong usage
PIPE_CLOSED = 141  # 128 + SIGPIPE
ERROR_SCHEMA = "qwq-gguf/error/1"

_PARTS = ("path", "found", "expected", "hint")
# The commands that take what `chat` takes.
_OF_A_GGUF = ("eval", "export", "fix", "inspect", "modelfile", "run", "serve", "set", "verify")
_CHAT = re.compile(r"\bqwq-gguf chat ")


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get("QWQ_GGUF_DEBUG", "") not in ("", "0")


@contextmanager
def error_boundary() -> Iterator[None]:
    """Turn what a command raises into one message on stderr and an exit status.

    Typer's own exceptions (usage errors, Exit) pass: typer reports them with status 2.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except typer.TyperException as error:
        _refuse(error)
        raise
    except KeyboardInterrupt as end:
        _emit("Interrupted", "interrupted")
        # The terminal has just echoed ^C on the line in progress.
        _say("\nInterrupted.")
        _say_notes(end)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        raise typer.Exit(PIPE_CLOSED) from None
    except Exception as error:
        if debugging():
            raise
        _fail(error)


def _refuse(error: typer.TyperException) -> None:
    """Make harmless what typer will print of a wrong use, and say it as JSON."""
    if isinstance(error, Refusal):
        error.hint = _in_its_words(error.hint)
        _put_names_on_one_line(error)
    clean_error(error)
    if isinstance(error, Refusal):
        _emit("UsageError", error.message, **{name: getattr(error, name) for name in _PARTS})
    else:
        _emit("UsageError", _words_of(error))


def _fail(error: Exception) -> NoReturn:
    kind = type(error).__name__
    if isinstance(error, QwqGgufError):
        error.hint = _in_its_words(error.hint)
        parts = {name: getattr(error, name) for name in _PARTS}
        _emit(kind, error.message, **parts)
        _put_names_on_one_line(error)
        _say(f"error: {error}")
    elif isinstance(error, OSError) and error.strerror:
        where = None if error.filename is None else os.fsdecode(error.filename)
        _emit(kind, error.strerror, path=where)
        _say(_sentence(error))
    elif isinstance(error, MemoryError):
        _emit(kind, "out of memory")
        _say("error: out of memory")
    else:
        detail = f"{kind}: {error}".strip(": ")
        _emit("Fault", f"a fault in qwq-gguf itself: {detail}")
        _say(
            f"error: this is a fault in qwq-gguf itself: {detail}\n"
            "  try:      the same command with QWQ_GGUF_DEBUG=1 in the environment, and report\n"
            "            the traceback it shows together with `qwq-gguf --version`"
        )
    _say_notes(error)
    raise typer.Exit(ERROR) from None


def _emit(kind: str, message: str, **parts: str | None) -> None:
    """The error as one JSON object on stdout, where JSON was asked for."""
    if not manner.json:
        return
    about = {"type": kind, "message": message, **dict.fromkeys(_PARTS), **parts}
    try:
        emit_json({"schema": ERROR_SCHEMA, "error": about})
    except OSError:  # nobody reads on, or the disk is full: stderr says the rest
        pass


def _words_of(error: typer.TyperException) -> str:
    """What typer itself will print behind `Error:`."""
    said = getattr(error, "format_message", None)
    return str(error) if said is None else str(said())


def _in_its_words(hint: str | None) -> str | None:
    """A hint to `chat` with another file, for somebody who typed another command with a GGUF."""
    if hint is None or manner.typed.partition(" ")[0] not in _OF_A_GGUF:
        return hint
    return _CHAT.sub(f"qwq-gguf {manner.typed} ", hint)


def _put_names_on_one_line(error: QwqGgufError | Refusal) -> None:
    """So that a line end in a name begins no line of ours, such as another `try:`."""
    for name in _PARTS:
        value = getattr(error, name)
        if value is not None:
            setattr(error, name, value.replace("\n", "\N{SYMBOL FOR NEWLINE}"))


def _sentence(error: OSError) -> str:
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return f"error: {where}{error.strerror}"


def _say_notes(error: BaseException) -> None:
    """What those whom it passed had to add."""
    for line in getattr(error, "__notes__", ()):
        _say(f"note: {line}")


def _say(message: str) -> None:
    # Messages quote file names and strings out of files, so they may be hostile.
    try:
        note(message, always=True)
    except OSError:
        pass


def close_stdout(status: int) -> int:
    """Flush stdout; a reader that went away early changes the status, never the output.

    Left to the interpreter's shutdown the same failure would print a traceback.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return status or PIPE_CLOSED
    except OSError as error:  # a full disk
        _say(_sentence(error))
        return status or ERROR
    except ValueError:  # closed already
        pass
    return status
