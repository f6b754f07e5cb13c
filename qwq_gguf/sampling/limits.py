"""What the numbers of stages may be, and what a window over tokens means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

from qwq_gguf.errors import ChainError

__all__ = ["MAX_FACTOR", "MAX_WINDOW", "Window", "counted", "integer", "number", "window_size"]

# The last n tokens (prompt included, as llama.cpp counts), every token generated in this
# reply (none of the prompt), or everything there is.
Window: TypeAlias = int | Literal["generation", "context"]

# llama.cpp takes 32-bit integers, and allocates a window of this many tokens at once.
MAX_WINDOW = 1 << 24
# Any larger factor leaves one token in practice; a finite bound keeps float32 exact enough.
MAX_FACTOR = 1000.0


def counted(window: Window, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
    """The tokens in a window, oldest first."""
    if window == "generation":
        return generated
    everything = [*prompt, *generated]
    if window == "context":
        return everything
    return everything[-window:] if window else ()


def number(stage: object, field: str, *, low: float, high: float, low_open: bool = False) -> None:
    """ChainError unless a stage's field is a finite number in this range."""
    value = getattr(stage, field)
    allowed = (
        f"a number {'over' if low_open else 'from'} {low:g} {'up ' if low_open else ''}to {high:g}"
    )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _refusal(stage, field, value, allowed)
    if value < low or value > high or (low_open and value == low):
        raise _refusal(stage, field, value, allowed)


def integer(stage: object, field: str, *, low: int, high: int) -> None:
    """ChainError unless a stage's field is a whole number in this range."""
    value = getattr(stage, field)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refusal(stage, field, value, f"a whole number from {low} to {high}")


def window_size(stage: object, window: object) -> None:
    """ChainError unless this is a window."""
    if window in ("generation", "context"):
        return
    if isinstance(window, bool) or not isinstance(window, int) or not 0 <= window <= MAX_WINDOW:
        raise _refusal(
            stage,
            "window",
            window,
            f'"generation", "context" or a number of tokens from 0 to {MAX_WINDOW}',
        )


def _refusal(stage: object, field: str, value: object, allowed: str) -> ChainError:
    name = getattr(stage, "name", type(stage).__name__)
    return ChainError(f"{name}: {field} is out of range", found=repr(value), expected=allowed)
