"""Damaged chat templates: rendered, asked what they are, prepared for a GGUF and exported."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.exporters.facts import gguf_facts
from qwq_gguf.metadata import ValueType, array, text, u32
from qwq_gguf.preparation import prepare
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless
from support.chat_templates import CHATML, JOINED_ROLES, QWEN_TOKENS, QWQ, R1_STYLE
from support.shapes import LITTLE_QWEN, conversion

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
_NAMES = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
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
    raw = damaged_text(rng.choice(_WHOLE), rng, _PIECES).encode("utf-8", "surrogatepass")
    source = raw.decode("utf-8", "surrogateescape")  # as a GGUF's texts are read
    with one_budget():  # as one command asks all of it
        compiled = ChatTemplate(source)
        entries = (*_model().metadata, text("tokenizer.chat_template", source))
        gguf_facts({entry.key: entry for entry in entries}, file="./x.gguf")
        prepare(replace(_model(), metadata=entries))
        compiled.render(
            _TALK[: rng.randrange(1, 6)], [_TOOL], control_tokens=QWEN_TOKENS, special_tokens=_NAMES
        )


@cache
def _model() -> Conversion:
    tokens = array("tokenizer.ggml.tokens", ValueType.STRING, QWEN_TOKENS)
    kinds = array("tokenizer.ggml.token_type", ValueType.INT32, [3] * len(QWEN_TOKENS))
    made = conversion(LITTLE_QWEN, Path("x.safetensors"))
    named = tuple(entry for entry in made.metadata if entry.key != "general.name")
    more = (text("general.name", "QwQ 32B"), tokens, kinds, u32("tokenizer.ggml.eos_token_id", 0))
    return replace(made, metadata=(*named, *more))
