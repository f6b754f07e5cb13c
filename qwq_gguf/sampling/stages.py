"""The stages a sampler chain is made of.

Each stage is a value with the numbers llama.cpp's sampler of that name takes, checked
when it is made. `name` is the name llama.cpp gives it in `general.sampling.sequence`
and `--samplers` (those in `UNNAMED_STAGES` never stand there). The meaning of every stage is
written out in `qwq_gguf.sampling.reference`.

A number at its *off* value makes a stage do nothing; llama.cpp then drops the stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from qwq_gguf.sampling.constraints import Grammar, LogitBias
from qwq_gguf.sampling.limits import MAX_FACTOR, MAX_WINDOW, Window, integer, number
from qwq_gguf.sampling.repetition import Dry, Penalties

__all__ = [
    "FINAL_STAGES",
    "MAX_WINDOW",
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

_MAX_INT32 = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TopNSigma:
    """Mask the logits more than `n` standard deviations below the best. Off: 0.

    Source: arXiv 2411.07641.
    """

    name: ClassVar[str] = "top_n_sigma"
    n: float = 0.0

    def __post_init__(self) -> None:
        number(self, "n", low=0.0, high=MAX_FACTOR)

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
        integer(self, "k", low=0, high=_MAX_INT32)

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
        number(self, "p", low=0.0, high=1.0, low_open=True)

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
        number(self, "p", low=0.0, high=1.0, low_open=True)

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
        number(self, "p", low=0.0, high=1.0)

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
        number(self, "probability", low=0.0, high=1.0)
        number(self, "threshold", low=0.0, high=1.0)

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
        number(self, "t", low=0.0, high=MAX_FACTOR)
        number(self, "range", low=0.0, high=MAX_FACTOR)
        number(self, "exponent", low=0.0, high=MAX_FACTOR)

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
