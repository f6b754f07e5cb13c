"""What is kept of a comparison: six numbers a place, and the worst places in full. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.evaluation.quality.closing import Closing
from qwq_gguf.evaluation.quality.figures import Figures, figures, gathered
from qwq_gguf.evaluation.quality.log_probs import (
    Codes,
    Logits,
    Places,
    chosen_places,
    compare,
    decode,
)

__all__ = ["Pick", "Reply", "Tally", "WorstPlace"]

Tokens: TypeAlias = NDArray[np.int64]


class Pick(NamedTuple):
    """A token, and what the reference and the quant give it."""

    token: int
    reference: float
    quant: float


class WorstPlace(NamedTuple):
    """A place with a large divergence: behind token `at` of text `text`, where `came` came,
    the reference wanted one token and the quant another (or the same).
    """

    kld: float
    text: int
    at: int
    came: Pick
    wanted: Pick
    picked: Pick


@dataclass(frozen=True, slots=True)
class Reply:
    """Of a trace: behind which of its tokens the reply begins, and how many are the thought."""

    begins: int
    thought: int


class Tally:
    """Takes rows of the reference and the quant; gives figures.

    `replies` are those of traces, a text each; without them all places are alike. `hesitations`
    are tokens whose places are counted by themselves.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[int]],
        *,
        worst: int = 0,
        replies: Sequence[Reply] = (),
        hesitations: frozenset[int] = frozenset(),
        closing: Closing | None = None,
    ) -> None:
        self._texts = texts
        self._most = worst
        self._replies = replies
        self._hesitations = hesitations
        self._closing = closing
        self._parts: dict[str, list[Places]] = {"all": []}
        self._worst: list[tuple[float, int, int, WorstPlace]] = []

    def add(self, text: int, first: int, codes: Codes, logits: Logits) -> None:
        """Rows behind the tokens `first`, `first + 1`, ... of a text."""
        came = np.asarray(self._texts[text][first + 1 : first + 1 + len(logits)], np.int64)
        places = compare(codes, logits, came)
        self._parts["all"].append(places)
        self._remember(text, first, codes, logits, came, places)
        if self._replies:
            self._sort(text, first, codes, logits, came, places)

    def figures(self) -> Figures:
        """Over all places, of which there is at least one."""
        return figures(gathered(self._parts["all"]))

    def kinds(self) -> dict[str, Figures]:
        """The same for the parts of traces that there are: thought, answer, hesitation."""
        found = {
            kind: gathered(parts) for kind, parts in self._parts.items() if kind != "all" and parts
        }
        return {kind: figures(places) for kind, places in found.items() if len(places.nll)}

    @property
    def worst(self) -> list[WorstPlace]:
        """The worst first."""
        return [entry[3] for entry in sorted(self._worst, key=lambda each: (-each[0], *each[1:3]))]

    @property
    def closing(self) -> Closing | None:
        """What was given for it."""
        return self._closing

    def _sort(
        self, text: int, first: int, codes: Codes, logits: Logits, came: Tokens, places: Places
    ) -> None:
        reply = self._replies[text]
        inside = np.arange(first, first + len(came)) < reply.begins + reply.thought
        doubts = inside & np.isin(came, list(self._hesitations))
        for kind, chosen in (("thought", inside), ("answer", ~inside), ("hesitation", doubts)):
            if chosen.any():
                part = chosen_places(places, chosen)
                self._parts.setdefault(kind, []).append(part)
        if self._closing is not None and inside.any():
            self._closing.add(
                text, codes[inside], logits[inside], places.base_top[inside], came[inside]
            )

    def _remember(
        self, text: int, first: int, codes: Codes, logits: Logits, came: Tokens, places: Places
    ) -> None:
        for row in np.argsort(-places.kld, kind="stable")[: self._most]:
            kld = float(places.kld[row])
            if len(self._worst) == self._most and kld <= self._worst[0][0]:
                return
            base = decode(codes[row : row + 1], logits.shape[1])[0]
            tokens = [int(came[row]), int(places.base_top[row]), int(places.top[row])]
            total = places.nll[row] + logits[row, came[row]]
            theirs, ours = np.exp(base[tokens]), np.exp(logits[row, tokens] - total)
            picks = map(Pick, tokens, theirs.tolist(), ours.tolist())
            place = WorstPlace(kld, text, first + int(row), *picks)
            entry = (kld, -text, -place.at, place)
            if len(self._worst) < self._most:
                heapq.heappush(self._worst, entry)
            else:
                heapq.heapreplace(self._worst, entry)
