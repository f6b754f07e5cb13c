"""Passes over texts: the reference's, a quant's beside it, or both in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.evaluation.quality.log_probs import encode, unlikelihoods

if TYPE_CHECKING:
    from qwq_gguf.engine.scoring.scorer import Rows, ScoredText, Scorer
    from qwq_gguf.evaluation.quality.rows_on_disk import Gives, Keeps
    from qwq_gguf.evaluation.quality.tally import Tally

__all__ = ["Passed", "in_step", "reference_pass", "second_pass"]

Passed = Callable[[int], object]
"""Hears that so many more texts are done."""


def reference_pass(
    scorer: Scorer, texts: Sequence[ScoredText], passed: Passed, store: Keeps | None = None
) -> NDArray[np.float32]:
    """-log p of each token that is foretold; what the reference makes of them goes to `store`."""
    found: list[NDArray[np.float32]] = []
    for rows in _told(scorer, texts, passed):
        found.append(_nll(rows, texts))
        if store is not None:
            store.put(rows.text, rows.first, encode(rows.logits))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def second_pass(
    scorer: Scorer, texts: Sequence[ScoredText], passed: Passed, store: Gives, tally: Tally
) -> None:
    """A quant beside what a reference has left in `store`."""
    for rows in _told(scorer, texts, passed):
        codes = store.rows(rows.text, rows.first, len(rows.logits))
        tally.add(rows.text, rows.first, codes, rows.logits)


def in_step(
    reference: Scorer,
    quants: Sequence[tuple[Scorer, Tally]],
    texts: Sequence[ScoredText],
    passed: Passed,
    store: Keeps | None = None,
) -> NDArray[np.float32]:
    """Reference and quants by turns, some rows each; what `reference_pass` gives."""
    found: list[NDArray[np.float32]] = []
    others = [scorer.rows(texts) for scorer, _ in quants]
    for base, *parts in zip(_told(reference, texts, passed), *others, strict=True):
        codes = encode(base.logits)
        found.append(_nll(base, texts))
        if store is not None:
            store.put(base.text, base.first, codes)
        for rows, (_, tally) in zip(parts, quants, strict=True):
            tally.add(rows.text, rows.first, codes, rows.logits)
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _told(scorer: Scorer, texts: Sequence[ScoredText], passed: Passed) -> Iterator[Rows]:
    done = 0
    for rows in scorer.rows(texts):
        if rows.text > done:
            passed(rows.text - done)
            done = rows.text
        yield rows
    passed(len(texts) - done)


def _nll(rows: Rows, texts: Sequence[ScoredText]) -> NDArray[np.float32]:
    after = texts[rows.text].tokens[rows.first + 1 : rows.first + 1 + len(rows.logits)]
    return unlikelihoods(rows.logits, np.asarray(after, np.int64))
