"""The stages against repetition: penalties on tokens, and DRY on sequences of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.limits import (
    MAX_FACTOR,
    MAX_WINDOW,
    Window,
    counted,
    integer,
    number,
    window_size,
)

__all__ = ["Dry", "Penalties"]

_MAX_BREAKERS = 64


@dataclass(frozen=True, slots=True)
class Penalties:
    """Lower the logits of tokens already seen in the window.

    A seen token's logit is divided (if positive, else multiplied) by `repeat`; then
    `frequency` times its count and `presence` once are taken off. Off: 1, 0 and 0.
    """

    name: ClassVar[str] = "penalties"
    repeat: float = 1.0
    frequency: float = 0.0
    presence: float = 0.0
    window: Window = "generation"

    def __post_init__(self) -> None:
        number(self, "repeat", low=0.0, high=MAX_FACTOR, low_open=True)
        # The range of OpenAI's API, which vLLM enforces: a wider one is not portable.
        number(self, "frequency", low=-2.0, high=2.0)
        number(self, "presence", low=-2.0, high=2.0)
        window_size(self, self.window)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.window == 0 or (
            self.repeat == 1.0 and self.frequency == 0.0 and self.presence == 0.0
        )

    def counted(self, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
        """The tokens whose repetition counts, oldest first."""
        return counted(self.window, prompt, generated)


@dataclass(frozen=True, slots=True)
class Dry:
    """Lower the logit of a token that would lengthen a sequence already seen.

    A token extending a repeat of n tokens (n >= `allowed_length`) loses
    `multiplier * base ** (n - allowed_length)`; sequences end at the `breakers`. Off:
    multiplier 0. Breakers longer than 40 bytes are cut by llama.cpp, so they are refused.
    """

    name: ClassVar[str] = "dry"
    multiplier: float = 0.0
    base: float = 1.75
    allowed_length: int = 2
    window: Window = 64
    breakers: tuple[str, ...] = ("\n", ":", '"', "*")

    def __post_init__(self) -> None:
        number(self, "multiplier", low=0.0, high=MAX_FACTOR)
        number(self, "base", low=1.0, high=MAX_FACTOR)
        integer(self, "allowed_length", low=0, high=MAX_WINDOW)
        window_size(self, self.window)
        if not isinstance(self.breakers, tuple):  # a TOML list, say
            raise ChainError("dry: the breakers must be a tuple of texts", found=self.breakers)
        if len(self.breakers) > _MAX_BREAKERS:
            raise ChainError(
                "dry: too many breakers", found=len(self.breakers), expected=_MAX_BREAKERS
            )
        for text in self.breakers:
            if not 0 < len(text.encode()) <= 40 or "\0" in text:
                raise ChainError(
                    "dry: a breaker is 1 to 40 bytes of text without a zero byte", found=repr(text)
                )

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.multiplier == 0.0 or self.window == 0

    def counted(self, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
        """The tokens searched for repeats, oldest first."""
        return counted(self.window, prompt, generated)
