"""Byte-level BPE, as far as a fingerprint of a tokenizer needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

__all__ = ["byte_letters", "encode_pieces"]


def byte_letters() -> dict[int, str]:
    """GPT-2's letter for every byte: printable bytes stand for themselves, the other 68 for
    U+0100 onwards (https://github.com/openai/gpt-2/blob/master/src/encoder.py).
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    letters = {byte: chr(byte) for byte in printable}
    letters.update({byte: chr(0x100 + index) for index, byte in enumerate(others)})
    return letters


def encode_pieces(
    pieces: Iterable[str],
    ids: Mapping[str, int],
    ranks: Mapping[tuple[str, str], int],
    *,
    ignore_merges: bool,
) -> list[int] | None:
    """Token numbers of text that is already split; None if the vocabulary lacks a byte."""
    letters = byte_letters()
    numbers: list[int] = []
    for piece in pieces:
        word = "".join(letters[byte] for byte in piece.encode("utf-8"))
        parts = [word] if ignore_merges and word in ids else _merge(list(word), ranks)
        for part in parts:
            number = ids.get(part)
            if number is None:
                return None
            numbers.append(number)
    return numbers


def _merge(parts: list[str], ranks: Mapping[tuple[str, str], int]) -> list[str]:
    last = len(ranks)
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        best = min(pairs, key=lambda pair: ranks.get(pair, last))
        if best not in ranks:
            break
        merged: list[str] = []
        index = 0
        while index < len(parts):
            if index + 1 < len(parts) and (parts[index], parts[index + 1]) == best:
                merged.append(parts[index] + parts[index + 1])
                index += 2
            else:
                merged.append(parts[index])
                index += 1
        parts = merged
    return parts
