"""How long cards take for a token: the value, what is estimated by it, and the probe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from qwq_gguf.engine.llama.library import library_facts
from qwq_gguf.engine.loading import card_timing
from qwq_gguf.engine.loading.guard import Ending, Outcome
from qwq_gguf.engine.loading.pace import measure_card_pace
from qwq_gguf.engine.loading.probe import Probe
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.card_pace import CardPace
from qwq_gguf.machine.devices import GIB, MIB, Device, Machine, modelled_memory
from qwq_gguf.machine.kv_cache import KvShape
from qwq_gguf.machine.model_size import LayerBytes, ModelShape, WeightBytes
from qwq_gguf.machine.placing import place
from qwq_gguf.machine.speed import seconds_a_token

F16, Q4_K, Q6_K, Q8_0 = GgmlType.F16, GgmlType.Q4_K, GgmlType.Q6_K, GgmlType.Q8_0
PACE = CardPace(
    5e-5, 1e-9, {F16: 3e-5, Q8_0: 5e-5}, {Q4_K: 5e-13, Q6_K: 7e-13}, {F16: 4e-13, Q8_0: 2e-12}
)
SHAPE = ModelShape(
    *("qwen2", 10, 1024, 4096, 0, 0, 8, 1024, 1000, 32768),
    KvShape(((512, 512),) * 10, (128, 128)),
)
WEIGHTS = WeightBytes(
    (LayerBytes(100 * MIB),) * 10, 0, 50 * MIB, False, 1.0, ((Q4_K, 0.75), (Q6_K, 0.25))
)
CARD = Device("a card", 24 * GIB, 24 * GIB, 1e12, "a page")


def _seconds(
    pace: CardPace | None, tokens: int, kind: GgmlType = F16, layers: int | None = None
) -> float:
    machine = Machine("here", modelled_memory(32 * GIB), (CARD,), card_pace=pace)
    placed = place(SHAPE, WEIGHTS, machine, 8192, kind, gpu_layers=layers)
    assert placed is not None
    return seconds_a_token(SHAPE, WEIGHTS, machine, placed, tokens)


def test_what_was_seen_adds_up() -> None:
    a_byte = 0.75 * 5e-13 + 0.25 * 7e-13
    empty = 5e-5 + 1000 * 1e-9 + 11 * 3e-5 + 1050 * MIB * a_byte
    assert _seconds(PACE, 0) == pytest.approx(empty)
    read = 4096 * 10 * 2 * F16.row_bytes(512)
    assert _seconds(PACE, 4096) == pytest.approx(empty + read * 4e-13)
    smaller = 4096 * 10 * 2 * Q8_0.row_bytes(512)
    more = 11 * 2e-5 + smaller * 2e-12
    assert _seconds(PACE, 4096, Q8_0) == pytest.approx(empty + more)


def test_layers_in_main_memory_take_its_time() -> None:
    half = _seconds(PACE, 0, layers=6)
    assert half > 500 * MIB / 40e9 > _seconds(PACE, 0)
    faster = replace(PACE, layer={F16: 0.0})
    assert half - _seconds(faster, 0, layers=6) == pytest.approx(6 * 3e-5)


def test_without_it_the_bandwidth_tells_up_to_what_was_ever_seen() -> None:
    assert _seconds(None, 0) == pytest.approx(1050 * MIB / 760e9 + 11 * 3e-5 + 1000 * 3e-9)
    machine = Machine("h200", modelled_memory(32 * GIB), (replace(CARD, bandwidth=4.8e12),))
    placed = place(SHAPE, WEIGHTS, machine, 8192, F16)
    assert placed is not None
    told = seconds_a_token(SHAPE, WEIGHTS, machine, placed, 0)
    assert told == pytest.approx(1050 * MIB / 1.8e12 + 11 * 3e-5 + 1000 * 3e-9)


def test_it_is_kept_as_json_and_the_best_counts() -> None:
    told = json.loads(json.dumps(PACE.to_json()))
    assert CardPace.of(told) == PACE
    other = replace(PACE, token=1e-6, weights={Q4_K: 1.0, F16: 1e-13})
    best = PACE.best(other)
    assert best == other.best(PACE)
    assert (best.token, best.weights) == (1e-6, {Q4_K: 5e-13, Q6_K: 7e-13, F16: 1e-13})
    changes: tuple[dict[str, object], ...] = (
        {"token": None},
        {"entry": "fast"},
        {"layer": {}},
        {"weights": {"Q9": 1.0}},
        {"cache": {"F16": float("inf")}},
    )
    for change in changes:
        assert CardPace.of({**told, **change}) is None


@pytest.mark.parametrize("use_gpu", [True, False])
def test_cards_are_timed_in_a_child_where_they_work(
    monkeypatch: pytest.MonkeyPatch, use_gpu: bool
) -> None:
    monkeypatch.setattr(
        "qwq_gguf.engine.loading.pace.probe", lambda *_, **__: Probe(use_gpu=use_gpu)
    )
    facts = replace(library_facts(), gpu_offload=True)
    monkeypatch.setattr("qwq_gguf.engine.loading.pace.library_facts", lambda: facts)
    asked: list[Mapping[str, Any]] = []

    def run(request: Mapping[str, Any], *, timeout: float) -> Outcome:
        assert timeout > 60
        asked.append(request)
        return Outcome(Ending.OK, answer={"token": 1.0})

    told = measure_card_pace(4, 1 << 20, run=run)
    assert (told is not None) == use_gpu == bool(asked)
    if asked:
        assert asked[0]["task"] == "card pace"
        assert asked[0]["gpu_layers"] == -1


def test_a_build_for_no_card_times_none() -> None:
    def run(request: Mapping[str, Any], *, timeout: float) -> Outcome:
        assert request["task"] != "card pace"
        return Outcome(Ending.OK, answer={})

    if not library_facts().gpu_offload:
        assert measure_card_pace(1, 1 << 20, run=run) is None


def test_the_probe_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the processor, which proves that it runs and that a layer more takes longer."""
    small = replace(card_timing._WEIGHTS, width=512, feed_forward=512, heads=4, kv_heads=2)
    monkeypatch.setattr(card_timing, "_WEIGHTS", small)
    monkeypatch.setattr(card_timing, "_LAYERS", replace(card_timing._LAYERS, width=256, heads=2))
    monkeypatch.setattr(card_timing, "_VOCABULARY", replace(small, tokens=2048))
    monkeypatch.setattr(card_timing, "_ATTENTION", replace(small, context=512))
    monkeypatch.setattr(card_timing, "_FILLED", 256)
    monkeypatch.setattr(card_timing, "_BATCH", 128)
    monkeypatch.setattr(card_timing, "_WARM", 0.0)
    arguments = {"gpu_layers": 0, "use_extra_bufts": False, "mmap": True, "threads": 1}
    told = card_timing.card_paces({**arguments, "large": 1 << 20})
    pace = CardPace.of(json.loads(json.dumps(told)))
    assert pace is not None
    assert set(pace.layer) == set(pace.cache) == {F16, Q8_0, GgmlType.Q4_0}
    assert {Q4_K, Q6_K, Q8_0, F16} <= set(pace.weights)
    assert pace.layer[F16] > 0
