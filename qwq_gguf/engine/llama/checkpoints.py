"""Going back in a sequence, where llama.cpp by itself cannot.

Keys and values of attention stay for each token, so a sequence can be cut anywhere. A
recurrent state (Mamba, RWKV, the convolutions of LFM2, the linear attention of Qwen3-Next)
knows its last position only, and a sliding window only the last ones. So copies of such
states are kept for the places where the next prompt is likely to part from this one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Sequence
from typing import Any

__all__ = ["MOST_STATES", "MOST_STATE_BYTES", "Checkpoints", "States", "chunks", "turn_places"]

MOST_STATES = 16
MOST_STATE_BYTES = 512 << 20


class States:
    """Saved states by their place, a number of tokens. Bounded: the oldest go first."""

    def __init__(self, most: int = MOST_STATES, most_bytes: int = MOST_STATE_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[int, bytes] = {}  # in the order in which they were saved

    @property
    def places(self) -> tuple[int, ...]:
        """Where there is one, oldest first."""
        return tuple(self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return sum(map(len, self._kept.values()))

    def __getitem__(self, place: int) -> bytes:
        return self._kept[place]

    def put(self, place: int, state: bytes) -> None:
        """Keep it; one that alone is too large is not."""
        self._kept.pop(place, None)
        if len(state) > self._most_bytes:
            return
        self._kept[place] = state
        while len(self._kept) > self._most or self.nbytes > self._most_bytes:
            del self._kept[next(iter(self._kept))]

    def cut(self, place: int) -> None:
        """Forget those behind `place`: what they follow is gone."""
        for each in [each for each in self._kept if each > place]:
            del self._kept[each]

    def last(self) -> int | None:
        """The furthest place that has one."""
        return max(self._kept, default=None)


class Checkpoints:
    """The places of one sequence of a context to which it can go back.

    Whoever calls a method holds the context. After an abort or an error of llama.cpp, too,
    `go_back` finds a state that is whole.
    """

    def __init__(
        self,
        api: Any,
        model: int,
        memory: Any,
        sequence: int = 0,
        *,
        whole_windows: bool = True,
    ) -> None:
        """`model` and `memory` are llama.cpp's pointers, `sequence` a number of the context.

        `whole_windows`: the context keeps all tokens of layers that look at the last ones only
        (its `swa_full`).
        """
        self._api = api
        self._memory = memory
        self._sequence = sequence
        self._window: int = 0 if whole_windows else max(0, api.llama_model_n_swa(model))
        self.needed = bool(
            api.llama_model_is_recurrent(model) or api.llama_model_is_hybrid(model) or self._window
        )
        """Whether places have to be saved to be gone back to."""
        self._states = States()

    @property
    def places(self) -> tuple[int, ...]:
        """The saved ones, oldest first."""
        return self._states.places

    def save(self, context: int, place: int) -> None:
        """Remember the state after `place` tokens, which is the one now."""
        if not self.needed or place < 1:
            return
        api, flags = self._api, self._api.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
        size = api.llama_state_seq_get_size_ext(context, self._sequence, flags)
        if not 0 < size <= MOST_STATE_BYTES:
            return
        state = (ctypes.c_uint8 * size)()
        written = api.llama_state_seq_get_data_ext(context, state, size, self._sequence, flags)
        if written:
            self._states.put(place, bytes(memoryview(state)[:written]))

    def go_back(self, context: int, place: int) -> int:
        """Cut the sequence to its first `place` tokens, or to as many fewer as it has to be."""
        self._states.cut(place)
        if place and self._reaches(place) and self._cut(place):
            return place
        while (last := self._states.last()) is not None:
            if self._restore(context, last) and self._cut(last):
                return last
            self._states.cut(last - 1)
        self._api.llama_memory_seq_rm(self._memory, self._sequence, -1, -1)
        return 0

    def forget(self) -> None:
        """The sequence was emptied."""
        self._states.cut(-1)

    def _reaches(self, place: int) -> bool:
        """Whether the tokens that the next one looks at are still there."""
        if not self._window:
            return True
        first: int = self._api.llama_memory_seq_pos_min(self._memory, self._sequence)
        return 0 <= first <= max(0, place - self._window)

    def _cut(self, place: int) -> bool:
        return bool(self._api.llama_memory_seq_rm(self._memory, self._sequence, place, -1))

    def _restore(self, context: int, place: int) -> bool:
        state = self._states[place]
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        read = self._api.llama_state_seq_set_data_ext(
            context,
            buffer,
            len(state),
            self._sequence,
            self._api.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY,
        )
        return bool(read == len(state))


def turn_places(prompt: Sequence[int], ends: Collection[int]) -> tuple[int, ...]:
    """Where a prompt and the next one are likely to part, as numbers of tokens, in order.

    `ends` are the tokens that end a turn. Behind the first one is what all conversations
    begin with (the system's turn), behind the last two are the question and what came before
    it. Before the last token the same prompt begins again: that one is computed for its logits.
    """
    turns = [index + 1 for index, token in enumerate(prompt) if token in ends]
    places = {*turns[:1], *turns[-2:], len(prompt) - 1}
    return tuple(sorted(place for place in places if 0 < place < len(prompt)))


def chunks(start: int, end: int, most: int, cuts: Collection[int]) -> Iterator[tuple[int, int]]:
    """Stretches of at most `most` tokens from `start` to `end`, with an edge at each cut."""
    for place in (*(cut for cut in cuts if start < cut < end), end):
        while start < place:
            yield start, min(start + most, place)
            start = min(start + most, place)
