"""Sampling with stages that forbid tokens: a grammar, or a logit bias of minus infinity.

llama.cpp gives a forbidden token the logit minus infinity and keeps it among the
candidates. When all are forbidden its final stage picks one nevertheless, a grammar that
is told of it throws an exception that nothing catches, and typ_p computes NaN. So here the
stages run one by one, what is forbidden leaves the candidates at once, and a token that
the grammar does not allow never gets there.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qwq_gguf.errors import ModelError
from qwq_gguf.sampling.gbnf import parse_gbnf
from qwq_gguf.sampling.recogniser import Recogniser

if TYPE_CHECKING:
    from qwq_gguf.runtime.vocabulary import Vocabulary
    from qwq_gguf.sampling.stages import Grammar

__all__ = ["Candidates", "GrammarSampler"]

# llama.cpp's grammar recurses once for each character of a token.
_LONGEST_PIECE = 1024


class GrammarSampler:
    """A llama.cpp sampler of a grammar that has read the beginning of one text."""

    def __init__(
        self, api: Any, vocabulary: Vocabulary, stage: Grammar, *, after_thought: bool
    ) -> None:
        """Begin a text; after a thought it may have line ends in front."""
        if vocabulary.longest_piece > _LONGEST_PIECE:
            raise ModelError(
                "this model has tokens too long for grammars",
                found=f"{vocabulary.longest_piece} bytes",
                expected=f"at most {_LONGEST_PIECE}",
            )
        text, root = stage.after_lines() if after_thought else (stage.text, stage.root)
        self._recogniser = Recogniser(parse_gbnf(text, root))
        self._reading = self._recogniser.begin()
        self._vocabulary = vocabulary
        self._accept = api.llama_sampler_accept
        self.fresh = True  # whether it has read nothing yet
        self.handle: int = api.llama_sampler_init_grammar(
            vocabulary.handle, text.encode(), root.encode()
        )
        if not self.handle:
            raise ModelError("llama.cpp refused a grammar", found=stage.text[:80])
        # The vocabulary belongs to the model, which closes its sessions before itself.
        self._free = weakref.finalize(self, api.llama_sampler_free, self.handle)

    @property
    def complete(self) -> bool:
        """Whether the text may end here."""
        return self._reading.complete

    def accept(self, token: int) -> None:
        """Read a token that `handle` allowed."""
        if token in self._vocabulary.eog:
            return
        piece = self._vocabulary.piece(token)
        after = self._recogniser.read(self._reading, piece)
        if after is None:
            raise ModelError("the grammar does not allow this token", found=repr(piece)[:80])
        self._reading = after
        self.fresh = False
        self._accept(self.handle, token)

    def close(self) -> None:
        """Free it; may be called twice."""
        self._free()


class Candidates:
    """A `llama_token_data_array` of one logit a token, from which some can be dropped."""

    def __init__(self, api: Any, logits: npt.NDArray[np.float32]) -> None:
        kind = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        self._kind = kind
        self._data = np.zeros(len(logits), dtype=kind)
        self._data["id"] = np.arange(len(logits), dtype=np.int32)
        self._data["logit"] = logits
        pointer = self._data.ctypes.data_as(ctypes.POINTER(api.llama_token_data))
        self.array = api.llama_token_data_array(pointer, len(logits), -1, False)
        self.pointer = ctypes.byref(self.array)

    def __len__(self) -> int:
        return int(self.array.size)

    def logit(self, token: int) -> float:
        """The logit of a token; minus infinity when it is not among them."""
        rows = self._rows()
        found = rows["logit"][rows["id"] == token]
        return float(found[0]) if found.size else -float("inf")

    def set_logit(self, token: int, logit: float) -> None:
        """Give a token this logit, if it is among them."""
        rows = self._rows()
        rows["logit"][rows["id"] == token] = logit

    def drop_forbidden(self) -> None:
        """Drop the tokens of logit minus infinity; the others keep their order."""
        rows = self._rows()
        allowed = rows["logit"] > -np.inf
        count = int(np.count_nonzero(allowed))
        if count < rows.size:
            rows[:count] = rows[allowed]
            self.array.size = count

    def kept(self) -> tuple[tuple[int, float], ...]:
        """The tokens left, with the probabilities that the final stage gave them."""
        rows = self._rows()
        return tuple(zip(rows["id"].tolist(), rows["p"].tolist(), strict=True))

    def selected(self) -> int:
        """The token that the final stage picked."""
        return int(self._rows()["id"][self.array.selected])

    def _rows(self) -> npt.NDArray[np.void]:
        # A stage may have put the candidates elsewhere.
        address = ctypes.cast(self.array.data, ctypes.c_void_p).value
        assert address is not None
        size = int(self.array.size) * self._kind.itemsize
        raw: memoryview[int] = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
        rows: npt.NDArray[np.void] = np.frombuffer(raw, dtype=self._kind)
        return rows
