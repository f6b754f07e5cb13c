"""The three streams of the program, so that what becomes of its output is no fault of its own.

A closed stream leads nowhere: left closed, its number would go to the next file that is opened,
and what a library prints into that file. What cannot be written to stdout is an error once and
then silence: the interpreter would try again when it ends, with a traceback. What cannot be
written to stderr is nobody's to hear.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["STDOUT", "refuse_deserted", "set_up_streams"]

STDOUT = "standard output"

_before: list[TextIO | None] = []


class _Stdout(io.FileIO):
    """Raises what keeps it from being written the first time, and then swallows everything."""

    def __init__(self) -> None:
        super().__init__(1, "w", closefd=False)
        self._broken = False

    def write(self, data: Buffer, /) -> int:
        if not self._broken:
            try:
                return super().write(data)
            except BlockingIOError:
                raise
            except OSError as error:
                self._broken = True
                raise type(error)(error.errno, error.strerror, STDOUT) from None
        return memoryview(data).nbytes


class _Stderr(io.FileIO):
    """Swallows what cannot be written."""

    def __init__(self) -> None:
        super().__init__(2, "w", closefd=False)
        self.left = False

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.left = self.left or isinstance(error, BrokenPipeError)
            return memoryview(data).nbytes


def set_up_streams() -> None:
    """Make stdin, stdout and stderr fit for anything."""
    if os.name == "posix":
        _open_closed()
        # Who collects these closes the descriptors that ours go on with.
        _before.extend((sys.stdout, sys.stderr))
        sys.stdout = _text(sys.stdout, _Stdout())
        sys.stderr = _text(sys.stderr, _Stderr(), line_buffering=True)
        if sys.stdin is None:
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
    # A terminal that cannot show a character, or a pipe that is not UTF-8, is no accident
    # worth a traceback.
    for stream, errors in (
        (sys.stdin, "replace"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def refuse_deserted(stream: TextIO) -> None:
    """BrokenPipeError if nobody reads on what is written to stderr.

    For whom that is the point of the work, as a thought that streams there.
    """
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, _Stderr) and raw.left:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _open_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, number, inheritable=True)
            if opened != number:
                os.close(opened)


def _text(
    stream: TextIO | None, raw: io.FileIO, *, line_buffering: bool = False
) -> io.TextIOWrapper:
    """A stream like `stream` over other bytes."""
    like = stream if isinstance(stream, io.TextIOWrapper) else None
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=None if like is None else like.encoding,
        newline="\n",
        line_buffering=line_buffering or (like is not None and like.line_buffering),
        write_through=like is not None and like.write_through,
    )
