"""A samples file: whole lines, gone on with by the same run, and by no other."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.errors import EvaluationError, OutputError
from qwq_gguf.evaluation.asking.run_record import FINGERPRINT, run_differences, run_record
from qwq_gguf.evaluation.asking.sample import Sample, Tokens
from qwq_gguf.evaluation.asking.samples_file import SamplesFile, read_samples
from support.samples import sample


def record(**changes: Any) -> dict[str, Any]:
    fingerprint = {
        **dict.fromkeys(FINGERPRINT),
        "models": [{"name": "m", "digest": "d"}],
        "samples": 1,
    }
    return run_record({**fingerprint, **changes}, {"command": "qwq-gguf eval", "threads": 2})


def written(path: Path, count: int, **changes: Any) -> list[Sample]:
    samples = [sample(f"add:{n}", tokens=Tokens((1, 2), (n,)), **changes) for n in range(count)]
    with SamplesFile(path, record()) as file:
        for each in samples:
            file.write(each)
    return samples


def test_a_sample_comes_back_as_it_was(tmp_path: Path) -> None:
    samples = written(tmp_path / "r.jsonl", 3, why="no \u202e number\n", answer="\x9b[31m")
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    assert [json.loads(line)["schema"] for line in lines] == [
        "qwq-gguf/eval-run/1", *["qwq-gguf/eval-sample/2"] * 3
    ]  # fmt: skip
    assert "\x9b" not in lines[1]
    head, rest = read_samples(tmp_path / "r.jsonl")
    assert (head["samples"], list(rest)) == (1, samples)


@pytest.mark.parametrize("cut", [1, 30, 10_000])
def test_a_run_that_was_killed_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.jsonl"
    first, second = written(path, 2)
    whole = path.read_bytes()
    lost = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[: -min(cut, len(lost) - 1)])
    assert [each.key for each in read_samples(path)[1]] == ["add:0"]
    with SamplesFile(path, {**record(), "threads": 9}) as file:
        assert [each.reply_key for each in file.done] == [first.reply_key]
        file.write(second)
    assert path.read_bytes() == whole


def test_one_that_was_killed_before_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.touch()
    written(path, 1)
    assert len(list(read_samples(path)[1])) == 1


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    written(path, 1)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="another run") as refused:
        SamplesFile(path, record(samples=2, models=[{"name": "m", "digest": "e"}]))
    said = str(refused.value)
    assert "models 1.digest: d there, e here; samples: 1 there, 2 here" in said
    assert "qwq-gguf eval" in said
    assert "--force" in said
    assert path.read_bytes() == before
    with SamplesFile(path, record(samples=2), force=True) as file:
        assert file.done == ()


@pytest.mark.parametrize("content", [b"precious", b"{}\n", b'{"a": 1}\n{"b"', b"\xff\n"])
def test_what_is_no_samples_file_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="no samples file"):
        SamplesFile(path, record())
    assert path.read_bytes() == content
    with pytest.raises(EvaluationError, match="no samples file"):
        read_samples(path)


@pytest.mark.parametrize(
    "changes",
    [{"right": 1}, {"key": None}, {"thought_tokens": -1}, {"seconds": "soon"}, {"tokens": [1]},
     {"tokens": {"prompt": [1], "reply": [True]}}, {"schema": "qwq-gguf/eval-sample/1"}],
)  # fmt: skip
def test_a_line_that_is_no_reply_is_named(tmp_path: Path, changes: Mapping[str, Any]) -> None:
    path = tmp_path / "r.jsonl"
    written(path, 1)
    raw = {**sample().to_json(), **changes}
    path.write_text(path.read_text() + json.dumps(raw) + "\n")
    with pytest.raises(EvaluationError, match="no reply"):
        list(read_samples(path)[1])
    with pytest.raises(EvaluationError, match="no reply"):
        SamplesFile(path, record())


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with SamplesFile(path, record()), pytest.raises(OutputError, match="another run is writing"):
        SamplesFile(path, record())


def test_no_link_is_written_through(tmp_path: Path) -> None:
    written(tmp_path / "r.jsonl", 1)
    (tmp_path / "link").symlink_to(tmp_path / "r.jsonl")
    with pytest.raises(OutputError, match="exists already"):
        SamplesFile(tmp_path / "link", record())
    with pytest.raises(OutputError, match="folder"):
        SamplesFile(tmp_path, record())


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[:30])
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "r.jsonl"
    written(path, 2)
    before = path.read_bytes()
    with SamplesFile(path, record()) as file, monkeypatch.context() as patch:
        patch.setattr("qwq_gguf.evaluation.asking.samples_file.write_all", full)
        with pytest.raises(OutputError, match="the disk is full"):
            file.write(sample("add:9"))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["r.jsonl"]


def test_differences_are_told_down_to_the_number() -> None:
    before = record(profiles={"m": {"qwq": {"top_k": 40, "stops": ["a"]}}})
    now = record(profiles={"m": {"qwq": {"top_k": 20, "stops": ["a"]}}}, effort="low")
    assert run_differences(before, now) == [
        "profiles.m.qwq.top_k: 40 there, 20 here",
        "effort: none there, low here",
    ]
    assert run_differences(before, {**before, "command": "other", "machine": {}}) == []
