"""Sampling with stages that forbid tokens: a grammar, or a logit bias of minus infinity.

llama.cpp gives a forbidden token the logit minus infinity and keeps it among the
candidates. When all are forbidden its final stage picks one nevertheless, a grammar that
is told of it throws an exception that nothing catches, and typ_p computes NaN. So here the
stages run one by one, what is forbidden leaves the candidates at once, and a token that
the grammar does not allow never gets there.

A grammar that can read a character in several ways makes llama.cpp try each token in a
number of ways that doubles with its letters (`sampling.gbnf_ambiguity`). Long tokens are read
here instead, where readings that have become the same are one.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qwq_gguf.engine.llama.owned import Owned
from qwq_gguf.errors import ModelError
from qwq_gguf.sampling.gbnf import parse_gbnf
from qwq_gguf.sampling.gbnf_ambiguity import most_ways
from qwq_gguf.sampling.gbnf_recogniser import Reading, Recogniser

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.vocabulary import Vocabulary
    from qwq_gguf.sampling.stages import Grammar

__all__ = ["Candidates", "GrammarSampler"]

# llama.cpp's grammar recurses once for each character of a token.
_LONGEST_PIECE = 1024
_MOST_TRIES = 4096
# Texts often come back to a place in the grammar; what is allowed there is kept.
_READINGS = 64


class GrammarSampler:
    """A llama.cpp sampler of a grammar that has read the beginning of one text."""

    def __init__(
        self, api: Any, vocabulary: Vocabulary, stage: Grammar, *, after_thought: bool
    ) -> None:
        """Begin a text; after a thought it may have line ends in front."""
        self._pieces = vocabulary.pieces
        if self._pieces.longest > _LONGEST_PIECE:
            raise ModelError(
                "this model has tokens too long for grammars",
                found=f"{self._pieces.longest} bytes",
                expected=f"at most {_LONGEST_PIECE}",
            )
        text, root = stage.after_lines() if after_thought else (stage.text, stage.root)
        rules = parse_gbnf(text, root)
        self._recogniser = Recogniser(rules)
        self._longest = _longest_tried(most_ways(rules))
        self._begins = lru_cache(maxsize=_READINGS)(self._read_begins)
        self._allowed = lru_cache(maxsize=_READINGS)(self._read_allowed)
        self._reading = self._recogniser.begin()
        self._vocabulary = vocabulary
        self._api = api
        self.fresh = True  # whether it has read nothing yet
        owner = vocabulary.owner
        with owner:
            handle = api.llama_sampler_init_grammar(vocabulary.handle, text.encode(), root.encode())
            if not handle:
                raise ModelError("llama.cpp refused a grammar", found=stage.text[:80])
            self._owned = Owned(
                handle, api.llama_sampler_free, what="the grammar's sampler", parent=owner
            )

    @property
    def complete(self) -> bool:
        """Whether the text may end here."""
        return self._reading.complete

    def apply(self, candidates: Candidates, thought_token: int | None = None) -> None:
        """Drop the candidates that cannot go on with the text.

        Before anything is read, `thought_token` may come as well.
        """
        self._owned.check()
        ids = candidates.rows()["id"]
        kept = self._allowed(self._reading)[ids]
        if self.complete:
            kept |= np.isin(ids, list(self._vocabulary.eog))
        if self.fresh and thought_token is not None:
            kept |= ids == thought_token
        candidates.keep(kept)

    def _read_allowed(self, reading: Reading) -> npt.NDArray[np.bool_]:
        """By token, whether the text may go on with it; those that end it are not looked at.

        What may follow is the same wherever the reading is the same, and in a text between quotes
        it is after each letter: there trying every token takes a third of a second.
        """
        allowed = self._begins(reading)[self._pieces.first]
        allowed[list(self._vocabulary.eog)] = False
        long = self._pieces.lengths > self._longest
        if (allowed & long).any():
            found = np.zeros_like(allowed)
            found[self._read_long(reading)] = True
            allowed &= ~long | found
        tried = np.flatnonzero(allowed & ~long).astype(np.int32)
        allowed[tried] = self._allowed_by_llama_cpp(tried)
        return allowed

    def _allowed_by_llama_cpp(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which of these llama.cpp's sampler, which has read the same, lets through."""
        tried = Candidates(self._api, ids, np.zeros(ids.size, np.float32))
        if len(tried):
            with self._owned as handle:
                self._api.llama_sampler_apply(handle, tried.pointer)
        allowed: npt.NDArray[np.bool_] = tried.rows()["logit"] > -np.inf
        return allowed

    def _read_begins(self, reading: Reading) -> npt.NDArray[np.bool_]:
        """By byte, whether a token may begin with it; those beyond ASCII are not judged."""
        allowed = np.ones(256, np.bool_)
        for byte in range(0x80):
            allowed[byte] = self._recogniser.read(reading, bytes([byte])) is not None
        return allowed

    def _read_long(self, reading: Reading) -> npt.NDArray[np.int64]:
        longer = self._pieces.longer_than(self._longest)
        return np.array(sorted(self._recogniser.allowed_of(reading, longer)), np.int64)

    def accept(self, token: int) -> None:
        """Read a token that `apply` left."""
        self._owned.check()
        if token in self._vocabulary.eog:
            return
        piece = self._vocabulary.piece(token)
        after = self._recogniser.read(self._reading, piece)
        if after is None:
            raise ModelError("the grammar does not allow this token", found=repr(piece)[:80])
        self._reading = after
        self.fresh = False
        with self._owned as handle:
            self._api.llama_sampler_accept(handle, token)

    def takes(self, tokens: Sequence[int]) -> bool:
        """Whether the text may go on with these, none of which ends it."""
        reading: Reading | None = self._reading
        for token in tokens:
            if reading is None or token in self._vocabulary.eog:
                return False
            reading = self._recogniser.read(reading, self._vocabulary.piece(token))
        return reading is not None

    def close(self) -> None:
        """Free it; may be called twice."""
        self._owned.close()


_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Candidates:
    """A `llama_token_data_array`, from which some can be dropped."""

    def __init__(
        self, api: Any, ids: npt.NDArray[np.int32], logits: npt.NDArray[np.float32]
    ) -> None:
        self._data = np.zeros(len(ids), dtype=_TOKEN_DATA)
        self._data["id"] = ids
        self._data["logit"] = logits
        pointer = ctypes.cast(self._data.ctypes.data, api.llama_token_data_p)
        self.array = api.llama_token_data_array(pointer, len(ids), -1, False)
        self.pointer = ctypes.byref(self.array)

    @classmethod
    def of(cls, api: Any, logits: npt.NDArray[np.float32]) -> Candidates:
        """All tokens, with one logit a token."""
        return cls(api, np.arange(len(logits), dtype=np.int32), logits)

    def __len__(self) -> int:
        return int(self.array.size)

    def keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Drop all others; those that stay keep their order."""
        rows = self.rows()
        kept = rows[chosen]
        rows[: kept.size] = kept
        self.array.size = kept.size

    def keep_allowed(self) -> None:
        """Drop the tokens of logit minus infinity."""
        self.keep(self.rows()["logit"] > -np.inf)

    def kept(self) -> tuple[tuple[int, float], ...]:
        """The tokens left, with the probabilities that the final stage gave them."""
        rows = self.rows()
        return tuple(zip(rows["id"].tolist(), rows["p"].tolist(), strict=True))

    def selected(self) -> int:
        """The token that the final stage picked."""
        token: int = self.array.data[self.array.selected].id
        return token

    def rows(self) -> npt.NDArray[np.void]:
        """The array itself, with the fields id, logit and p. Stages may put it elsewhere."""
        address = ctypes.cast(self.array.data, ctypes.c_void_p).value
        assert address is not None
        size = int(self.array.size) * _TOKEN_DATA.itemsize
        raw: memoryview[int] = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        rows: npt.NDArray[np.void] = np.frombuffer(raw, dtype=_TOKEN_DATA)
        return rows


def _longest_tried(ways: int) -> int:
    """Bytes of the longest token that llama.cpp tries in at most `_MOST_TRIES` ways."""
    return _LONGEST_PIECE if ways == 1 else int(math.log(_MOST_TRIES, ways) + 1e-9)
