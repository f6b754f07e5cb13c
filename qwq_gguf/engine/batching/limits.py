"""How much a scheduler may hand out at once."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.errors import ModelError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of a scheduler.

    `running` texts are in the making at once, `seats` sequences are in the cache: those, and
    ended ones whose beginning may serve the next. All share `cells` tokens. A step has at most
    `batch` tokens. One in which texts wait for their next token has `chunk`: prompts get what
    these leave of it, but half of it at least. `waiting` texts may wait for their turn. Sequences
    of a `cuttable` cache can be cut and copied at any token, others as a whole only.
    """

    running: int
    seats: int
    cells: int
    batch: int
    chunk: int
    waiting: int
    cuttable: bool = True

    def __post_init__(self) -> None:
        if not (
            1 <= self.running <= self.seats
            and self.running <= self.batch
            and 1 <= self.chunk <= self.batch
            and self.cells >= 1
            and self.waiting >= 0
        ):
            raise ModelError("these limits of an engine make no sense", found=self)
