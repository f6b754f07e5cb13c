"""The figures of `eval quality --json`, as far as a card shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.errors import PublishError
from qwq_gguf.json_text import parse_json
from qwq_gguf.publication.values import Quality

__all__ = ["QUALITY_SCHEMA", "read_quality"]

QUALITY_SCHEMA = "qwq-gguf/eval-quality/1"
_HINT = "make one with qwq-gguf eval quality REFERENCE QUANT... --text FILE --json"


def read_quality(text: str, path: str) -> dict[str, Quality]:
    """Each quant's figures by its file's name. PublishError for what is no such report."""
    try:
        report = parse_json(text)
    except ValueError as problem:
        raise PublishError(
            "these are no figures", path=path, found=str(problem)[:200], hint=_HINT
        ) from problem
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != QUALITY_SCHEMA:
        raise PublishError(
            "these are no figures of a quant's quality",
            path=path,
            found=str(schema)[:80],
            expected=QUALITY_SCHEMA,
            hint=_HINT,
        )
    try:
        return dict(_quant(each) for each in report["quants"])
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise PublishError(
            "the figures are damaged", path=path, found=str(problem)[:200]
        ) from problem


def _quant(value: Mapping[str, Any]) -> tuple[str, Quality]:
    name = value["file"]
    if not isinstance(name, str):
        raise TypeError("a file without a name")
    same = value.get("same_top")
    return name, Quality(
        _number(value["kl_divergence"]["mean"]), None if same is None else _number(same)
    )


def _number(value: Any) -> float:
    """A plain number, or the value of an estimate."""
    plain = value["value"] if isinstance(value, dict) else value
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not 0 <= plain < 1e9:
        raise ValueError(f"{str(plain)[:40]} is no figure")
    return float(plain)
