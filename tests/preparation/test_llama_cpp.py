"""Templates of thinking models that llama.cpp takes for plain ones, and a note to it."""

from __future__ import annotations

import pytest

from qwq_gguf.metadata import KeyValue, ValueType, array, text, u32
from qwq_gguf.preparation.llama_cpp import is_misread, remedy, tell_llama_cpp
from qwq_gguf.preparation.renderings import renderings
from support.chat_templates import (
    CHATML,
    CLOSES,
    IF_ASKED,
    MISREAD,
    QWQ,
    R1_STYLE,
    SEEN,
    STRIPS,
    UNLESS_TOLD,
)


def metadata(template: str) -> dict[str, KeyValue]:
    entries = (
        array("tokenizer.ggml.tokens", ValueType.STRING, ["a", "<think>", "</think>"]),
        u32("tokenizer.ggml.bos_token_id", 0),
        text("tokenizer.chat_template", template),
    )
    return {entry.key: entry for entry in entries}


@pytest.mark.parametrize(
    "template", [*SEEN.values(), QWQ, R1_STYLE, CHATML, STRIPS, CLOSES, IF_ASKED, UNLESS_TOLD]
)
def test_what_is_seen_or_does_not_think_is_left_alone(template: str) -> None:
    assert not is_misread(template)
    assert tell_llama_cpp(metadata(template)) is None


@pytest.mark.parametrize("name", MISREAD)
def test_what_is_misread_gets_a_note_that_prints_nothing(name: str) -> None:
    template = MISREAD[name]
    assert is_misread(template)
    repair = tell_llama_cpp(metadata(template))
    if name == "another field":
        # The words are not looked for where the source speaks of reasoning_content.
        assert repair is None
        assert "another goes in" in remedy(template)
        return
    assert repair is not None
    (entry,) = repair.entries
    changed = str(entry.value)
    assert changed.endswith(template)
    assert not is_misread(changed)
    for variables in ({}, {"enable_thinking": True}, {"enable_thinking": False}):
        before = renderings(template, {"bos_token": "a"}, variables)
        assert before == renderings(changed, {"bos_token": "a"}, variables)
        assert any(prompt for _, prompt in before)
    assert "content.split('</think>')" in remedy(template)


def test_a_template_whose_first_line_feed_counts_keeps_it() -> None:
    template = "\n.{%- set a = 1 %}" + MISREAD["in brackets"]
    repair = tell_llama_cpp(metadata(template))
    assert repair is not None
    changed = str(repair.entries[0].value)
    assert renderings(template, {}) == renderings(changed, {})
    assert str(renderings(template, {})[0][0]).startswith("\n.")


def test_no_template_is_nothing_to_tell() -> None:
    assert tell_llama_cpp({}) is None
    assert tell_llama_cpp(metadata("{% for")) is None
    assert not is_misread("{% for")
