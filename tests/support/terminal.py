"""A real terminal around the real program, as a person has it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = ["PROGRAM", "Terminal", "open_terminal"]

PROGRAM = (sys.executable, "-c", "from qwq_gguf.cli.main import main; main()")

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>()][A-Z0-9]?")


class Terminal:
    """The program's side of a pseudo-terminal; `seen` is all that it ever wrote."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self._looked_to = 0
        self._plain = ""  # of what was seen, all but an end that may be half an escape sequence
        self._plain_to = 0
        self.process = process
        self.seen = ""

    @property
    def text(self) -> str:
        """What was written, without escape sequences."""
        new = self.seen[self._plain_to :]
        last = new.rfind("\x1b")
        cut = last if last >= 0 and len(new) - last < 200 else len(new)
        self._plain += _ESCAPES.sub("", new[:cut])
        self._plain_to += cut
        return self._plain + _ESCAPES.sub("", new[cut:])

    @property
    def echoes(self) -> bool:
        """Whether keys are shown as they are pressed."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def type(self, keys: str) -> None:
        """Press keys: `\\r` is Enter, `\\x03` Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self._master, keys.encode())

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Read on until `words` are shown, after where the last wait ended."""
        end = time.monotonic() + seconds
        while (found := self.text.find(words, self._looked_to)) < 0:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"{words!r} never came; the screen has:\n{self.text}")
        self._looked_to = found + len(words)

    def wait_for_end(self, seconds: float = 60) -> int:
        """Read until the program leaves; its exit status."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(max(0.1, end - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.seen += data.decode("utf-8", "replace")
        if "\x1b[6n" in data.decode("utf-8", "replace"):
            os.write(self._master, b"\x1b[1;1R")  # where is the cursor? here
        return bool(data)


@contextmanager
def open_terminal(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    size: tuple[int, int] = (24, 80),
    program: Sequence[str] = PROGRAM,
) -> Iterator[Terminal]:
    """Run `qwq-gguf ARGUMENTS`, or another program, in a terminal of `size` (rows, columns)."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(
        [*program, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        start_new_session=True,
        # Without a controlling terminal Ctrl-C would be a byte and no signal.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
