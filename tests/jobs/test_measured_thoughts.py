"""Thought lengths that `eval thinking` found, and `fit` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE, Memory
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.jobs.evaluating import Evaluating, Evaluation
from qwq_gguf.jobs.events import silent
from qwq_gguf.jobs.fitting import wanted_of
from qwq_gguf.jobs.measured_thoughts import measured_length, remember_lengths
from qwq_gguf.machine.thought_lengths import thought_length
from qwq_gguf.metadata import KeyValue
from support.demo import make_demo

TODAY = date(2026, 11, 26)
CELL, BOUND = Cell("m", "qwq", "none"), Cell("m", "qwq", "short")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def metadata(demo: Path) -> dict[str, KeyValue]:
    return dict(read_gguf(demo).metadata)


def samples(lengths: Sequence[int], cell: Cell = CELL, ended: str = "closed") -> list[Sample]:
    usual: dict[str, Any] = {
        **{"seed": 1, "right": True, "found": None, "why": None, "answered": True},
        **{"looped": False, "prompt_tokens": 9, "calls": 0, "thought_ended": ended},
        **{"finish_reason": "stop", "seconds": 1.0, "thought": "", "answer": "", "skill": "add"},
        **{"model": cell.model, "profile": cell.profile, "governor": cell.governor, "sample": 0},
    }
    return [
        Sample(key=f"add/{number}", thought_tokens=length, reply_tokens=length + 5, **usual)
        for number, length in enumerate(lengths)
    ]


def test_mean_and_95th_percentile_are_remembered_with_where_they_come_from(
    metadata: dict[str, KeyValue],
) -> None:
    assert measured_length(metadata) is None
    remember_lengths(metadata, samples(range(1, 101)), ["skills", "aime24"], TODAY)
    found = measured_length(metadata)
    assert found is not None
    assert (found.typical, found.long) == (50, 95)
    assert found.source == (
        "Measured here on 2026-11-26, the mean and the 95th percentile of 100 thoughts: "
        "qwq-gguf eval thinking, skills, aime24"
    )
    assert wanted_of(metadata, None, None, None).thought == found
    assert wanted_of(metadata, None, None, 700).thought.typical == 700


def test_another_quant_has_the_same_and_another_model_has_not(
    metadata: dict[str, KeyValue],
) -> None:
    remember_lengths(metadata, samples([40] * 30), ["skills"], TODAY)

    def called(name: str, **more: int) -> dict[str, KeyValue]:
        changed: dict[str, Any] = {
            "general.name": name,
            **{f"qwen2.{k}": v for k, v in more.items()},
        }
        return metadata | {k: replace(metadata[k], value=v) for k, v in changed.items()}

    assert measured_length(called("qwq demo")) is not None
    assert measured_length(called("QwQ-Demo-2")) is None
    assert measured_length(called("QwQ-Demo", block_count=7)) is None
    nameless = {key: value for key, value in metadata.items() if key != "general.name"}
    remember_lengths(nameless, samples([9] * 30), ["skills"], TODAY)
    assert measured_length(nameless) is None


def test_too_few_thoughts_and_those_that_were_cut_say_nothing(
    metadata: dict[str, KeyValue],
) -> None:
    for few in (
        samples([40] * 19),
        samples([0] * 50),
        samples([40] * 50) + samples([60] * 3, ended="context"),
        samples([5] * 50, BOUND, "budget"),
        samples([40] * 19) + samples([5] * 50, BOUND, "budget"),
    ):
        remember_lengths(metadata, few, ["skills"], TODAY)
        assert measured_length(metadata) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"typical": "5"},
        {"long": -1},
        {"long": 1 << 40},
        {"thoughts": True},
        {"day": 5},
        {"suites": 1},
    ],
)
def test_what_is_damaged_counts_as_nothing(
    metadata: dict[str, KeyValue], cache: Path, damage: dict[str, object]
) -> None:
    remember_lengths(metadata, samples([40] * 30), ["skills"], TODAY)
    memory = Memory("thoughts")
    (key,) = memory._read()
    value = memory.get(key)
    assert value is not None
    memory.put(key, {**value, **damage})
    assert measured_length(metadata) is None


def test_an_evaluation_is_remembered(demo: Path, metadata: dict[str, KeyValue]) -> None:
    asked = Evaluating(sources=(str(demo),), suites=("add",), limit=7, samples=3, context=512)
    evaluation = Evaluation(asked)
    evaluation.run(silent)
    found = wanted_of(metadata, None, None, None).thought
    assert found != thought_length("qwq", "QwQ-Demo")
    assert "21 thoughts: qwq-gguf eval thinking, add" in found.source
    lengths = [each.thought_tokens for each in evaluation.done]
    assert found.typical == round(sum(lengths) / 21)
