"""Results by their JSON: of `eval thinking`, `eval quality` and `recipes fit`.

ValueError names what is missing or makes no sense. Fields that are not known are left aside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qwq_gguf.evaluation.report.fields import Fields
from qwq_gguf.evaluation.report.values import (
    Apart,
    CellResult,
    ClosingResult,
    FittedResult,
    Interval,
    KindResult,
    LayerErrors,
    QualityRun,
    QuantResult,
    SizedError,
    SkillResult,
    ThinkingRun,
)

__all__ = [
    "ERRORS",
    "FITTED",
    "QUALITY",
    "THINKING",
    "identity_of",
    "read_errors",
    "read_fitted",
    "read_quality",
    "read_thinking",
]

THINKING = "qwq-gguf/eval-thinking/2"
QUALITY = "qwq-gguf/eval-quality/1"
ERRORS = "qwq-gguf/measured-errors/1"
FITTED = "qwq-gguf/recipe-fit/1"
_ERRORS_OF_95 = 1.959964
_MOST_TYPES = 64
_CANNOT = 1e29  # of a type that cannot hold the weights


def read_thinking(raw: object, file: str, *, missing: int = 0) -> ThinkingRun:
    """A run of `eval thinking` from its object."""
    whole = Fields(raw)
    record = whole.within("run").raw
    cells: list[CellResult] = []
    for one in whole.rows("cells"):
        first = cells[0].identity if cells else None
        cells.append(_cell(one, record, first))
    return ThinkingRun(file, record, tuple(cells), missing)


def identity_of(record: Mapping[str, Any], model: str, profile: str, governor: str) -> str:
    """What tells a cell from others: names, the model's digest, the chain, the governor's keys."""
    models = record.get("models")
    known = [m for m in models if isinstance(m, Mapping)] if isinstance(models, list) else []
    digest = next((m.get("digest") for m in known if m.get("name") == model), None)
    chain = _entry(record, "profiles", model, profile)
    keys = _entry(record, "governors", model, f"{profile} {governor}")
    rest = [record.get(name) for name in ("effort", "max_tokens", "seed", "samples")]
    return json.dumps([model, profile, governor, digest, chain, keys, rest], sort_keys=True)


def _entry(record: Mapping[str, Any], *path: str) -> Any:
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _cell(one: Fields, record: Mapping[str, Any], first: str | None) -> CellResult:
    names = one.text("model"), one.text("profile"), one.text("governor")
    thought, reply = one.optional("thought_tokens"), one.within("reply_tokens")
    apart = one.optional("against_first")
    against = one.raw.get("against", first)  # another run's cell, of the same questions
    return CellResult(
        model=names[0],
        profile=names[1],
        governor=names[2],
        identity=identity_of(record, *names),
        problems=one.count("problems"),
        replies=one.count("samples"),
        right=one.count("right"),
        accuracy=_share(one.within("accuracy")),
        thought=None if thought is None else _interval(thought.within("mean")),
        thought_median=None if thought is None else thought.within("median").number("value"),
        thought_p95=None if thought is None else thought.within("p95").number("value"),
        reply=_interval(reply.within("mean")),
        loops=one.count("loops"),
        unanswered=one.count("unanswered"),
        tokens_per_right=_optional(one, "tokens_per_right"),
        seconds_per_right=_optional(one, "seconds_per_right"),
        skills={name: _skill(each) for name, each in one.items("skills")},
        apart=None if apart is None or against is None else _apart(apart, str(against)),
    )


def _skill(one: Fields) -> SkillResult:
    thought = one.optional("thought_tokens")
    return SkillResult(
        one.count("right"),
        one.count("samples"),
        _share(one.within("accuracy")),
        None if thought is None else _interval(thought.within("mean")),
    )


def _apart(one: Fields, against: str) -> Apart:
    return Apart(
        against,
        one.count("pairs"),
        one.count("same"),
        _interval(one.within("accuracy")),
        _optional(one, "thought_tokens"),
        _interval(one.within("reply_tokens")),
    )


def _interval(one: Fields) -> Interval:
    value = one.number("value")
    low, high = one.optional_number("low"), one.optional_number("high")
    # A percentile bootstrap need not hold the figure itself; a picture is drawn around it.
    return Interval(
        value,
        None if low is None else min(low, value),
        None if high is None else max(high, value),
    )


def _share(one: Fields) -> Interval:
    one.share("value")
    return _interval(one)


def _optional(one: Fields, name: str) -> Interval | None:
    found = one.optional(name)
    return None if found is None else _interval(found)


def read_quality(raw: object, file: str) -> QualityRun:
    """A run of `eval quality` from its object."""
    whole = Fields(raw)
    reference = whole.within("reference")
    known, run = reference.optional("perplexity"), whole.optional("run")
    return QualityRun(
        file,
        reference.text("file"),
        reference.count("bytes"),
        None if known is None else known.number("value"),
        whole.within("read").raw,
        tuple(map(_quant, whole.rows("quants"))),
        {} if run is None else run.raw,
    )


def _quant(one: Fields) -> QuantResult:
    kld = one.within("kl_divergence")
    closing = one.optional("closing")
    return QuantResult(
        name=one.text("file"),
        nbytes=one.count("bytes"),
        bits=one.optional_number("bits_per_weight"),
        perplexity=_around(one.within("perplexity")),
        kld=_around(kld.within("mean")),
        kld_median=kld.number("p50"),
        kld_p99=kld.number("p99"),
        kld_max=kld.number("max"),
        same_top=one.within("same_top").share("value"),
        kinds={kind: _kind(each) for kind, each in one.items("kinds")},
        closing=None if closing is None else _closing(closing),
    )


def _kind(one: Fields) -> KindResult:
    return KindResult(
        one.count("places"),
        one.within("perplexity").number("value"),
        _around(one.within("kl_divergence").within("mean")),
        one.within("same_top").share("value"),
    )


def _closing(one: Fields) -> ClosingResult:
    tag = one.within("closing_tag")
    ratio = tag.optional_number("ratio")
    ends = tag.optional_number("low"), tag.optional_number("high")
    words = {name: each.optional_number("ratio") for name, each in one.items("words")}
    return ClosingResult(
        one.count("places"),
        None if ratio is None else Interval(ratio, *ends),
        one.share("agreed"),
        one.within("closing_tag_elsewhere").optional_number("ratio"),
        {name: value for name, value in words.items() if value is not None},
    )


def _around(one: Fields) -> Interval:
    value, reach = one.number("value"), _ERRORS_OF_95 * one.number("error")
    return Interval(value, value - reach, value + reach)


def read_errors(raw: object, file: str) -> LayerErrors:
    """Errors that were measured of tensors, by type."""
    found: dict[str, dict[str, float]] = {}
    types: set[str] = set()
    errors = Fields(raw).within("errors")
    for name in errors.raw:
        kinds = errors.within(name)
        known = {kind: kinds.number(kind) for kind in kinds.raw}
        if any(value < 0 for value in known.values()):
            raise ValueError(f"errors.{name[:60]} is below zero")
        found[name] = {kind: value for kind, value in known.items() if value < _CANNOT}
        types.update(known)
        if len(types) > _MOST_TYPES:
            raise ValueError(f"errors are of more than {_MOST_TYPES} types")
    return LayerErrors(file, found)


def read_fitted(raw: object, file: str) -> FittedResult:
    """A recipe that `recipes fit` made."""
    whole = Fields(raw)
    types = whole.within("types")
    return FittedResult(
        file,
        whole.text("source"),
        whole.text("command"),
        _sized(whole, whole.within("recipe").text("name")),
        tuple(_sized(each, each.text("name")) for each in whole.rows("stock")),
        {name: types.text(name) for name in types.raw},
    )


def _sized(one: Fields, name: str) -> SizedError:
    bits, error = one.number("bits_per_weight"), one.number("error")
    return SizedError(name, one.count("file_bytes"), bits, error)
