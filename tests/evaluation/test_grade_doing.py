"""The graders `code`, `ifeval`, `bfcl` and `called`."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.errors import EvaluationError, ToolError
from qwq_gguf.evaluation.grading import code, grade, ungradable
from qwq_gguf.evaluation.grading.ifeval import INSTRUCTIONS
from qwq_gguf.evaluation.questions import Grade, Question

confined = pytest.mark.skipif(platform.system() != "Linux", reason="no fences there")


def graded(grader: str, answer: str, expected: Any, calls: tuple[ToolCall, ...] = ()) -> Grade:
    question = Question(key="k", skill="s", text="?", grader=grader, expected=expected)
    return grade(question, answer, calls)


def fenced(program: str) -> str:
    return f"Here it is:\n\n```python\n{program}\n```\n"


ADD = fenced("def add(a, b):\n    return a + b")


@confined
def test_code_is_run_against_tests_of_each_kind() -> None:
    sums = {"entry": "add", "tests": [{"input": "1\n2", "output": "3"}]}
    assert graded("code", ADD, sums).right
    assert graded("code", ADD, {"asserts": ["assert add(1, 2) == 3"]}).right
    wrong = graded("code", ADD, {"asserts": ["assert add(1, 2) == 3", "assert add(1, 2) == 4"]})
    assert wrong.why == "test 2: AssertionError: "
    wrong = graded("code", ADD, {"entry": "add", "tests": [{"input": "1\n2", "output": "4"}]})
    assert wrong.why == "test 1: returned 3"
    assert graded("code", ADD, sums | {"entry": "sub"}).why == "test 1: there is no sub"
    program = fenced("a, b = map(int, input().split())\nprint(a + b)")
    tests = [{"input": "3 4\n", "output": "7"}, {"input": "-5 2\n", "output": "-3\n"}]
    assert graded("code", program, {"tests": tests}).right
    wrong = graded("code", program, {"tests": [*tests, {"input": "1 1\n", "output": "3"}]})
    assert wrong.why == r"test 3: printed '2\n'"


@confined
def test_code_in_the_ways_that_models_write_it() -> None:
    solution = fenced("class Solution:\n    def f(self, x):\n        return (x, 2 * x)")
    assert graded(
        "code", solution, {"entry": "f", "tests": [{"input": "3", "output": "[3, 6]"}]}
    ).right
    main = fenced("import sys\nif __name__ == '__main__':\n    print(sys.stdin.read().upper())")
    assert graded("code", main, {"tests": [{"input": "ab\n", "output": "AB"}]}).right
    direct = fenced("print(len(open(0).read().split()))\nexit()")
    assert graded("code", direct, {"tests": [{"input": "a b\n", "output": "2"}]}).right


@confined
@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("while True: pass", "it took too long"),
        ("print('x' * 100)\nimport os\nos._exit(0)", "it ended early"),
        ("import os\nos.fork()", "PermissionError"),
        ("open('/tmp/qwq-gguf-graded', 'w').write('x')", "Error"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 1))", "Error"),
        ("x = 'a' * 10**11", "MemoryError"),
        ("def f(:", "SyntaxError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys\nsys.exit(3)", "SystemExit"),
    ],
)
def test_code_that_means_harm_is_wrong_and_does_none(program: str, why: str) -> None:
    expected = {"tests": [{"input": "", "output": ""}], "seconds": 1}
    wrong = graded("code", fenced(program), expected)
    assert not wrong.right
    assert why in (wrong.why or "")
    assert not Path("/tmp/qwq-gguf-graded").exists()


def test_which_block_is_the_code() -> None:
    two = (
        "```python\na = 1\n```\nBetter:\n```python\na = 2\n```\nRun it:\n```bash\npython a.py\n```"
    )
    assert code.code_in(two) == "a = 2\n"
    assert code.code_in("```\nx = 1\n") == "x = 1\n"
    assert code.code_in("def f():\n    return 1") == "def f():\n    return 1"
    assert code.code_in("I would rather not.") is None
    assert graded("code", "No.", {"tests": []}).why == "there is no code"


def test_where_nothing_can_be_confined_no_code_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ToolError("programs of a model cannot be confined here", found="no Landlock")

    monkeypatch.setattr(code, "run_confined", refuse)
    code.why_not_run.cache_clear()
    question = Question(key="k", skill="s", text="?", grader="code", expected={"tests": []})
    try:
        assert ungradable(question) == "programs cannot be confined: no Landlock"
        with pytest.raises(EvaluationError, match="cannot be graded here"):
            grade(question, ADD)
    finally:
        code.why_not_run.cache_clear()


@pytest.mark.parametrize(
    ("name", "kwargs", "follows", "breaks"),
    [
        ("keywords:existence", {"keywords": ["sea", "salt"]}, "Sea and salt", "Sea"),
        (
            "keywords:frequency", {"keyword": "a", "frequency": 2, "relation": "at least"},
            "a a", "a",
        ),
        ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "category", "a Cat."),
        (
            "keywords:letter_frequency",
            {"letter": "Q", "let_frequency": 1, "let_relation": "less than"}, "no", "quo",
        ),
        ("language:response_language", {"language": "ru"}, "Привет, мир", "Hello"),
        ("language:response_language", {"language": "ja"}, "これは本です", "这是书"),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 3, "relation": "less than"},
            "Dr. Who has 3.5 apples. He eats.", "One. Two! Three?",
        ),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
        (
            "length_constraints:number_words", {"num_words": 3, "relation": "at least"},
            "it's not-so bad", "two words",
        ),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "but"},
            "Yes.\n\nBut no.", "Yes.\n\nNo.",
        ),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a]"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Hi\nP.S. Bye", "Hi"),
        ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "a\nP.P.S b", "P.S. b"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a"),
        ("detectable_format:constrained_response", {}, "My answer is maybe.", "Maybe."),
        (
            "detectable_format:number_highlighted_sections", {"num_highlights": 2},
            "*a* and **b**", "*a* * b",
        ),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "SECTION", "num_sections": 2},
            "SECTION 1\na\nSECTION 2\nb", "SECTION 1",
        ),
        ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "a: 1"),
        ("detectable_format:title", {}, "<<Sea>>\nIt is wet.", "Sea"),
        ("combination:two_responses", {}, "a\n******\nb", "a\n******\na"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Do it."}, "Do it.\nDone.", "Done."),
        ("startend:end_checker", {"end_phrase": "Bye."}, 'Well. "Bye."', "Bye. Well."),
        ("startend:quotation", {}, '"a"', '"a" b'),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 2, "capital_relation": "at least"}, "BIG BAD wolf", "BIG wolf",
        ),
        ("change_case:english_capital", {}, "HELLO 2!", "Hello"),
        ("change_case:english_lowercase", {}, "hello 2!", "Hello"),
        ("punctuation:no_comma", {}, "a b", "a, b"),
    ],
)  # fmt: skip
def test_each_instruction(name: str, kwargs: dict[str, Any], follows: str, breaks: str) -> None:
    expected = {"instructions": [{"id": name, "kwargs": kwargs | {"unused": None}}]}
    assert graded("ifeval", follows, expected).right
    assert graded("ifeval", breaks, expected).why == f"not followed: {name}"
    assert not graded("ifeval", "", expected).right


def test_all_25_instructions_and_no_others() -> None:
    assert len(INSTRUCTIONS) == 25
    with pytest.raises(EvaluationError, match="no such instruction"):
        graded("ifeval", "x", {"instructions": [{"id": "taste:good"}]})


def test_loosely_a_line_around_the_answer_does_no_harm() -> None:
    instructions = [{"id": "startend:quotation", "kwargs": {}}]
    answer = 'Sure, here it is:\n"Rome"'
    assert not graded("ifeval", answer, {"instructions": instructions}).right
    assert graded("ifeval", answer, {"instructions": instructions, "loose": True}).right


def test_a_language_that_no_script_tells_is_said() -> None:
    def question(language: str) -> Question:
        asked = {"id": "language:response_language", "kwargs": {"language": language}}
        expected = {"instructions": [asked]}
        return Question(key="k", skill="s", text="?", grader="ifeval", expected=expected)

    assert ungradable(question("hi")) is None
    assert ungradable(question("de")) == "language de is not told from others in the same script"


AREA = [{"area": {"base": [10], "height": [5], "unit": ["cm", ""]}}]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"base": 10, "height": 5}, None),
        ({"base": 10, "height": 5, "unit": "CM"}, None),
        ({"base": 10}, "area was not given height"),
        ({"base": 10, "height": 6}, "height is 6"),
        ({"base": "10", "height": 5}, "base is 10"),
        ({"base": True, "height": 5}, "base is True"),
        ({"base": 10, "height": 5, "colour": "red"}, "area was given colour"),
    ],
)
def test_a_call_by_the_leaderboards_rules(arguments: dict[str, Any], why: str | None) -> None:
    assert graded("bfcl", "", {"calls": AREA}, (ToolCall("area", arguments),)).why == why


def test_values_of_calls() -> None:
    def same(given: object, *possible: object) -> bool:
        calls = (ToolCall("f", {"x": given}),)
        return graded("bfcl", "", {"calls": [{"f": {"x": list(possible)}}]}, calls).right

    assert same("New York, NY", "new york ny")
    assert same(5, 5.0)
    assert not same(5.5, 5)
    assert same(["a", "B"], ["A", "b"])
    assert not same(["a"], ["a", "b"])
    assert same({"lat": 1, "name": "Oslo"}, {"lat": [1], "name": ["oslo"], "more": ["", 2]})
    assert not same({"lat": 2}, {"lat": [1]})


def test_several_calls_in_any_order_and_none() -> None:
    wanted = {"calls": [{"f": {"x": [1]}}, {"f": {"x": [2]}}], "parallel": True}
    one, two = ToolCall("f", {"x": 1}), ToolCall("f", {"x": 2})
    assert graded("bfcl", "", wanted, (two, one)).right
    assert not graded("bfcl", "", wanted, (one, one)).right
    assert graded("bfcl", "", wanted, (one,)).why == "1 calls, not 2"
    assert graded("bfcl", "No function fits.", {"calls": []}).right
    assert not graded("bfcl", "", {"calls": []}, (one,)).right


def test_tools_that_were_to_be_called() -> None:
    then = {"grader": "number", "expected": {"value": "6"}}
    expected = {"calls": [{"name": "calculator", "times": 2}], "then": then}
    call = ToolCall("calculator", {"expression": "2*3"})
    assert graded("called", "It is 6.", expected, (call, call)).right
    assert graded("called", "It is 6.", expected, (call,)).why == "calculator was called 1 times"
    assert not graded("called", "It is 7.", expected, (call, call)).right
