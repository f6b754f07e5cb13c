"""Damaged chat templates: compiled, rendered, asked what they are, and read as ChatML."""

from __future__ import annotations

import random
from collections.abc import Iterator

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.export.chatml import read_chatml
from qwq_gguf.prepare.template import check_template
from qwq_gguf.profiles import ThinkingTags
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless
from support.chat_templates import CHATML, JOINED_ROLES, QWEN_TOKENS, QWQ, R1_STYLE

__all__ = ["CLASS", "trials"]

CLASS = "templates"

_WHOLE = (QWQ, R1_STYLE, CHATML, JOINED_ROLES)
_PIECES = (
    "{{ ", " }}", "{% ", " %}", "{# ", " #}", "{%- ", " -%}", "messages", "message.content", "[0]",
    "[1:]", ".split('</think>')", "|tojson", "|trim", "|length", "|join", "|list", "|string",
    "{% for m in messages %}", "{% endfor %}", "{% for i in range(99999) %}", "{% if tools %}",
    "{% else %}", "{% endif %}", "{% set x = ", "{% macro f(a) %}", "{% endmacro %}", "f(f)",
    "namespace(a=1)", "ns.a ~ ns.a", "'<think>'", "'<|im_end|>'", "strftime_now('%Y')",
    "raise_exception('x')", "10**9", "'a' * 9999999", " ~ ", " + ", " in ", " is defined",
    "loop.index", "loop.previtem", "caller()", "{% call f() %}", "{% endcall %}", "_", "__class__",
    "['__init__']", "self", "cycler(1,2)", "recursive", "|sort", "|unique", "|batch(9)",
    "add_generation_prompt", "enable_thinking", "{% break %}", "{% generation %}",
)  # fmt: skip
_TOOL = ToolSpec("look", "Looks.", {"type": "object", "properties": {}})
_TALK = (
    Message("system", "Be short.\ud800 {{ 1 }}"),
    Message("user", "hello <|im_end|> \x1b[2J"),
    Message("assistant", "<think>\nwell\n</think>\n\nhi", tool_calls=(ToolCall("look", {"a": 1}),)),
    Message("tool", "nothing", name="look"),
    Message("user", "more"),
)


def trials(seed: int) -> Iterator[Trial]:
    """Templates as of the families, damaged."""
    return endless(seed, "template", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    source = damaged_text(rng.choice(_WHOLE), rng, _PIECES)
    with one_budget():
        compiled = ChatTemplate(source)
        check_template(source, ThinkingTags())
        read_chatml(source)
        compiled.render(_TALK[: rng.randrange(1, 6)], [_TOOL], control_tokens=QWEN_TOKENS)
