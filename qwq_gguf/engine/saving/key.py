"""Which files are this user's own: a key in his cache, and seals made with it.

What llama.cpp restores a state from has to be what it wrote. A digest would not tell: whoever
makes up a file makes up its digest. A seal (HMAC, RFC 2104) takes the key, and that never
leaves this computer.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.files.writing import write_files
from qwq_gguf.resources import own_cache, read_own

__all__ = ["SEAL_BYTES", "Seal", "own_key", "write_private"]

SEAL_BYTES = 32
_NAME = "session.key"
_BYTES = 32


class Seal:
    """Takes in bytes, then says their seal."""

    def __init__(self, key: bytes) -> None:
        self._hmac = hmac.new(key, digestmod=hashlib.sha256)

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self._hmac.update(data)

    def made(self) -> bytes:
        """The seal of all that was fed."""
        return self._hmac.digest()

    def is_(self, seal: bytes) -> bool:
        """Whether that is it."""
        return hmac.compare_digest(self._hmac.digest(), seal)


def own_key(folder: Path | None = None) -> bytes | None:
    """The key, made if there is none yet; None where nothing can be kept, or others could read it.

    `folder` is in place of the user's cache.
    """
    folder = own_cache(root=folder)
    if folder is None:
        return None
    path = folder / _NAME
    key = _read(path)
    if key is None:
        try:
            write_files({path: partial(write_private, [secrets.token_bytes(_BYTES)])})
        except (OSError, OutputError):
            pass  # another process was first, or it cannot be written
        key = _read(path)
    return key


def write_private(parts: Iterable[bytes], path: Path) -> None:
    """A new file that nobody else may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        for part in parts:
            file.write(part)


def _read(path: Path) -> bytes | None:
    try:
        if os.name == "posix" and path.lstat().st_mode & 0o077:
            return None
        key = read_own(path, _BYTES)
    except OSError:
        return None
    return key if key is not None and len(key) == _BYTES else None
