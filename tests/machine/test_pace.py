"""How long a processor takes for a token: the value, what is estimated by it, and the probe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.engine.loading.guard import Ending, Outcome
from qwq_gguf.engine.loading.pace import measure_pace
from qwq_gguf.engine.loading.zero_model import ZeroModel
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.machine.devices import GIB, MIB, Machine, modelled_memory
from qwq_gguf.machine.kv_cache import KvShape
from qwq_gguf.machine.model_size import LayerBytes, ModelShape, TensorSize, WeightBytes
from qwq_gguf.machine.pace import Pace
from qwq_gguf.machine.placing import place
from qwq_gguf.machine.speed import TIMED_SHARE as SHARE
from qwq_gguf.machine.speed import seconds_a_token

F16, Q4_K, Q6_K, Q8_0 = GgmlType.F16, GgmlType.Q4_K, GgmlType.Q6_K, GgmlType.Q8_0
PACE = Pace(
    threads=2,
    layer=1e-5,
    main={Q4_K: 3e-10},
    weights={Q4_K: 1e-10, Q6_K: 3e-10},
    attention={128: {F16: 1e-11, Q8_0: 2e-11}},
    short={Q4_K: 1e-10},
    lengths=(2048.0, 512.0),
)
SHAPE = ModelShape(
    *("qwen2", 10, 1024, 4096, 0, 0, 8, 1024, 1000, 32768),
    KvShape(((512, 512),) * 10, (128, 128)),
)
WEIGHTS = WeightBytes((LayerBytes(100 * MIB),) * 10, 0, 0, False, 1.0, ((Q4_K, 0.75), (Q6_K, 0.25)))


def _machine(pace: Pace | None) -> Machine:
    return Machine("here", replace(modelled_memory(32 * GIB), pace=pace))


def _seconds(pace: Pace | None, tokens: int, kind: GgmlType = F16) -> float:
    placed = place(SHAPE, WEIGHTS, _machine(pace), 8192, kind)
    assert placed is not None
    return seconds_a_token(SHAPE, WEIGHTS, _machine(pace), placed, tokens)


def test_weights_take_what_their_types_take() -> None:
    a_byte = 0.75 * 3e-10 + 0.25 * 5e-10
    assert _seconds(PACE, 0) == pytest.approx((1000 * MIB * a_byte + 11 * 1e-5) / SHARE)
    lighter = replace(PACE, weights={**PACE.weights, Q6_K: 0.0})
    assert _seconds(lighter, 0) < _seconds(PACE, 0)


def test_a_row_takes_its_time_whatever_its_length() -> None:
    """Two times, of rows of 2,048 and of 512, are one for a byte and one for a row."""
    a_byte, a_row = 4e-11, 1e-8
    nbytes = Q4_K.type_size / Q4_K.block_size  # of a number
    timed = [a_byte + a_row / (length * nbytes) for length in PACE.lengths]
    pace = replace(PACE, main={}, weights={Q4_K: timed[0]}, short={Q4_K: timed[1]})
    assert pace.byte(Q4_K) == pytest.approx(a_byte)
    assert pace.row(Q4_K) == pytest.approx(a_row)
    # Of a model with such rows it is the same time, of one with shorter ones more.
    for length, expected in ((2048, timed[0]), (512, timed[1]), (256, 2 * timed[1] - timed[0])):
        rows = ((Q4_K, 1 / (length * nbytes)),)
        weights = replace(WEIGHTS, kinds=((Q4_K, 1.0),), rows=rows)
        placed = place(SHAPE, weights, _machine(pace), 8192, F16)
        assert placed is not None
        took = seconds_a_token(SHAPE, weights, _machine(pace), placed, 0)
        if length > 256:
            assert took == pytest.approx((1000 * MIB * expected + 11 * 1e-5) / SHARE)
        else:
            assert took > (1000 * MIB * timed[1] + 11 * 1e-5) / SHARE


@pytest.mark.parametrize(("long", "short"), [(2e-10, 1e-10), (1e-10, 1e-6), (0.0, 1e-10)])
def test_disturbed_times_make_no_nonsense(long: float, short: float) -> None:
    pace = replace(PACE, weights={Q4_K: long}, short={Q4_K: short}, main={Q4_K: 0.0})
    assert 0 <= pace.byte(Q4_K) <= long
    assert pace.row(Q4_K) >= 0
    assert pace.far == 0


def test_what_is_attended_to_takes_its_time_by_type_of_cache() -> None:
    attended = 4096 * 10 * 1024
    read = 4096 * 10 * 2 * F16.row_bytes(512)
    added = _seconds(PACE, 4096) - _seconds(PACE, 0)
    assert added == pytest.approx(attended * 1e-11 + read * 2e-10)
    assert _seconds(PACE, 4096, Q8_0) - _seconds(PACE, 0, Q8_0) > attended * 2e-11


def test_a_tiny_model_is_computed_by_one_thread() -> None:
    tiny = replace(WEIGHTS, layers=(LayerBytes(1 * MIB),) * 10)
    placed = place(SHAPE, tiny, _machine(PACE), 8192, F16)
    assert placed is not None
    pace = replace(PACE, threads=1)
    times = [
        [seconds_a_token(SHAPE, tiny, _machine(each), placed, tokens) for tokens in (0, 4096)]
        for each in (pace, replace(pace, threads=2), replace(pace, main={Q4_K: 1.0}))
    ]
    layers = 11 * 1e-5 / SHARE
    one, two, far = ([first - layers, last - first] for first, last in times)
    assert two == pytest.approx([2 * one[0], 2 * one[1]])
    assert far == pytest.approx(one)  # a cache holds all of it
    assert _seconds(replace(PACE, threads=1), 64) == _seconds(PACE, 64)


def test_a_tiny_model_takes_what_one_thread_was_seen_to_take() -> None:
    tiny = replace(WEIGHTS, layers=(LayerBytes(1 * MIB),) * 10)
    placed = place(SHAPE, tiny, _machine(PACE), 8192, F16)
    assert placed is not None
    alone = replace(PACE, threads=1, layer=3e-6, main={}, weights={Q4_K: 2e-10, Q6_K: 4e-10})
    pace = replace(PACE, alone=alone)
    took = seconds_a_token(SHAPE, tiny, _machine(pace), placed, 0)
    a_byte = 0.75 * 2e-10 + 0.25 * 4e-10
    assert took == pytest.approx((10 * MIB * a_byte + 11 * 3e-6) / SHARE)
    assert _seconds(pace, 0) == _seconds(PACE, 0)  # of a larger one it tells nothing


def test_layers_that_do_not_attend_cost_nothing_of_it() -> None:
    half = replace(SHAPE, cache=KvShape(((512, 512), (0, 0)) * 5, (128, 128)))
    placed = place(half, WEIGHTS, _machine(PACE), 8192, F16)
    assert placed is not None
    times = [seconds_a_token(half, WEIGHTS, _machine(PACE), placed, n) for n in (0, 4096)]
    whole = _seconds(PACE, 4096) - _seconds(PACE, 0)
    assert times[1] - times[0] == pytest.approx(whole / 2)


def test_without_a_pace_or_types_the_bandwidth_tells() -> None:
    assert _seconds(None, 0) == pytest.approx(1000 * MIB / 34e9 + 11 * 2e-5)
    placed = place(SHAPE, WEIGHTS, _machine(PACE), 8192, F16)
    assert placed is not None
    untold = replace(WEIGHTS, kinds=())
    assert seconds_a_token(SHAPE, untold, _machine(PACE), placed, 0) == _seconds(None, 0)


def test_a_type_that_was_not_measured_is_taken_for_the_slowest() -> None:
    assert PACE.byte(GgmlType.IQ1_S) == PACE.byte(Q6_K)
    assert PACE.query(GgmlType.Q4_0, 128) == PACE.query(Q8_0, 128)


def test_heads_are_taken_for_those_of_the_nearest_size() -> None:
    pace = replace(PACE, attention={64: {F16: 9e-11}, 128: {F16: 1e-11}, 256: {F16: 2e-11}})
    asked = (1, 64, 80, 96, 128, 192, 576)
    found = [round(pace.query(F16, head) * 1e11) for head in asked]
    assert found == [9, 9, 9, 1, 1, 2, 2]


def test_the_best_of_two_measurements() -> None:
    other = Pace(
        2,
        2e-5,
        {Q4_K: 2e-10},
        {Q4_K: 2e-10, Q8_0: 1e-10},
        {128: {F16: 5e-12}, 64: {F16: 1.0}},
        {Q8_0: 2e-10},
        PACE.lengths,
    )
    best = PACE.best(other)
    assert best == Pace(
        2,
        1e-5,
        {Q4_K: 2e-10},
        {Q4_K: 1e-10, Q6_K: 3e-10, Q8_0: 1e-10},
        {128: {F16: 5e-12, Q8_0: 2e-11}, 64: {F16: 1.0}},
        {Q4_K: 1e-10, Q8_0: 2e-10},
        PACE.lengths,
    )
    assert best == other.best(PACE)
    slow, fast = (replace(PACE, layer=each) for each in (2e-5, 1e-6))
    for one, two in ((slow, fast), (fast, slow), (None, fast), (fast, None)):
        assert replace(PACE, alone=one).best(replace(PACE, alone=two)).alone == fast


def test_it_is_kept_as_json() -> None:
    for pace in (PACE, replace(PACE, alone=replace(PACE, layer=1e-6))):
        assert Pace.of(json.loads(json.dumps(pace.to_json()))) == pace
    nested = {**PACE.to_json(), "alone": {**PACE.to_json(), "alone": PACE.to_json()}}
    assert Pace.of(nested) == replace(PACE, alone=PACE)
    assert Pace.of({**PACE.to_json(), "alone": {"layer": "no"}}) == PACE


@pytest.mark.parametrize(
    "change",
    [
        {"layer": None},
        {"threads": 0},
        {"threads": "2"},
        {"layer": "1"},
        {"main": {"Q8_0": 1.0}},
        {"short": {"Q8_0": 1.0}},
        {"lengths": [512, 2048]},
        {"lengths": [2048]},
        {"lengths": [2048, 0]},
        {"lengths": None},
        {"weights": {}},
        {"weights": {"Q4_K": "fast", "Q9": 1.0}},
        {"attention": [1.0]},
        {"attention": {"0": {"F16": 1.0}, "wide": {"F16": 1.0}}},
    ],
)
def test_what_is_no_pace_is_not_read_as_one(change: dict[str, object]) -> None:
    assert Pace.of({**PACE.to_json(), **change}) is None


def test_the_parts_of_each_type_are_of_what_a_token_asks() -> None:
    tensors = [
        TensorSize("token_embd.weight", 50, Q8_0, 5),
        TensorSize("blk.0.attn_q.weight", 100, Q4_K, 2),
        TensorSize("output.weight", 100, Q6_K, 4),
    ]
    untied = WeightBytes.of(tensors, SHAPE)
    assert dict(untied.kinds) == {Q4_K: 0.5, Q6_K: 0.5}
    assert dict(untied.rows) == {Q4_K: 0.02, Q6_K: 0.04}
    tied = WeightBytes.of(tensors[:2], SHAPE)
    assert dict(tied.kinds) == {Q8_0: pytest.approx(1 / 3), Q4_K: pytest.approx(2 / 3)}
    assert dict(tied.rows) == {Q8_0: 0.1, Q4_K: 0.02}
    moe = replace(SHAPE, experts=4, used=1)
    mixed = WeightBytes.of(
        [*tensors[1:], TensorSize("blk.0.ffn_up_exps.weight", 400, Q8_0, 40)], moe
    )
    assert dict(mixed.kinds) == {kind: pytest.approx(1 / 3) for kind in (Q4_K, Q6_K, Q8_0)}
    assert dict(mixed.rows)[Q8_0] == pytest.approx(0.1)
    untold = [TensorSize(each.name, each.nbytes) for each in tensors]
    assert WeightBytes.of(untold, SHAPE).kinds == ()


def test_a_model_of_zeros_has_the_bytes_that_it_says(tmp_path: Path) -> None:
    names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    kinds = dict.fromkeys(names, Q4_K) | {"token_embd": F16, "output": F16}
    shape = ZeroModel(512, 1024, heads=4, kv_heads=2, kinds=kinds, layers=2)
    shape.write(tmp_path / "zero.gguf")
    gguf = read_gguf(tmp_path / "zero.gguf")
    inside = [each.nbytes for each in gguf.tensors if each.type is Q4_K]
    assert len(inside) == 14
    assert sum(inside) == 2 * shape.layer_bytes()


def test_this_processor_is_measured() -> None:
    told = measure_pace(1, 1)
    assert told is not None
    pace = Pace.of(told)
    assert pace is not None
    assert {F16, Q4_K, Q6_K, Q8_0} <= set(pace.weights)
    assert set(pace.attention) == {32, 64, 128, 256}
    assert all(set(each) == {F16, Q8_0, GgmlType.Q4_0} for each in pace.attention.values())
    assert all(1e-12 < value < 1e-6 for value in pace.weights.values())
    assert pace.short.keys() == pace.weights.keys()
    assert pace.lengths[0] > 2 * pace.lengths[1]
    assert 0 < pace.layer < 0.1
    assert pace.alone is not None
    assert pace.alone.threads == 1
    assert pace.alone.weights.keys() == pace.weights.keys()
    assert 0 < pace.alone.layer < 0.1


def test_a_child_that_dies_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # What this runner says of the library must not be remembered beyond the test.
    monkeypatch.setenv("QWQ_GGUF_CACHE_DIR", str(tmp_path / "cache"))

    def run(request: Mapping[str, Any], *, timeout: float) -> Outcome:
        del timeout
        died = request["task"] == "pace"
        return Outcome(Ending.CRASHED, "SIGILL") if died else Outcome(Ending.OK, answer={})

    assert measure_pace(1, 1, run=run) is None
