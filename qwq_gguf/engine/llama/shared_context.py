"""A context with several sequences: one decode computes tokens of any of them.

The sequences share one buffer (`kv_unified`): each may use all of it, a beginning that two
have in common is there once, and a decode may have one token of this and fifty of that. With
a buffer for each, llama.cpp would cut such a batch into parts of equal length, copy whole
buffers to share a beginning, and hold each text to its share of the context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.kv_context import KvContext

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["Piece", "SharedContext", "can_be_cut"]


def can_be_cut(model: Model) -> bool:
    """Whether a sequence can be cut back to, and copied up to, any of its tokens.

    Recurrent models have one state for all that they have read. Of windows llama.cpp may
    take the cells that a sequence has left behind for another one, even if all are kept.
    """
    api = model.library.api
    with model.owned as handle:
        recurrent = api.llama_model_is_recurrent(handle) or api.llama_model_is_hybrid(handle)
        return not recurrent and api.llama_model_n_swa(handle) == 0


class Piece(NamedTuple):
    """Tokens of one sequence, from a position on; `wanted`: the logits of the last one."""

    sequence: int
    first: int
    tokens: list[int]
    wanted: bool


class SharedContext(KvContext):
    """Used by one thread, which is not the main one: nothing interrupts it but `abort`."""

    def __init__(self, model: Model, settings: ContextSettings) -> None:
        super().__init__(model, settings)
        api, size = self._api, self.batch_size
        self.cuttable = can_be_cut(model)
        self._tokens = (ctypes.c_int32 * size)()
        self._places = (ctypes.c_int32 * size)()
        self._counts = (ctypes.c_int32 * size)(*[1] * size)
        self._wanted = (ctypes.c_int8 * size)()
        self._ids = (ctypes.c_int32 * settings.sequences)(*range(settings.sequences))
        at, width = ctypes.addressof(self._ids), ctypes.sizeof(ctypes.c_int32)
        self._at = [at + sequence * width for sequence in range(settings.sequences)]
        self._lists = (ctypes.c_size_t * size)()  # pointers to lists of sequences
        pointers = ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))
        self._batch = api.llama_batch(
            n_tokens=0,
            token=self._tokens,
            embd=None,
            pos=self._places,
            n_seq_id=self._counts,
            seq_id=ctypes.cast(self._lists, pointers),
            logits=self._wanted,
        )

    def compute(self, pieces: Sequence[Piece]) -> int:
        """Decode them at once; llama_decode's status, 0 for success.

        After any other nothing is known of what the cache holds of them.
        """
        at = 0
        for sequence, first, tokens, wanted in pieces:
            count = len(tokens)
            end = at + count
            if count == 1:
                self._tokens[at], self._places[at] = tokens[0], first
                self._lists[at], self._wanted[at] = self._at[sequence], wanted
            else:
                self._tokens[at:end] = list(tokens)
                self._places[at:end] = list(range(first, first + count))
                self._lists[at:end] = [self._at[sequence]] * count
                self._wanted[at:end] = [0] * count
                self._wanted[end - 1] = wanted
            at = end
        self._batch.n_tokens = at
        status = self._decode(self._batch)
        self._check_owner()
        return status

    def copy(self, source: int, target: int, count: int) -> None:
        """Let a sequence begin with the first `count` tokens of another, by reference."""
        end = count if self.cuttable else -1
        with self.owned:
            self._api.llama_memory_seq_cp(self._memory, source, target, 0, end)

    def cut(self, sequence: int, keep: int) -> None:
        """Forget what a sequence has after its first `keep` tokens."""
        with self.owned:
            if not self._api.llama_memory_seq_rm(self._memory, sequence, keep, -1):
                self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def empty(self) -> None:
        """Forget all, down to the numbers: what was no number would meet others yet."""
        with self.owned:
            self._api.llama_memory_clear(self._memory, True)
