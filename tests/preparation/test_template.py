"""What is found out about chat templates by asking them."""

from __future__ import annotations

import pytest

from qwq_gguf.preparation import check_template
from qwq_gguf.thinking import read_form
from support.chat_templates import CHATML, QWQ, R1_STYLE, UNLESS_TOLD

NAMES = {"bos_token": "<|begin|>", "eos_token": "<|end|>"}


def test_qwqs_template_does_everything() -> None:
    check = check_template(QWQ)
    assert check.broken is None
    assert check.form == read_form(QWQ)
    assert check.tools is True
    assert check.lines() == check.lines(reasoner=True) == ()


def test_plain_chatml_does_nothing() -> None:
    check = check_template(CHATML)
    assert check.tools is None
    assert check.lines() == ("the chat template takes no notice of tools",)


def test_what_a_reasoners_template_leaves_out() -> None:
    lines = check_template(CHATML).lines(reasoner=True)
    assert "does not open the thought" in lines[0]
    keeps = CHATML.replace("<|im_start|>assistant", "<|im_start|>assistant<think>")
    assert "sends the thoughts of earlier turns again" in check_template(keeps).lines()[0]
    # A thought that the model opens itself, unless it is told not to, is meant so.
    assert check_template(UNLESS_TOLD).lines(reasoner=True) == check_template(CHATML).lines()


def test_a_template_without_tools() -> None:
    check = check_template(R1_STYLE, NAMES)
    assert check.form == read_form(R1_STYLE, NAMES)
    assert check.tools is None


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
    check = check_template(QWQ.replace(before, after))
    assert check.tools is False
    assert [line for line in check.lines() if "loses tool calls" in line]


def test_other_tags() -> None:
    template = QWQ.replace("<think>", "[THINK]").replace("</think>", "[/THINK]")
    assert check_template(template).lines(reasoner=True) == ()


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
    check = check_template(template)
    assert check.broken is not None
    assert word in check.broken
    assert len(check.lines()) == 1
