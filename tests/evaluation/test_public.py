"""Public tests' files: tiny ones of our own in each format, and what is no such file."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites import load_suite

BOX = "Please reason step by step, and put your final answer within \\boxed{}."


def lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(kind: str, path: Path, **how: Any) -> tuple[Question, ...]:
    return load_suite(f"{kind}:{path}", **how)


def test_aime_of_several_makers(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "aime.jsonl",
        {"ID": "2024-I-1", "Problem": "Find n.", "Answer": 73},
        {"id": 61, "problem": "Find m.", "answer": "007"},
        {"prompt": f"Find k.\n{BOX}", "answer": "25.0"},
    )
    first, second, third = read("aime", path)
    assert (first.key, first.text) == ("aime:2024-I-1", f"Find n.\n{BOX}")
    assert (second.key, second.expected) == ("aime:61", {"value": "7"})
    assert (third.text, third.expected) == (f"Find k.\n{BOX}", {"value": "25"})
    assert {each.grader for each in (first, second, third)} == {"number"}


def test_a_list_of_objects_is_read_like_lines(tmp_path: Path) -> None:
    path = tmp_path / "math.json"
    path.write_text(json.dumps([{"problem": "p", "answer": r"\frac12", "level": 5}]))
    (question,) = read("math500", path)
    assert (question.skill, question.grader) == ("math500 level 5", "math")
    assert question.expected == {"answer": r"\frac12"}


def test_gsm8k(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "test.jsonl",
        {"question": "How many?", "answer": "1000+234=<<1000+234=1234>>1234\n#### 1,234"},
    )
    (question,) = read("gsm8k", path)
    assert (question.key, question.expected) == ("gsm8k:1", {"value": "1234"})
    assert question.text == f"How many?\n{BOX}"


def test_gpqa_mixes_its_options_always_alike(tmp_path: Path) -> None:
    path = tmp_path / "gpqa.csv"
    path.write_text(
        "Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,"
        "Incorrect Answer 3\n" + "".join(
            f'rec{n},"What, then?\n{n}",yes {n},no,never,"not, at all"\n' for n in range(12)
        )
    )  # fmt: skip
    questions = read("gpqa", path)
    for number, question in enumerate(questions):
        letter, options = question.expected["letter"], question.expected["options"]
        assert options[letter] == f"yes {number}"
        assert sorted(options) == list("ABCD")
        assert f"{letter}. yes {number}\n" in question.text
        assert '`"answer": "C"`' in question.text
    assert len({question.expected["letter"] for question in questions}) == 4
    assert read("gpqa", path, seed=9) == questions


def packed(tests: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def contest(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "question_content": "Double it.", "question_id": "abc", "difficulty": "easy",
        "contest_date": "2024-08-03T00:00:00", "starter_code": "", "metadata": "{}",
        "public_test_cases": json.dumps([{"input": "2", "output": "4", "testtype": "stdin"}]),
        "private_test_cases": packed([{"input": "5", "output": "10", "testtype": "stdin"}]),
    }  # fmt: skip
    return row | changes


def test_livecodebench(tmp_path: Path) -> None:
    starter = "class Solution:\n    def twice(self, n):\n"
    path = lines(
        tmp_path / "lcb.jsonl",
        contest(),
        contest(question_id="x", starter_code=starter, metadata='{"func_name": "twice"}'),
        contest(question_id="y", contest_date="2025-02-01T00:00:00"),
    )
    first, second, _ = read("livecodebench", path)
    assert first.expected["tests"] == [
        {"input": "2", "output": "4"},
        {"input": "5", "output": "10"},
    ]
    assert (first.expected["entry"], first.skill) == (None, "livecodebench easy")
    assert "stdin" in first.text
    assert second.expected["entry"] == "twice"
    assert starter in second.text
    assert [q.key for q in read("livecodebench@2024-08..2025-02", path)] == [
        "livecodebench:abc", "livecodebench:x"
    ]  # fmt: skip


class Harmful:
    """A pickle of it makes a folder when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    ("private", "words"),
    [
        (base64.b64encode(zlib.compress(pickle.dumps(Harmful()))).decode(), "no text"),
        (base64.b64encode(zlib.compress(pickle.dumps(["a", "b"]))).decode(), "no text"),
        (base64.b64encode(zlib.compress(b"\x80\x04\x8c\x99short")).decode(), "cannot be read"),
        (packed([])[:-8], "cannot be read"),
        ("AAAA", "not compressed"),
        ("no base64!", "base64"),
        (packed({"input": "1"}), "no tests"),
        (packed([{"input": 1, "output": "2"}]), "no tests"),
        (packed(["x", None]), "no tests"),
        ("[" * 100 + "]" * 100, "nested"),
    ],
)
def test_hostile_tests_of_a_program(
    tmp_path: Path, private: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvaluationError, match="row 1 has private_test_cases") as refused:
        read("livecodebench", lines(tmp_path / "l.jsonl", contest(private_test_cases=private)))
    assert words in str(refused.value)
    assert not (tmp_path / "harm").exists()


def test_ifeval(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "if.jsonl",
        {
            "key": 1000,
            "prompt": "Say little.",
            "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
            "kwargs": [{"num_words": None}, {"relation": "at most", "num_words": 9}],
        },
    )
    (question,) = read("ifeval", path)
    assert (question.key, question.text) == ("ifeval:1000", "Say little.")
    assert question.expected["instructions"] == [
        {"id": "punctuation:no_comma", "kwargs": {}},
        {
            "id": "length_constraints:number_words",
            "kwargs": {"relation": "at most", "num_words": 9},
        },
    ]


def bfcl(name: str, **changes: object) -> dict[str, object]:
    schema = {
        "type": "dict",
        "properties": {
            "type": {"type": "any"},
            "sides": {"type": "tuple", "items": {"type": "float"}},
        },
        "required": ["sides"],
    }
    row: dict[str, object] = {
        "id": name,
        "question": [
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
        ],
        "function": [{"name": "shape.area", "description": "Area.", "parameters": schema}],
    }
    return row | changes


def test_bfcl(tmp_path: Path) -> None:
    truth = [{"shape.area": {"sides": [[1.0, 2.0]]}}]
    path = lines(tmp_path / "q.json", bfcl("parallel_multiple_3"), bfcl("live_simple_1-0-0"))
    lines(
        tmp_path / "possible_answer" / "q.json",
        *({"id": n, "ground_truth": truth} for n in ("parallel_multiple_3", "live_simple_1-0-0")),
    )
    first, second = read("bfcl", path)
    assert (first.skill, first.system, first.text) == ("bfcl parallel_multiple", "Be brief.", "?")
    assert first.expected == {"calls": truth, "parallel": True}
    assert (second.skill, second.expected["parallel"]) == ("bfcl live_simple", False)
    assert first.functions[0]["parameters"] == {
        "type": "object",
        "properties": {"type": {}, "sides": {"type": "array", "items": {"type": "number"}}},
        "required": ["sides"],
    }
    (none,) = read("bfcl", lines(tmp_path / "i.json", bfcl("irrelevance_7")))
    assert none.expected == {"calls": [], "parallel": False}


def test_a_limit_draws_by_the_seed_and_skill(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "m.jsonl",
        *({"problem": f"p{n}", "answer": "1", "level": n % 2} for n in range(40)),
    )
    drawn = read("math500", path, limit=5, seed=1)
    assert sorted(q.skill for q in drawn) == ["math500 level 0"] * 5 + ["math500 level 1"] * 5
    assert [q.key for q in drawn] == [q.key for q in read("math500", path) if q in drawn]
    assert drawn == read("math500", path, limit=5, seed=1)
    assert drawn != read("math500", path, limit=5, seed=2)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("gsm8k", b'{"question": "?"}\n', "row 1 has no text answer"),
        ("gsm8k", b'{"question": "?", "answer": "#### many"}\n', "without a number"),
        ("gsm8k", b'{"question": "?", "answer": "#### 1"}\n[]\n', "row 2 is no object"),
        ("gsm8k", b"{]\n", "line 1 is no JSON"),
        ("gsm8k", b"[{]", "is no JSON"),
        ("gsm8k", b"", "has no questions"),
        ("gsm8k", b"PAR1\x00\x00", "Parquet"),
        ("aime", b'{"problem": "?", "answer": "1/2"}\n', "no whole number"),
        ("aime", b'{"problem": 5e5, "answer": true}\n', "no text answer"),
        ("aime", b'{"id": 1, "problem": "?", "answer": 1}\n' * 2, "two questions of one name"),
        ("ifeval", b'{"prompt": "?", "instruction_id_list": ["a"], "kwargs": []}\n', "one kwargs"),
        ("bfcl", b'{"id": "multi_turn_base_0"}\n', "not read"),
        ("bfcl", b'{"id": "simple_0"}\n', "no answers beside it"),
        ("bfcl", b'{"id": "irrelevance_0", "question": [[], []]}\n', "not one turn"),
        ("livecodebench", b'{"question_content": "?"}\n', "has no tests"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, kind: str, content: bytes, words: str) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=words):
        read(kind, path)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    for name, words in (
        (f"gsm8k:{tmp_path}", "folder"),
        (f"gsm8k:{tmp_path}/none", "cannot be read"),
        (f"gsm8k@2024-08..2025-02:{tmp_path}/none", "has dates"),
        (f"poetry:{tmp_path}/none", "no such suite"),
    ):
        with pytest.raises(EvaluationError, match=words):
            load_suite(name)
    path = lines(tmp_path / "l.jsonl", contest())
    with pytest.raises(EvaluationError, match="no window"):
        load_suite(f"livecodebench@2024:{path}")
    table = tmp_path / "g.csv"
    table.write_bytes(b'Question,"\xff')
    with pytest.raises(EvaluationError, match="no table"):
        read("gpqa", table)
