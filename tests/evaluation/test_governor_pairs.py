"""scripts/measure_governor: pairs are kept as they come, and a second run goes on with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from governor_pairs import OFF, Half, Pair, Pairs, ask_pairs

from qwq_gguf.engine.batching.engine import Engine
from qwq_gguf.engine.model import Model
from qwq_gguf.evaluation.problems import suite
from qwq_gguf.profiles import load_profile
from qwq_gguf.thinking import Governor
from support.demo import make_demo

ASKED = {"suite": "add", "model": "Demo", "tokens": 40}
HALF = Half(True, True, 7, "closed", "stop", "thought", "answer")


def test_pairs_are_there_again_and_half_a_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    first = Pairs(path, ASKED)
    first.add(Pair("a", HALF, replace(HALF, right=False)))
    first.add(Pair("b", HALF, HALF))
    raw = path.read_bytes()
    assert Pairs(path, ASKED).done == first.done
    path.write_bytes(raw[:-20])  # killed within a line
    second = Pairs(path, ASKED)
    assert list(second.done) == ["a"]
    second.add(Pair("b", HALF, HALF))
    assert path.read_bytes() == raw
    path.write_bytes(b'{"sch')  # and within the first
    assert Pairs(path, ASKED).done == {}
    assert [json.loads(line)["suite"] for line in path.read_bytes().splitlines()] == ["add"]


def test_another_runs_pairs_are_no_ones(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    Pairs(path, ASKED)
    with pytest.raises(SystemExit, match="another run: tokens differ"):
        Pairs(path, {**ASKED, "tokens": 41})


def test_several_at_once_get_what_they_get_alone(tmp_path: Path) -> None:
    problems = suite("add", limit=4)
    profile = load_profile("qwq")
    with Model.load(make_demo(tmp_path), threads=1) as model:
        told = []
        for sequences in (1, 3):
            with Engine(model, sequences=sequences) as engine:
                pairs = ask_pairs(engine, profile, Governor(), problems, most=200)
                told.append({pair.key: pair for pair in pairs})
        assert [set(each) for each in told] == [{p.key for p in problems}] * 2
        assert all(pair.on.answered for pair in told[1].values())
        same = sum(told[0][key].on.answer == told[1][key].on.answer for key in told[0])
        assert same >= 3  # but for ties, which are rounded otherwise in a batch
        with Engine(model, sequences=2) as engine:
            assert not list(ask_pairs(engine, profile, OFF, problems, most=200, seconds=0))
