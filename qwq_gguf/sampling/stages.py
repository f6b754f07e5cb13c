"""The stages a sampler chain is made of.

Each stage is a value with the numbers llama.cpp's sampler of that name takes, checked
when it is made. What it says of itself for others is described in `definition`; what it does is
written out in `reference`, and llama.cpp's own made in `engine.native_stages`.

A number at its *off* value makes a stage do nothing; llama.cpp then drops the stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from qwq_gguf.sampling.constraints import Grammar, LogitBias
from qwq_gguf.sampling.definition import GgufKey, Stage, setting
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
class TopNSigma(Stage):
    """Mask the logits more than `n` standard deviations below the best. Off: 0.

    Source: arXiv 2411.07641.
    """

    name: ClassVar[str] = "top_n_sigma"
    letter: ClassVar[str] = "s"
    truncates: ClassVar[bool] = True
    keeps_best: ClassVar[bool] = True
    n: float = field(default=0.0, metadata=setting("top_n_sigma"))

    def __post_init__(self) -> None:
        number(self, "n", low=0.0, high=MAX_FACTOR)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.n == 0.0


@dataclass(frozen=True, slots=True)
class TopK(Stage):
    """Keep the `k` best tokens. Off: 0."""

    name: ClassVar[str] = "top_k"
    letter: ClassVar[str] = "k"
    truncates: ClassVar[bool] = True
    keeps_best: ClassVar[bool] = True
    k: int = field(metadata=setting("top_k", off=0, key=GgufKey("top_k", whole=True, least=0)))

    def __post_init__(self) -> None:
        integer(self, "k", low=0, high=_MAX_INT32)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.k == 0

    @property
    def leaves_one(self) -> str | None:
        """Of one, the best token."""
        return "top_k 1" if self.k == 1 else None


@dataclass(frozen=True, slots=True)
class TypicalP(Stage):
    """Keep the tokens nearest the expected surprise, until their mass exceeds `p`. Off: 1.

    Source: arXiv 2202.00666.
    """

    name: ClassVar[str] = "typ_p"
    letter: ClassVar[str] = "y"
    aliases: ClassVar[tuple[str, ...]] = ("typ",)
    truncates: ClassVar[bool] = True
    p: float = field(default=1.0, metadata=setting("typical_p"))

    def __post_init__(self) -> None:
        number(self, "p", low=0.0, high=1.0, low_open=True)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p >= 1.0


@dataclass(frozen=True, slots=True)
class TopP(Stage):
    """Keep the best tokens until their mass reaches `p`. Off: 1.

    Source: arXiv 1904.09751.
    """

    name: ClassVar[str] = "top_p"
    letter: ClassVar[str] = "p"
    aliases: ClassVar[tuple[str, ...]] = ("nucleus",)
    truncates: ClassVar[bool] = True
    keeps_best: ClassVar[bool] = True
    p: float = field(metadata=setting("top_p", off=1.0, key=GgufKey("top_p", most=1)))

    def __post_init__(self) -> None:
        number(self, "p", low=0.0, high=1.0, low_open=True)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p >= 1.0


@dataclass(frozen=True, slots=True)
class MinP(Stage):
    """Keep the tokens at least `p` times as probable as the best. Off: 0.

    Source: arXiv 2407.01082.
    """

    name: ClassVar[str] = "min_p"
    letter: ClassVar[str] = "m"
    truncates: ClassVar[bool] = True
    keeps_best: ClassVar[bool] = True
    p: float = field(metadata=setting("min_p", off=0.0, key=GgufKey("min_p", least=0)))

    def __post_init__(self) -> None:
        number(self, "p", low=0.0, high=1.0)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.p == 0.0


@dataclass(frozen=True, slots=True)
class Xtc(Stage):
    """With `probability`, drop all tokens of at least `threshold` but the least of them.

    Off: probability 0, or a threshold over 0.5 (two tokens cannot both exceed it).
    """

    name: ClassVar[str] = "xtc"
    letter: ClassVar[str] = "x"
    truncates: ClassVar[bool] = True
    probability: float = field(
        default=0.0, metadata=setting("xtc_probability", key=GgufKey("xtc_probability", least=0))
    )
    threshold: float = field(
        default=0.1,
        metadata=setting(
            "xtc_threshold", key=GgufKey("xtc_threshold"), only_with="xtc_probability"
        ),
    )

    def __post_init__(self) -> None:
        number(self, "probability", low=0.0, high=1.0)
        number(self, "threshold", low=0.0, high=1.0)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.probability == 0.0 or self.threshold > 0.5


@dataclass(frozen=True, slots=True)
class Temperature(Stage):
    """Divide the logits by `t`; 0 keeps the best token only. Off: 1.

    With `range` > 0 the divisor lies in [max(0, t - range), t + range], at the point
    given by the normalised entropy to the power of `exponent`.
    """

    name: ClassVar[str] = "temperature"
    letter: ClassVar[str] = "t"
    aliases: ClassVar[tuple[str, ...]] = ("temp",)
    keeps_best: ClassVar[bool] = True
    t: float = field(metadata=setting("temperature", off=1.0, key=GgufKey("temp", least=0)))
    range: float = field(default=0.0, metadata=setting("temperature_range"))
    exponent: float = field(
        default=1.0, metadata=setting("temperature_exponent", only_with="temperature_range")
    )

    def __post_init__(self) -> None:
        number(self, "t", low=0.0, high=MAX_FACTOR)
        number(self, "range", low=0.0, high=MAX_FACTOR)
        number(self, "exponent", low=0.0, high=MAX_FACTOR)

    @property
    def off(self) -> bool:
        """Whether it changes nothing."""
        return self.t == 1.0 and self.range == 0.0

    @property
    def drops(self) -> bool:
        """A temperature of 0 drops all but one."""
        return self.leaves_one is not None

    @property
    def sorts(self) -> bool:
        """A dynamic one looks at the entropy, and sorts for that."""
        return self.drops or self.range > 0.0

    @property
    def leaves_one(self) -> str | None:
        """At 0, the best token."""
        return "temperature 0" if self.t == 0.0 and self.range == 0.0 else None


@dataclass(frozen=True, slots=True)
class Greedy(Stage):
    """Take the token with the highest logit. A final stage."""

    name: ClassVar[str] = "greedy"
    final: ClassVar[bool] = True
    unnamed: ClassVar[bool] = True

    @property
    def leaves_one(self) -> str | None:
        """The best token."""
        return self.name


@dataclass(frozen=True, slots=True)
class Dist(Stage):
    """Draw a token by its probability. A final stage; the seed belongs to the run."""

    name: ClassVar[str] = "dist"
    final: ClassVar[bool] = True
    unnamed: ClassVar[bool] = True


# Every kind of stage, in llama.cpp's default order: a new one is one more line here.
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
FINAL_STAGES = tuple(kind for kind in STAGE_TYPES.values() if kind.final)
# What llama.cpp always puts first or last, so that its sequences have no names for it.
UNNAMED_STAGES = tuple(kind for kind in STAGE_TYPES.values() if kind.unnamed)
