"""Which tokens of which texts are computed together: decided on lengths alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Cut", "Round", "batch_for", "rounds"]

_LOGIT_BYTES = 512 << 20
_MOST, _LEAST = 512, 32


class Cut(NamedTuple):
    """Tokens `first` to `end` of a text, by its number."""

    text: int
    first: int
    end: int


class Round(NamedTuple):
    """Texts that are in the cache together, and the decodes that compute them."""

    texts: range
    decodes: tuple[tuple[Cut, ...], ...]


def batch_for(vocabulary: int) -> int:
    """Tokens to decode at once, so that logits behind each take no more than 512 MiB."""
    return max(_LEAST, min(_MOST, _LOGIT_BYTES // (4 * vocabulary)))


def rounds(lengths: Sequence[int], *, context: int, sequences: int, batch: int) -> Iterator[Round]:
    """The texts in their order, as many together as the context has cells and sequences for.

    ValueError for a text that is longer than the context. A text longer than a batch is cut
    into equal parts: llama-imatrix leaves out what is computed less than 16 tokens at a time.
    """
    first = 0
    while first < len(lengths):
        if lengths[first] > context:
            raise ValueError(f"a text of {lengths[first]} tokens in a context of {context}")
        end, cells = first, 0
        while end < len(lengths) and end - first < sequences and cells + lengths[end] <= context:
            cells += lengths[end]
            end += 1
        yield Round(range(first, end), tuple(_decodes(lengths, range(first, end), batch)))
        first = end


def _decodes(lengths: Sequence[int], texts: range, batch: int) -> Iterator[tuple[Cut, ...]]:
    cuts: list[Cut] = []
    room = batch
    for text in texts:
        for cut in _parts(text, lengths[text], batch):
            size = cut.end - cut.first
            if size > room:
                yield tuple(cuts)
                cuts, room = [], batch
            cuts.append(cut)
            room -= size
    if cuts:
        yield tuple(cuts)


def _parts(text: int, length: int, batch: int) -> Iterator[Cut]:
    count = -(-length // batch)
    places = [length * number // count for number in range(count + 1)] if count else []
    for first, end in pairwise(places):
        yield Cut(text, first, end)
