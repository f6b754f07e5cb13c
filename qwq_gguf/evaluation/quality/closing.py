"""p(closing tag): whether a quant would end its thoughts where its reference does. Pure.

Looked at are the places in thoughts where the reference would close, its likeliest token being
the closing tag, or where the trace did close. What the quant gives the tag there, divided by what
the reference does, is below 1 for a quant that goes on thinking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.evaluation.quality.log_probs import DEPTH, Codes, Logits, decode

__all__ = ["SEED", "WORDS", "Closing", "ClosingFigures", "Ratio"]

WORDS = ("Wait", "But", "Hmm", "Alternatively", "So")
SEED = 0
"""Of the dice with which traces are drawn for the intervals."""
_DRAWS = 2000
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A mean probability of the quant's beside the reference's, and the first divided by the
    second with its interval of 95 %: a bootstrap over the traces.
    """

    reference: float
    quant: float
    ratio: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """The numbers as an object."""
        return {
            name: None if (value := getattr(self, name)) is None else float(f"{value:.6g}")
            for name in self.__slots__
        }


@dataclass(frozen=True, slots=True)
class ClosingFigures:
    """`places` in `traces`; `agreed` is the share of them where the quant's likeliest token is
    the tag, too. `words` are what else might come there. `early` is the probability of the tag at
    all other places of the thoughts, where the reference goes on.
    """

    places: int
    traces: int
    agreed: float
    tag: Ratio
    words: Mapping[str, Ratio]
    early: Ratio

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            "places": self.places,
            "traces": self.traces,
            "agreed": round(self.agreed, 6),
            "closing_tag": self.tag.to_json(),
            "words": {word: ratio.to_json() for word, ratio in self.words.items()},
            "closing_tag_elsewhere": self.early.to_json(),
        }


class Closing:
    """Collects those places of a quant, some rows at a time.

    `tag` is the token that closes (the first of several that do), `words` the tokens that begin
    with each word.
    """

    def __init__(self, tag: int, words: Mapping[str, Sequence[int]]) -> None:
        self._tag = tag
        self._words = {word: list(tokens) for word, tokens in words.items() if tokens}
        self._rows: list[list[float]] = []  # trace, agreed, then reference's and quant's by turns
        self._others: dict[int, list[float]] = {}

    def add(
        self,
        trace: int,
        codes: Codes,
        logits: Logits,
        base_top: NDArray[np.int32],
        came: NDArray[np.int64],
    ) -> None:
        """Rows of a thought: the token that came after each is in `came`."""
        rows, vocabulary = logits.shape
        here = (base_top == self._tag) | (came == self._tag)
        base = np.exp(decode(codes, vocabulary)[:, self._tag])
        ours = _probabilities(logits, [self._tag])
        there = self._others.setdefault(trace, [0.0, 0.0, 0.0])
        there[0] += float(base[~here].sum(dtype=np.float64))
        there[1] += float(ours[~here].sum(dtype=np.float64))
        there[2] += int(rows - here.sum())
        for row in np.flatnonzero(here):
            one = slice(row, row + 1)
            values = [float(trace), float(logits[row].argmax() == self._tag)]
            values += [float(base[row]), float(ours[row])]
            known = np.exp(decode(codes[one], vocabulary)[0])
            for tokens in self._words.values():
                values.append(float(known[tokens].sum()))
                values.append(float(_probabilities(logits[one], tokens)[0]))
            self._rows.append(values)

    def figures(self) -> ClosingFigures | None:
        """What they say; None without such a place."""
        if not self._rows:
            return None
        table = np.array(self._rows)
        traces = np.unique(table[:, 0])
        draws = _draws(len(traces))
        owners = np.searchsorted(traces, table[:, 0])
        counts = np.bincount(owners, minlength=len(traces)).astype(float)

        def of(column: int) -> Ratio:
            sums = [
                np.bincount(owners, table[:, each], minlength=len(traces)).astype(float)
                for each in (column, column + 1)
            ]
            return _ratio(sums[0], sums[1], counts, draws)

        others = np.array(list(self._others.values()))
        return ClosingFigures(
            places=len(table),
            traces=len(traces),
            agreed=float(table[:, 1].mean()),
            tag=of(2),
            words={word: of(4 + 2 * number) for number, word in enumerate(self._words)},
            early=_ratio(others[:, 0], others[:, 1], others[:, 2], _draws(len(others))),
        )


def _probabilities(logits: Logits, tokens: Sequence[int]) -> NDArray[np.float64]:
    """What each row gives these tokens together, none of them less than the reference's codes can
    say: else what both think impossible would count as a difference.
    """
    below = logits - logits.max(axis=1, keepdims=True)
    all_of_it = np.exp(below).sum(axis=1, dtype=np.float64)
    shown = np.exp(np.maximum(below[:, list(tokens)], -DEPTH))
    found: NDArray[np.float64] = shown.sum(axis=1, dtype=np.float64) / all_of_it
    return found


def _draws(count: int) -> NDArray[np.float64]:
    dice = np.random.Generator(np.random.PCG64(SEED))
    shares = np.full(count, 1 / count)
    return dice.multinomial(count, shares, size=_DRAWS).astype(float)


def _ratio(
    reference: NDArray[np.float64],
    quant: NDArray[np.float64],
    counts: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> Ratio:
    whole, total = counts.sum(), reference.sum()
    if not whole:
        return Ratio(0.0, 0.0, None, None, None)
    means = float(total / whole), float(quant.sum() / whole)
    if not total:
        return Ratio(*means, None, None, None)
    bottoms = draws @ reference
    ratios = np.divide(draws @ quant, bottoms, out=np.zeros_like(bottoms), where=bottoms > 0)
    low, high = np.quantile(ratios[bottoms > 0], _TAILS)
    return Ratio(*means, means[1] / means[0], float(low), float(high))
