"""Results as a report has them: of questions that were asked, of quants, of files, of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Apart",
    "CellResult",
    "ClosingResult",
    "FittedResult",
    "Interval",
    "KindResult",
    "LayerErrors",
    "MadeFile",
    "QualityRun",
    "QuantResult",
    "Results",
    "SizedError",
    "SkillResult",
    "ThinkingRun",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its interval at 95 %; an end that is not known is None."""

    value: float
    low: float | None = None
    high: float | None = None

    def times(self, factor: float) -> Interval:
        """All of it times a factor above zero."""
        ends = (None if end is None else factor * end for end in (self.low, self.high))
        return Interval(factor * self.value, *ends)


@dataclass(frozen=True, slots=True)
class Apart:
    """A cell less another one, the one of this identity, over pairs of replies; `same` of them
    say the same.
    """

    against: str
    pairs: int
    same: int
    accuracy: Interval
    thought: Interval | None
    reply: Interval


@dataclass(frozen=True, slots=True)
class SkillResult:
    """Of one skill: right ones of so many replies, and the mean of the thoughts' tokens."""

    right: int
    replies: int
    accuracy: Interval
    thought: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A model under a profile and a governor. `identity` tells it from any other one, also from
    one with the same names. Tokens are means with median and p95; of thoughts None where there
    was none.
    """

    model: str
    profile: str
    governor: str
    identity: str
    problems: int
    replies: int
    right: int
    accuracy: Interval
    thought: Interval | None
    thought_median: float | None
    thought_p95: float | None
    reply: Interval
    loops: int
    unanswered: int
    tokens_per_right: Interval | None
    seconds_per_right: Interval | None
    skills: Mapping[str, SkillResult] = field(default_factory=dict)
    apart: Apart | None = None


@dataclass(frozen=True, slots=True)
class ThinkingRun:
    """A run of `eval thinking`, from `file`; `record` says what it was made of. `missing` replies
    of it were never made.
    """

    file: str
    record: Mapping[str, Any]
    cells: tuple[CellResult, ...]
    missing: int = 0


@dataclass(frozen=True, slots=True)
class KindResult:
    """A quant on tokens of one kind: thought, answer or hesitation."""

    places: int
    perplexity: float
    kld: Interval
    same_top: float


@dataclass(frozen=True, slots=True)
class ClosingResult:
    """What a quant gives the closing tag where its reference would close, divided by what that
    gives it; `elsewhere` is the same where it would not, `agreed` the share of places where the
    quant would close, too. `words` are ratios of what else might come there.
    """

    places: int
    ratio: Interval | None
    agreed: float
    elsewhere: float | None
    words: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantResult:
    """A quant beside its reference; `kld` is in nats, intervals are 1.96 standard errors."""

    name: str
    nbytes: int
    bits: float | None
    perplexity: Interval
    kld: Interval
    kld_median: float
    kld_p99: float
    kld_max: float
    same_top: float
    kinds: Mapping[str, KindResult] = field(default_factory=dict)
    closing: ClosingResult | None = None


@dataclass(frozen=True, slots=True)
class QualityRun:
    """A run of `eval quality`; `read` says on what. `record` says how it was made; it is empty in
    results of releases that wrote none.
    """

    file: str
    reference: str
    reference_bytes: int
    perplexity: float | None
    read: Mapping[str, Any]
    quants: tuple[QuantResult, ...]
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A GGUF as its manifest has it; `types` are those of its tensors, by name."""

    name: str
    nbytes: int
    weights: int
    source: str
    commit: str | None
    recipe: str
    versions: Mapping[str, str]
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LayerErrors:
    """The relative errors of tensors, by name and type; those that cannot be are not in it."""

    file: str
    errors: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class SizedError:
    """A recipe's size and error."""

    name: str
    nbytes: int
    bits: float
    error: float


@dataclass(frozen=True, slots=True)
class FittedResult:
    """A recipe that was fitted to a size, with the shipped ones beside it."""

    file: str
    source: str
    command: str
    fitted: SizedError
    stock: tuple[SizedError, ...]
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """All that a report is about."""

    thinking: tuple[ThinkingRun, ...] = ()
    quality: tuple[QualityRun, ...] = ()
    made: tuple[MadeFile, ...] = ()
    errors: tuple[LayerErrors, ...] = ()
    fitted: tuple[FittedResult, ...] = ()
