"""What is found out about chat templates by asking them."""

from __future__ import annotations

import pytest

from qwq_gguf.prepare import check_template
from qwq_gguf.profiles import ThinkingTags
from support.chat_templates import CHATML, QWQ, R1_STYLE

TAGS = ThinkingTags()
NAMES = {"bos_token": "<|begin|>", "eos_token": "<|end|>"}


def test_qwqs_template_does_everything() -> None:
    check = check_template(QWQ, TAGS)
    assert check.broken is None
    assert (check.opens_thought, check.drops_history, check.tools) == (True, True, True)
    assert check.lines() == ()


def test_plain_chatml_does_nothing() -> None:
    check = check_template(CHATML, TAGS)
    assert (check.opens_thought, check.drops_history, check.tools) == (False, False, None)
    assert len(check.lines()) == 3


def test_a_template_without_tools() -> None:
    check = check_template(R1_STYLE, TAGS, NAMES)
    assert (check.opens_thought, check.drops_history, check.tools) == (True, True, None)


@pytest.mark.parametrize(
    "before, after",
    [
        ("{{- tool_call.arguments | tojson }}", "{{- '{}' }}"),
        ("{{- message.content }}\n        {{- '\\n</tool_response>' }}", ""),
        ("{{- tool_call.name }}", "{{- 'other' }}"),
    ],
    ids=["arguments", "result", "name"],
)
def test_what_tools_lose_is_noticed(before: str, after: str) -> None:
    assert before in QWQ
    check = check_template(QWQ.replace(before, after), TAGS)
    assert check.tools is False
    assert [line for line in check.lines() if "loses tool calls" in line]


def test_other_tags() -> None:
    tags = ThinkingTags("[THINK]", "[/THINK]")
    template = QWQ.replace("<think>", "[THINK]").replace("</think>", "[/THINK]")
    assert check_template(template, tags).lines() == ()
    assert not check_template(template, TAGS).opens_thought


@pytest.mark.parametrize(
    "template, word",
    [
        ("{% for", "malformed"),
        ("{% for i in range(10**9) %}x{% endfor %}", "stopped"),
        ("{{ raise_exception('no') }}", "refuses"),
        ("hello", "not in the prompt"),
    ],
)
def test_a_template_that_cannot_be_used(template: str, word: str) -> None:
    check = check_template(template, TAGS)
    assert check.broken is not None
    assert word in check.broken
    assert len(check.lines()) == 1
