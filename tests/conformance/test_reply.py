"""What is concluded from a reply: the thought apart or not, bound or not, a call found or not."""

from __future__ import annotations

from typing import Any

import pytest

from qwq_gguf.conformance import Verdict
from qwq_gguf.conformance.reply import Said, judge_budget, judge_call, judge_thought, read_said
from qwq_gguf.thinking import read_form
from support.chat_templates import IF_ASKED, QWQ, UNLESS_TOLD

SAME, DIFFERS, UNTOLD = Verdict.SAME, Verdict.DIFFERS, Verdict.UNTOLD


@pytest.mark.parametrize(
    "said, template, verdict",
    [
        (Said("hm", "301"), QWQ, SAME),
        (Said("hm", "", cut=True), QWQ, SAME),
        (Said("", "hm\n</think>\n\n301"), QWQ, DIFFERS),
        (Said("", "<think>\nhm", cut=True), UNLESS_TOLD, DIFFERS),
        # The prompt opened a thought: what was cut off before any tag is a part of it.
        (Said("", "hm, seven times", cut=True), QWQ, DIFFERS),
        (Said("", "hm, seven times", cut=True), IF_ASKED, DIFFERS),
        # The model may have answered without a thought, or the server left an empty one out.
        (Said("", "301", cut=True), UNLESS_TOLD, UNTOLD),
        (Said("", "301"), QWQ, UNTOLD),
        (Said(), QWQ, UNTOLD),
        (Said("\n ", "301"), QWQ, UNTOLD),
    ],
)
def test_the_thought(said: Said, template: str, verdict: Verdict) -> None:
    assert judge_thought(said, read_form(template)).verdict is verdict


@pytest.mark.parametrize(
    "said, tokens, verdict",
    [
        (Said("hm", "301"), 2, UNTOLD),  # it had ended by itself
        (Said("hm", "301"), 16, SAME),
        (Said("hm", "301"), 20, SAME),
        (Said("hm", "301"), 21, DIFFERS),
        (Said("hm", "301"), None, UNTOLD),
        (Said("", "hm</think>301"), None, DIFFERS),
        (Said(), 5, UNTOLD),
    ],
)
def test_the_budget(said: Said, tokens: int | None, verdict: Verdict) -> None:
    assert judge_budget(judge_thought(said, read_form(QWQ)), tokens).verdict is verdict


@pytest.mark.parametrize(
    "said, verdict",
    [
        (Said("hm", "", ("calculator",)), SAME),
        (Said("hm", "", ("calculator", "calculator")), SAME),
        (Said("hm", "", ("other",)), UNTOLD),
        (Said("hm", '<tool_call>\n{"name": "calculator"}'), DIFFERS),
        (Said('hm <tool_call>\n{"name": "calculator"}', ""), DIFFERS),
        (Said("hm", "122112726"), UNTOLD),
    ],
)
def test_the_call(said: Said, verdict: Verdict) -> None:
    assert judge_call(said).verdict is verdict


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [7]},
        {"choices": [{"message": []}]},
        {"choices": [{"message": {"content": 7, "reasoning_content": [], "tool_calls": {}}}]},
        {"choices": [{"message": {"tool_calls": [None, {"function": 7}, {"function": {}}]}}]},
    ],
)
def test_an_answer_that_is_none_says_nothing(answer: dict[str, Any] | None) -> None:
    said = read_said(answer)
    assert (said.thought, said.answer) == ("", "")
    assert judge_thought(said, read_form(QWQ)).verdict is UNTOLD
    assert judge_call(said).verdict is UNTOLD


def test_each_servers_name_for_a_thought_is_known() -> None:
    for name in ("reasoning_content", "reasoning"):
        message = {name: "hm", "content": "301", "tool_calls": [{"function": {"name": "x"}}]}
        answer = {"choices": [{"message": message, "finish_reason": "length"}]}
        assert read_said(answer) == Said("hm", "301", ("x",), cut=True)
