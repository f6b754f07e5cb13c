"""The stages against repetition: penalties on tokens, and DRY on sequences of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.definition import GgufKey, Stage, setting
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
_PENALTY_LAST_N = GgufKey(
    "penalty_last_n",
    whole=True,
    least=0,
    most=MAX_WINDOW,
    below="llama.cpp penalises nothing then",
)


@dataclass(frozen=True, slots=True)
class Penalties(Stage):
    """Lower the logits of tokens already seen in the window.

    A seen token's logit is divided (if positive, else multiplied) by `repeat`; then
    `frequency` times its count and `presence` once are taken off. Off: 1, 0 and 0.
    """

    name: ClassVar[str] = "penalties"
    letter: ClassVar[str] = "e"
    repeat: float = field(
        default=1.0, metadata=setting("repeat_penalty", key=GgufKey("penalty_repeat"))
    )
    frequency: float = field(default=0.0, metadata=setting("frequency_penalty"))
    presence: float = field(default=0.0, metadata=setting("presence_penalty"))
    window: Window = field(
        default="generation", metadata=setting("penalty_window", key=_PENALTY_LAST_N)
    )

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

    @property
    def lookback(self) -> Window:
        """Its window."""
        return self.window

    def counted(self, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
        """The tokens whose repetition counts, oldest first."""
        return counted(self.window, prompt, generated)


@dataclass(frozen=True, slots=True)
class Dry(Stage):
    """Lower the logit of a token that would lengthen a sequence already seen.

    A token extending a repeat of n tokens (n >= `allowed_length`) loses
    `multiplier * base ** (n - allowed_length)`; sequences end at the `breakers`. Off:
    multiplier 0. Breakers longer than 40 bytes are cut by llama.cpp, so they are refused.
    """

    name: ClassVar[str] = "dry"
    letter: ClassVar[str] = "d"
    multiplier: float = field(default=0.0, metadata=setting("dry_multiplier"))
    base: float = field(default=1.75, metadata=setting("dry_base", only_with="dry_multiplier"))
    allowed_length: int = field(
        default=2, metadata=setting("dry_allowed_length", only_with="dry_multiplier")
    )
    window: Window = field(default=64, metadata=setting("dry_window", only_with="dry_multiplier"))
    breakers: tuple[str, ...] = field(
        default=("\n", ":", '"', "*"),
        metadata=setting("dry_breakers", only_with="dry_multiplier"),
    )

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

    @property
    def lookback(self) -> Window:
        """Its window."""
        return self.window

    def counted(self, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
        """The tokens searched for repeats, oldest first."""
        return counted(self.window, prompt, generated)
