"""A lock file as `uv pip compile --generate-hashes` writes it and pip reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package: its lines as they stand, and what they say."""

    name: str
    version: str
    hashes: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Every pin of one file, in its order. A name may occur twice, with different markers."""

    pins: tuple[Pin, ...]

    def pin(self, name: str) -> Pin:
        """The only pin of this name."""
        found = [pin for pin in self.pins if pin.name == name]
        if len(found) != 1:
            raise SetupError(f"the lock file pins {name} {len(found)} times, not once")
        return found[0]

    def text(self, *, without: str = "") -> str:
        """The file again, for pip, with one package left out."""
        return "".join(pin.text for pin in self.pins if pin.name != without)


def read_lock(path: Path) -> Lock:
    """Parse a lock file. A pin without a hash is an error: nothing unverified gets installed."""
    # A pin is a line that starts in the first column and goes on while lines are indented.
    blocks: list[list[str]] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.strip() == "" or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            if not blocks:
                raise SetupError(f"{path}: the first line is indented")
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return Lock(tuple(_pin(path, "".join(block)) for block in blocks))


def _pin(path: Path, text: str) -> Pin:
    match = _PIN.match(text)
    hashes = tuple(_HASH.findall(text))
    if match is None or not hashes:
        raise SetupError(f"{path}: not a pinned and hashed package: {text.splitlines()[0]}")
    return Pin(match["name"], match["version"], hashes, text)
