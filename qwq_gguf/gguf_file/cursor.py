"""Reading forward through a file that may lie about its lengths."""

from __future__ import annotations

import os
from pathlib import Path

from qwq_gguf.errors import GgufError

__all__ = ["Cursor"]

_WINDOW = 1 << 20


class Cursor:
    """A position in an open file, moving forward, through a window of bounded size.

    Every length is checked against the bytes that are left before memory is taken, so a
    lie costs nothing. `limit` is where reading must stop, at most the file's size. What is
    read may begin at byte `base` of the file: `size` and all positions count from there.
    """

    def __init__(
        self, descriptor: int, path: Path, size: int, limit: int, *, base: int = 0
    ) -> None:
        self.path = path
        self.size = size
        self._base = base
        self._descriptor = descriptor
        self._limit = min(limit, size)
        self._window = b""
        self._start = 0
        self._at = 0

    @property
    def position(self) -> int:
        """Bytes from the start of the file."""
        return self._start + self._at

    @property
    def remaining(self) -> int:
        """Bytes that may still be read."""
        return self._limit - self.position

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes; GgufError names `what` when they are not there."""
        end = self._at + count
        if end <= len(self._window):
            piece = self._window[self._at : end]
            self._at = end
            return piece
        self.require(count, what)
        if count > _WINDOW:
            piece = self._read(self.position, count, what)
            self._seek(self.position + count)
            return piece
        self._fill(count, what)
        piece = self._window[:count]
        self._at = count
        return piece

    def skip(self, count: int, what: str) -> None:
        """Move on without reading."""
        self.require(count, what)
        if self._at + count <= len(self._window):
            self._at += count
        else:
            self._seek(self.position + count)

    def skip_texts(self, count: int, longest: int, what: str) -> None:
        """Move over `count` length-prefixed texts.

        A vocabulary has hundreds of thousands, so this stays inside the window as long as
        it can. GgufError for a text longer than `longest`.
        """
        self.require(8 * count, what)
        for _ in range(count):
            at = self._at
            length = int.from_bytes(self._window[at : at + 8], "little")
            end = at + 8 + length
            if end <= len(self._window):
                self._at = end
                continue
            length = self.u64(what)
            if length > longest:
                raise GgufError(
                    f"{what} holds an absurdly long text",
                    path=self.path,
                    found=f"{length} bytes",
                    expected=f"at most {longest}",
                )
            self.skip(length, what)

    def u32(self, what: str) -> int:
        """The next unsigned 32-bit number."""
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        """The next unsigned 64-bit number."""
        return int.from_bytes(self.take(8, what), "little")

    def require(self, count: int, what: str) -> None:
        """GgufError unless `count` more bytes may be read."""
        if count <= self.remaining:
            return
        past_file = self.position + count > self.size
        raise GgufError(
            f"{what} reaches past the end of the file"
            if past_file
            else f"{what} makes the header larger than any real one",
            path=self.path,
            found=f"{count} bytes at offset {self.position}",
            expected=f"at most {self.remaining} more bytes",
            hint="download the file again: it is truncated or damaged" if past_file else None,
        )

    def _seek(self, position: int) -> None:
        self._start, self._at, self._window = position, 0, b""

    def _fill(self, count: int, what: str) -> None:
        start = self.position
        self._window = self._read(start, min(_WINDOW, self._limit - start), what, least=count)
        self._start, self._at = start, 0

    def _read(self, start: int, count: int, what: str, least: int | None = None) -> bytes:
        least = count if least is None else least
        pieces: list[bytes] = []
        got = 0
        while got < count:
            try:
                piece = os.pread(self._descriptor, count - got, self._base + start + got)
            except OSError as error:
                raise GgufError(
                    f"cannot be read: {error.strerror or error}", path=self.path
                ) from error
            if not piece:
                break
            pieces.append(piece)
            got += len(piece)
        if got < least:
            raise GgufError(f"{what} is cut off: the file shrank while it was read", path=self.path)
        return b"".join(pieces)
