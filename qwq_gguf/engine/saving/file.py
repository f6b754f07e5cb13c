"""The file of a saved chat: a header that anybody may read, and a state under a seal.

8 bytes   QWQCHAT and a 1
4 bytes   length of the header, little-endian
header    JSON: `schema`, `messages`, `left_out`, `asked`, `made_with`, `tokens`, `state`
tokens    4 bytes each, little-endian
state     as llama.cpp wrote it
32 bytes  the seal of all that (`key`)
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.stored import messages_from_json, messages_to_json
from qwq_gguf.engine.llama.sequence_state import SequenceState
from qwq_gguf.engine.saving.key import SEAL_BYTES, Seal, write_private
from qwq_gguf.engine.saving.made_with import MadeWith
from qwq_gguf.errors import ModelError
from qwq_gguf.files.reading import open_file
from qwq_gguf.files.writing import write_files
from qwq_gguf.json_text import parse_json
from qwq_gguf.machine import available_memory

__all__ = ["SCHEMA", "SavedChat", "SavedFile", "write_chat"]

SCHEMA = "qwq-gguf/session/1"
_MAGIC = b"QWQCHAT1"
_MOST_HEADER = 32 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class SavedChat:
    """A chat: all its messages, how many of its oldest turns are not sent, and how many
    questions it had; and what it was made with.
    """

    messages: tuple[Message, ...]
    left_out: int
    asked: int
    made_with: MadeWith


def write_chat(
    path: Path,
    chat: SavedChat,
    state: SequenceState | None,
    key: bytes | None,
    *,
    force: bool = False,
) -> None:
    """Write the file, whole or not at all, for its owner alone. OutputError.

    Without a `key` there is no seal, so the state would never be taken: it is left out.
    """
    if state is None or key is None:
        state = SequenceState((), b"")
    header = {
        "schema": SCHEMA,
        "messages": messages_to_json(chat.messages),
        "left_out": chat.left_out,
        "asked": chat.asked,
        "made_with": chat.made_with.to_json(),
        "tokens": len(state.tokens),
        "state": len(state.data),
    }
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode()
    if len(text) > _MOST_HEADER:
        raise ModelError("this chat is too long to be saved", path=path, found=f"{len(text)} bytes")
    parts = [_MAGIC + struct.pack("<I", len(text)), text, _packed(state.tokens), state.data]
    seal = Seal(key or b"")
    for part in parts:
        seal.feed(part)
    parts.append(seal.made() if key else bytes(SEAL_BYTES))
    write_files({path: partial(write_private, parts)}, force=force)


@dataclass(slots=True)
class SavedFile:
    """An open file of a saved chat, by `open`. Its `chat` is data like any other; the state comes
    only by `state`, which asks for the seal.
    """

    chat: SavedChat
    _path: Path
    _file: BinaryIO
    _head: bytes = field(repr=False)
    _tokens: int
    _state: int

    @classmethod
    def open(cls, path: Path) -> SavedFile:
        """ModelError for what is no saved chat, or is damaged in front of its state."""
        try:
            file = os.fdopen(open_file(path), "rb")
        except OSError as error:
            raise ModelError(
                f"cannot be read: {error.strerror or error}",
                path=path,
                hint="name a file that was saved by a chat",
            ) from None
        try:
            return cls._read(path, file)
        except ValueError as problem:
            file.close()
            raise ModelError(
                "is no saved chat, or is damaged",
                path=path,
                found=str(problem)[:200],
                hint="name a file that was saved by a chat",
            ) from None
        except BaseException:
            file.close()
            raise

    @classmethod
    def _read(cls, path: Path, file: BinaryIO) -> SavedFile:
        size = os.fstat(file.fileno()).st_size
        begin = file.read(len(_MAGIC) + 4)
        if len(begin) < len(_MAGIC) + 4 or not begin.startswith(_MAGIC):
            raise ValueError("it does not begin as one")
        (length,) = struct.unpack_from("<I", begin, len(_MAGIC))
        if length > min(_MOST_HEADER, size):
            raise ValueError(f"its header is to have {length} bytes")
        text = file.read(length)
        header = parse_json(text)
        if not isinstance(header, dict) or header.get("schema") != SCHEMA:
            raise ValueError(f"its header is no {SCHEMA}")
        chat = SavedChat(
            messages_from_json(header.get("messages")),
            _number(header, "left_out"),
            _number(header, "asked"),
            MadeWith.from_json(header.get("made_with")),
        )
        tokens, state = _number(header, "tokens"), _number(header, "state")
        if len(begin) + length + 4 * tokens + state + SEAL_BYTES != size:
            raise ValueError("it is longer or shorter than it says")
        return cls(chat, path, file, begin + text, tokens, state)

    def state(self, key: bytes | None, *, context: int) -> SequenceState | str:
        """The state, if it is sealed by this key and has room; else why not."""
        if not self._tokens or not self._state:
            return "it has none"
        if self._tokens >= context:
            return f"it has {self._tokens} tokens, and this context takes {context}"
        available = available_memory()
        if available is not None and 3 * self._state > available:
            return "there is too little memory to read it"
        if key is None:
            return "there is no key to tell whether you saved it"
        seal = Seal(key)
        seal.feed(self._head)
        tokens = self._taken(4 * self._tokens, seal)
        data = self._taken(self._state, seal)
        if not seal.is_(self._file.read(SEAL_BYTES)):
            return "it was not saved by you on this computer, or is damaged"
        return SequenceState(_unpacked(tokens), data)

    def close(self) -> None:
        """May be called twice."""
        self._file.close()

    def _taken(self, size: int, seal: Seal) -> bytes:
        return b"".join(self._pieces(size, seal))

    def _pieces(self, size: int, seal: Seal) -> Iterator[bytes]:
        while size and (piece := self._file.read(min(size, _CHUNK))):
            seal.feed(piece)
            size -= len(piece)
            yield piece


def _number(header: dict[str, Any], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 48:
        raise ValueError(f"{name} is no number")
    return value


def _packed(tokens: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(tokens)}i", *tokens)


def _unpacked(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // 4}i", raw)
