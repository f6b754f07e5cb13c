"""Small results of each kind that a report reads, as the commands write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwq_gguf.evaluation.asking.sample import Sample
from qwq_gguf.json_text import to_json
from support.samples import sample

__all__ = ["HOSTILE", "quality_result", "run_record", "samples_file", "write_result"]

HOSTILE = "</svg><script>alert(1)</script>|`*[x](javascript:1)\u202e\x1b[31m"
"""A name as somebody might give it to a file."""

_QUALITY = ("m-BF16.gguf", "m-Q8_0.gguf", "m-Q2_K.gguf")
_MADE_BY: dict[str, Any] = {
    "versions": {"qwq_gguf": "0.1", "backends": ["CPU"]},
    "machine": {"system": "linux", "processor": "P", "processors": 2, "memory": 8 << 30},
}


def run_record(models: tuple[str, ...] = ("a.gguf", "b.gguf"), **changes: Any) -> dict[str, Any]:
    """The record of a run of these models, under one profile and one governor."""
    return {
        "schema": "qwq-gguf/eval-run/1",
        "models": [_model(name, at) for at, name in enumerate(models)],
        "suites": [{"name": "skills", "questions": 4, "digest": "5" * 64}],
        "profiles": {name: {"qwq": {"top_k": 40}} for name in models},
        "governors": {name: {"qwq default": {"loops": True}} for name in models},
        "seed": 7,
        "samples": 1,
        **_MADE_BY,
        "command": "qwq-gguf eval thinking a.gguf b.gguf --suite skills",
        **changes,
    }


def _model(name: str, at: int) -> dict[str, Any]:
    return {"name": name, "file": name, "bytes": 3 << 20, "digest": str(at + 1) * 64}


def replies(model: str, wrong: int, tokens: int) -> list[Sample]:
    """Four replies of a model to two skills, of which the first ones are wrong."""
    keys = ["add:1", "add:2", "letters:1", "letters:2"]
    return [
        sample(
            key, model=model, right=at >= wrong, thought_tokens=tokens + at, reply_tokens=tokens + 9
        )
        for at, key in enumerate(keys)
    ]


def samples_file(path: Path, record: dict[str, Any] | None = None) -> Path:
    """A samples file in which the first model is right 4 of 4 times, the second 3, with fewer
    tokens.
    """
    record = run_record() if record is None else record
    first, second = (model["name"] for model in record["models"])
    lines = [*replies(second, 1, 30), *replies(first, 0, 50)]  # in the order they ended
    path.write_text(
        "".join(f"{to_json(line)}\n" for line in (record, *(x.to_json() for x in lines)))
    )
    return path


def quality_result(**changes: Any) -> dict[str, Any]:
    """A reference and two quants, with p(closing tag)."""
    return {
        "schema": "qwq-gguf/eval-quality/1",
        "run": {
            "schema": "qwq-gguf/quality-run/1",
            "models": [_model(name, at) for at, name in enumerate(_QUALITY)],
            "seed": 0,
            **_MADE_BY,
            "threads": 2,
            "command": "qwq-gguf eval quality m-BF16.gguf m-Q8_0.gguf --traces replies.jsonl",
        },
        "reference": {"file": "m-BF16.gguf", "bytes": 10 << 20, "perplexity": {"value": 5.5}},
        "read": {"traces": "replies.jsonl", "sha256": "c" * 64, "replies": 4, "tokens": 1234},
        "quants": [
            _quant("m-Q8_0.gguf", 5 << 20, 0.0002, 1.001),
            _quant("m-Q2_K.gguf", 2 << 20, 0.03, 0.81),
        ],
        **changes,
    }


def _quant(name: str, nbytes: int, kld: float, ratio: float) -> dict[str, Any]:
    def estimate(value: float, error: float = 0.0) -> dict[str, float]:
        return {"value": value, "error": error}

    places = {"mean": estimate(kld, kld / 10), "p50": kld / 2, "p99": kld * 9, "max": kld * 50}
    figures = {
        "places": 99,
        "perplexity": estimate(5.6, 0.1),
        "kl_divergence": places,
        "same_top": estimate(0.98, 0.01),
    }
    tag = {"ratio": ratio, "low": ratio - 0.05, "high": ratio + 0.05}
    return {
        "file": name,
        "bytes": nbytes,
        "bits_per_weight": nbytes / (1 << 20),
        **figures,
        "kinds": {"thought": figures},
        "closing": {
            "places": 12,
            "traces": 4,
            "agreed": 0.75,
            "closing_tag": tag,
            "words": {"Wait": {"ratio": 1.25}},
            "closing_tag_elsewhere": {"ratio": 1.1},
        },
    }


def write_result(path: Path, value: dict[str, Any]) -> Path:
    """One object, as `--json` prints it."""
    path.write_text(to_json(value) + "\n")
    return path
