"""Who may use a server, and for how long it keeps things: the flags."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from qwq_gguf.serve.access import Access

__all__ = ["access_of", "read_seconds"]

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(s|m|h)?", re.ASCII)
_UNITS = {None: 1, "s": 1, "m": 60, "h": 3600}
_MOST_KEYS = 64 * 1024  # bytes of a file of keys
_LEAST_KEY, _MOST_KEY = 8, 512  # characters


def read_seconds(text: str | None, flag: str) -> float | None:
    """A time such as 90, 30s, 10m or 1h. Usage error for anything else."""
    if text is None:
        return None
    found = _TIME.fullmatch(text.strip().lower())
    if found is None or not float(found[1]):
        raise typer.BadParameter(f"{flag} {text[:60]}: expected a time, such as 30s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def access_of(
    host: str,
    keys: list[str] | None,
    key_file: Path | None,
    hosts: list[str] | None,
    origins: list[str] | None,
) -> Access:
    """Who is let in, by the flags. Usage error for what makes no sense."""
    from qwq_gguf.serve.access import Access, digest_of, origins_of

    try:
        shared = origins_of(origins or ())
    except ValueError as error:
        raise typer.BadParameter(
            f"--cors {str(error)[:80]}: expected an origin, such as https://chat.example.org"
        ) from None
    shown = [*(keys or ()), *_keys_in(key_file)]
    for key in shown:
        if not _LEAST_KEY <= len(key) <= _MOST_KEY:
            raise typer.BadParameter(f"a key has {_LEAST_KEY} to {_MOST_KEY} characters")
    return Access(
        bound=host,
        hosts=frozenset(name.lower() for name in hosts or ()),
        origins=shared,
        keys=tuple(map(digest_of, shown)),
    )


def _keys_in(file: Path | None) -> list[str]:
    """The keys in a file, one a line."""
    if file is None:
        return []
    from qwq_gguf.files.reading import read_given

    try:
        raw = read_given(file, _MOST_KEYS)
        lines = raw.decode().split("\n")
    except OSError as error:
        raise typer.BadParameter(f"--api-key-file {file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"--api-key-file {file} is not UTF-8 text") from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys or len(raw) > _MOST_KEYS:
        raise typer.BadParameter(f"--api-key-file {file}: expected a key a line")
    return keys
