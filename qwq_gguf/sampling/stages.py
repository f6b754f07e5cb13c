"""The stages a sampler chain is made of.

Each stage is a value with the numbers llama.cpp's sampler of that name takes, checked
when it is made. `name` is the name llama.cpp gives it in `general.sampling.sequence`
and `--samplers` (those in `UNNAMED_STAGES` never stand there). The meaning of every stage is
written out in `qwq_gguf.sampling.reference`.

A number at its *off* value makes a stage do nothing; llama.cpp then drops the stage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.constraints import Grammar, LogitBias

__all__ = [
    "FINAL_STAGES",
    "STAGE_TYPES",
    "UNNAMED_STAGES",
    "Dist",
    "Dry",
    "Grammar",
    "Greedy",
    "LogitBias",
    "MinP",
    "Penalties",
    "Stage",
    "Temperature",
    "TopK",
    "TopNSigma",
    "TopP",
    "TypicalP",
    "Window",
    "Xtc",
]

# The last n tokens (prompt included, as llama.cpp counts), every token generated in this
# reply (none of the prompt), or everything there is.
Window: TypeAlias = int | Literal["generation", "context"]

# llama.cpp takes 32-bit integers, and allocates a window of this many tokens at once.
MAX_WINDOW = 1 << 24
_MAX_INT32 = 2**31 - 1
# Any larger factor leaves one token in practice; a finite bound keeps float32 exact enough.
_MAX_FACTOR = 1000.0
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
        _number(self, "repeat", low=0.0, high=_MAX_FACTOR, low_open=True)
        # The range of OpenAI's API, which vLLM enforces: a wider one is not portable.
        _number(self, "frequency", low=-2.0, high=2.0)
        _number(self, "presence", low=-2.0, high=2.0)
        _window(self, self.window)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.window == 0 or (
            self.repeat == 1.0 and self.frequency == 0.0 and self.presence == 0.0
        )

    def counted(self, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
        """The tokens whose repetition counts, oldest first."""
        return _counted(self.window, prompt, generated)


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
        _number(self, "multiplier", low=0.0, high=_MAX_FACTOR)
        _number(self, "base", low=1.0, high=_MAX_FACTOR)
        _integer(self, "allowed_length", low=0, high=MAX_WINDOW)
        _window(self, self.window)
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
        return _counted(self.window, prompt, generated)


@dataclass(frozen=True, slots=True)
class TopNSigma:
    """Mask the logits more than `n` standard deviations below the best. Off: 0.

    Source: arXiv 2411.07641.
    """

    name: ClassVar[str] = "top_n_sigma"
    n: float = 0.0

    def __post_init__(self) -> None:
        _number(self, "n", low=0.0, high=_MAX_FACTOR)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.n == 0.0


@dataclass(frozen=True, slots=True)
class TopK:
    """Keep the `k` best tokens. Off: 0."""

    name: ClassVar[str] = "top_k"
    k: int

    def __post_init__(self) -> None:
        _integer(self, "k", low=0, high=_MAX_INT32)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.k == 0


@dataclass(frozen=True, slots=True)
class TypicalP:
    """Keep the tokens nearest the expected surprise, until their mass exceeds `p`. Off: 1.

    Source: arXiv 2202.00666.
    """

    name: ClassVar[str] = "typ_p"
    p: float = 1.0

    def __post_init__(self) -> None:
        _number(self, "p", low=0.0, high=1.0, low_open=True)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p >= 1.0


@dataclass(frozen=True, slots=True)
class TopP:
    """Keep the best tokens until their mass reaches `p`. Off: 1.

    Source: arXiv 1904.09751.
    """

    name: ClassVar[str] = "top_p"
    p: float

    def __post_init__(self) -> None:
        _number(self, "p", low=0.0, high=1.0, low_open=True)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p >= 1.0


@dataclass(frozen=True, slots=True)
class MinP:
    """Keep the tokens at least `p` times as probable as the best. Off: 0.

    Source: arXiv 2407.01082.
    """

    name: ClassVar[str] = "min_p"
    p: float

    def __post_init__(self) -> None:
        _number(self, "p", low=0.0, high=1.0)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p == 0.0


@dataclass(frozen=True, slots=True)
class Xtc:
    """With `probability`, drop all tokens of at least `threshold` but the least of them.

    Off: probability 0, or a threshold over 0.5 (two tokens cannot both exceed it).
    """

    name: ClassVar[str] = "xtc"
    probability: float = 0.0
    threshold: float = 0.1

    def __post_init__(self) -> None:
        _number(self, "probability", low=0.0, high=1.0)
        _number(self, "threshold", low=0.0, high=1.0)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.probability == 0.0 or self.threshold > 0.5


@dataclass(frozen=True, slots=True)
class Temperature:
    """Divide the logits by `t`; 0 keeps the best token only. Off: 1.

    With `range` > 0 the divisor lies in [max(0, t - range), t + range], at the point
    given by the normalised entropy to the power of `exponent`.
    """

    name: ClassVar[str] = "temperature"
    t: float
    range: float = 0.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        _number(self, "t", low=0.0, high=_MAX_FACTOR)
        _number(self, "range", low=0.0, high=_MAX_FACTOR)
        _number(self, "exponent", low=0.0, high=_MAX_FACTOR)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.t == 1.0 and self.range == 0.0


@dataclass(frozen=True, slots=True)
class Greedy:
    """Take the token with the highest logit. A final stage."""

    name: ClassVar[str] = "greedy"

    @property
    def off(self) -> bool:
        """Never: a final stage always picks."""
        return False


@dataclass(frozen=True, slots=True)
class Dist:
    """Draw a token by its probability. A final stage; the seed belongs to the run."""

    name: ClassVar[str] = "dist"

    @property
    def off(self) -> bool:
        """Never: a final stage always picks."""
        return False


Stage: TypeAlias = (
    LogitBias
    | Grammar
    | Penalties
    | Dry
    | TopNSigma
    | TopK
    | TypicalP
    | TopP
    | MinP
    | Xtc
    | Temperature
    | Greedy
    | Dist
)
FINAL_STAGES = (Greedy, Dist)
# What llama.cpp always puts first or last, so that its sequences have no names for it.
UNNAMED_STAGES = (LogitBias, Grammar, *FINAL_STAGES)
STAGE_TYPES: dict[str, type[Stage]] = {
    kind.name: kind
    for kind in (
        LogitBias,
        Grammar,
        Penalties,
        Dry,
        TopNSigma,
        TopK,
        TypicalP,
        TopP,
        MinP,
        Xtc,
        Temperature,
        Greedy,
        Dist,
    )
}


def _counted(window: Window, prompt: Sequence[int], generated: Sequence[int]) -> Sequence[int]:
    if window == "generation":
        return generated
    everything = [*prompt, *generated]
    if window == "context":
        return everything
    return everything[-window:] if window else ()


def _number(stage: object, field: str, *, low: float, high: float, low_open: bool = False) -> None:
    value = getattr(stage, field)
    allowed = (
        f"a number {'over' if low_open else 'from'} {low:g} {'up ' if low_open else ''}to {high:g}"
    )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _refusal(stage, field, value, allowed)
    if value < low or value > high or (low_open and value == low):
        raise _refusal(stage, field, value, allowed)


def _integer(stage: object, field: str, *, low: int, high: int) -> None:
    value = getattr(stage, field)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refusal(stage, field, value, f"a whole number from {low} to {high}")


def _window(stage: object, window: object) -> None:
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
