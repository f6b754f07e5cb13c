"""Conversations as rows of tokens, in the batches that training takes them in."""

from __future__ import annotations

from collections.abc import Iterator

from conversations import Sample
from tokenizers import Tokenizer

SHORT, LONG = 256, 512  # row lengths; most conversations are short, and attention is quadratic
SHORT_ROWS = 24
USER_WEIGHT = 0.05  # a little loss on the question teaches copying, too much wastes capacity

Row = tuple[list[int], list[float]]
"""The tokens of a row, and what each weighs in the loss."""


def encode(tokenizer: Tokenizer, sample: Sample) -> Row:
    ids = tokenizer.encode(sample.prompt, add_special_tokens=False).ids
    weights = [USER_WEIGHT] * len(ids)
    for span in sample.reply:
        piece = tokenizer.encode(span.text, add_special_tokens=False).ids
        ids += piece
        weights += [span.weight] * len(piece)
    return ids, weights


class Rows:
    """Conversations laid end to end into rows of one length; each row starts with a fresh one.

    Later conversations in a row see the earlier ones: that is what a long chat looks like.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.full: list[Row] = []
        self.ids: list[int] = []
        self.weights: list[float] = []

    def add(self, ids: list[int], weights: list[float]) -> None:
        self.ids += ids
        self.weights += weights
        if len(self.ids) > self.length:
            self.close()

    def close(self) -> None:
        room = self.length + 1
        pad = max(0, room - len(self.ids))
        self.full.append((self.ids[:room] + [0] * pad, self.weights[:room] + [0.0] * pad))
        self.ids, self.weights = [], []

    def take(self) -> list[Row]:
        if self.ids:
            self.close()
        rows, self.full = self.full, []
        return rows


def batches(tokenizer: Tokenizer, samples: Iterator[Sample]) -> Iterator[list[list[Row]]]:
    """One step's conversations, as a batch of short rows and one of long rows."""
    while True:
        short, long = Rows(SHORT), Rows(LONG)
        while len(short.full) < SHORT_ROWS:
            ids, weights = encode(tokenizer, next(samples))
            (short if len(ids) <= SHORT else long).add(ids, weights)
        yield [rows.take() for rows in (short, long) if rows.full or rows.ids]
