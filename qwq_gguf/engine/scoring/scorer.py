"""Logits along given texts, a few rows at a time: nobody keeps them all."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qwq_gguf.engine.llama.context_settings import ContextSettings, TensorCallback
from qwq_gguf.engine.llama.interruptible import run_aside
from qwq_gguf.engine.llama.kv_context import KvContext
from qwq_gguf.engine.scoring.rounds import Cut, batch_for, rounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.engine.model import Model

__all__ = ["Rows", "ScoredText", "Scorer"]

_ROWS = 32  # that are copied at once: 20 MB of the largest vocabularies


class ScoredText(NamedTuple):
    """Tokens, and from which of them on the next one is to be foretold. Behind the last one
    nothing is.
    """

    tokens: Sequence[int]
    first: int


class Rows(NamedTuple):
    """Logits [rows, vocabulary] behind the tokens `first`, `first + 1`, ... of a text."""

    text: int
    first: int
    logits: NDArray[np.float32]


class Scorer:
    """A context for that, made from a loaded model; a context manager.

    `sequences` texts at most are in it at once, and all of them together have the model's context.
    `apart`: each has an equal part of it, as in llama-perplexity and llama-imatrix: where texts
    share a cache, attention sums in another order.
    """

    def __init__(
        self,
        model: Model,
        *,
        sequences: int,
        apart: bool = False,
        on_tensor: TensorCallback | None = None,
    ) -> None:
        self._model = model
        self._sequences = sequences
        self._batch = min(batch_for(model.vocab_size), model.context_size)
        base = model.settings
        settings = ContextSettings(
            sequences=sequences,
            apart=apart,
            keys=base.keys,
            values=base.values,
            flash_attention=base.flash_attention,
            yarn=base.yarn,
            batch=max(self._batch, sequences),
            on_tensor=on_tensor,
        )
        self._context = _BatchContext(model, settings)
        model.adopt(self._context)

    def rows(self, texts: Sequence[ScoredText]) -> Iterator[Rows]:
        """What the model foretells, text by text, in order. ModelError where it cannot, or where
        it computes what is no number.
        """
        for cuts in self._computed(texts):
            at = 0
            for cut in cuts:
                text = texts[cut.text]
                first = max(cut.first, text.first)
                end = min(cut.end, len(text.tokens) - 1)
                for row in range(first, end, _ROWS):
                    count = min(_ROWS, end - row)
                    logits = self._context.copy_logits(at + row - cut.first, count)
                    yield Rows(cut.text, row, logits)
                at += cut.end - cut.first

    def run(self, texts: Sequence[ScoredText]) -> Iterator[int]:
        """Compute them for what is seen meanwhile; how many texts are done, after each round.

        Every token has an output, so that no part of the last layer is left out.
        """
        done = 0
        for cuts in self._computed(texts, all_outputs=True):
            ended = cuts[-1].text + (cuts[-1].end == len(texts[cuts[-1].text].tokens))
            if ended > done:
                done = ended
                yield done

    def _computed(
        self, texts: Sequence[ScoredText], *, all_outputs: bool = False
    ) -> Iterator[tuple[Cut, ...]]:
        lengths = [len(text.tokens) for text in texts]
        parts = rounds(
            lengths,
            context=self._model.context_size,
            sequences=self._sequences,
            batch=self._batch,
        )
        for some in parts:
            self._context.empty()
            for cuts in some.decodes:
                self._context.compute(
                    [
                        _Tokens(
                            cut.text - some.texts.start,
                            cut.first,
                            texts[cut.text].tokens[cut.first : cut.end],
                            cut.first if all_outputs else texts[cut.text].first,
                            cut.end if all_outputs else len(texts[cut.text].tokens) - 1,
                        )
                        for cut in cuts
                    ]
                )
                yield cuts

    def close(self) -> None:
        """Free the context; may be called twice."""
        self._context.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Tokens(NamedTuple):
    """Tokens of a sequence from a position on; those from `wanted` to before `end` have outputs."""

    sequence: int
    first: int
    tokens: Sequence[int]
    wanted: int
    end: int


class _BatchContext(KvContext):
    def compute(self, parts: Sequence[_Tokens]) -> None:
        """Decode them at once; ModelError where that fails. Ctrl-C ends it."""
        tokens = [token for part in parts for token in part.tokens]
        places = [part.first + n for part in parts for n in range(len(part.tokens))]
        owners = [part.sequence for part in parts for _ in part.tokens]
        wanted = [
            part.wanted <= part.first + n < part.end
            for part in parts
            for n in range(len(part.tokens))
        ]
        size = len(tokens)
        sequences = (ctypes.c_int32 * size)(*owners)
        start, width = ctypes.addressof(sequences), ctypes.sizeof(ctypes.c_int32)
        lists = (ctypes.c_size_t * size)(*(start + n * width for n in range(size)))
        pointers = ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))
        batch = self._api.llama_batch(
            n_tokens=size,
            token=(ctypes.c_int32 * size)(*tokens),
            embd=None,
            pos=(ctypes.c_int32 * size)(*places),
            n_seq_id=(ctypes.c_int32 * size)(*[1] * size),
            seq_id=ctypes.cast(lists, pointers),
            logits=(ctypes.c_int8 * size)(*wanted),
        )
        status = run_aside(partial(self._decode, batch), self.abort.set)
        self._check_owner()
        self.check(status)

    def copy_logits(self, index: int, count: int) -> NDArray[np.float32]:
        """Of so many tokens of the last batch, one behind the other, from this one on."""
        with self.owned as handle:
            logits = self._api.llama_get_logits_ith(handle, index)
            if not logits:
                raise self.failure(-1)
            view = np.ctypeslib.as_array(logits, (count, self._model.vocab_size))
            rows = view.copy()
        if not np.isfinite(rows[:, 0]).all():
            raise self.damaged()
        return rows

    def empty(self) -> None:
        """Forget all, down to the numbers."""
        with self.owned:
            self._api.llama_memory_clear(self._memory, True)
