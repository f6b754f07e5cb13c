"""Sizes as people type them: 8G, 512M, 1.5GiB."""

from __future__ import annotations

import re
from decimal import Decimal

import typer

__all__ = ["read_size"]

_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])(i?)B?", re.IGNORECASE | re.ASCII)
_POWER = {"M": 2, "G": 3, "T": 4}


def read_size(text: str, flag: str, *, thousand: int = 1000) -> int:
    """Bytes, 1 at least. M, G and T are powers of `thousand`, and with an i of 1024.

    BadParameter naming the flag for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    number = Decimal(match[1]) if match else Decimal(0)
    if match is None or not number:
        raise typer.BadParameter(f"{flag} {text}: expected a size, such as 8G or 500M")
    unit = (1024 if match[3] else thousand) ** _POWER[match[2].upper()]
    return max(1, int(number * unit))
