"""Chat templates to test with, and Jinja as Transformers sets it up to compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Template, nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = [
    "CHATML",
    "CLOSES",
    "DEFAULT_SYSTEM",
    "IF_ASKED",
    "JOINED_ROLES",
    "MISREAD",
    "OPENS",
    "QWEN_TOKENS",
    "QWQ",
    "R1_STYLE",
    "SEEN",
    "STRIPS",
    "UNLESS_TOLD",
    "as_transformers",
    "beginning",
]

# The control and user-defined tokens of QwQ-32B's vocabulary.
QWEN_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)

# QwQ's chat format: tools in the system turn, thoughts stripped from earlier turns, tool
# results in user turns, a generation prompt that opens the thought.
QWQ = """\
{%- set calling = 'For each call, return its name and arguments as JSON within <tool_call>\
</tool_call> tags:\\n<tool_call>\\n{"name": NAME, "arguments": ARGUMENTS}\\n</tool_call>' %}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] + '\\n\\n' }}
    {%- endif %}
    {{- '# Tools\\n\\n<tools>' }}
    {%- for tool in tools %}
        {{- '\\n' }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '\\n</tools>\\n\\n' + calling + '<|im_end|>\\n' }}
{%- elif messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' and not message.tool_calls %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != 'tool') %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != 'tool') %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n<think>\\n' }}
{%- endif %}
"""

CHATML = """\
{% for message in messages %}
{{ '<|im_start|>' ~ message['role'] }}
{{ message['content'] | trim }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""

_EMPTY = "{{ '<think>\\n\\n</think>\\n\\n' }}"


def beginning(reply: str) -> str:
    """ChatML that takes thoughts out of earlier turns, and whose reply begins like this."""
    return (
        "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n'"
        " + m.content.split('</think>')[-1].lstrip('\\n') + '<|im_end|>\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}" + reply + "{%- endif %}"
    )


STRIPS = beginning("")  # of a plain model, or one that opens its thoughts by itself
OPENS = beginning("{{ '<think>\\n' }}")
CLOSES = beginning(_EMPTY)
# As Qwen3's: thinks, unless it is told not to.
UNLESS_TOLD = beginning(
    "{%- if enable_thinking is defined and enable_thinking is false %}" + _EMPTY + "{%- endif %}"
)
# As a hybrid's that thinks only when it is asked to.
IF_ASKED = beginning(
    "{%- if enable_thinking %}{{ '<think>\\n' }}{%- else %}" + _EMPTY + "{%- endif %}"
)

_SPLIT = "m.content.split('</think>')"
_FIELD = (
    "{%- if m.reasoning_content %}{{ '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}"
    "{%- endif %}"
)
# Thinking models' templates that llama.cpp takes for plain ones', and some that it sees.
MISREAD = {
    "in brackets": OPENS.replace(_SPLIT, "(m.content or '').split('</think>')"),
    "other quotes": OPENS.replace(_SPLIT, 'm.content.split("</think>")'),
    "a filter": OPENS.replace(_SPLIT + "[-1]", "(m.content | replace('</think>', '\\n'))"),
    "another field": OPENS.replace(
        _SPLIT, "(m.content or m.reasoning_content or '').split('</think>')"
    ),
    "if asked": IF_ASKED.replace(_SPLIT, "(m.content or '').split('</think>')"),
}
_ADDS = beginning("{{ '<think>\\n' if enable_thinking is not false }}")
_OTHERWISE = beginning("{{ '</think>' if enable_thinking is false else '<think>' }}")
MISREAD |= {
    "a switch that adds": _ADDS.replace(_SPLIT, "(m.content or '').split('</think>')"),
    "a switch of two tags": _OTHERWISE.replace(_SPLIT, "(m.content or '').split('</think>')"),
}
SEEN = {
    "its words": OPENS,
    "its words and a switch that adds": _ADDS,
    "its words and a switch of two tags": _OTHERWISE,
    "the field": OPENS.replace(_SPLIT, "(m.content or '').split('</think>')").replace(
        "{{ '<|im_start|>' + m.role + '\\n'",
        "{{ '<|im_start|>' + m.role + '\\n' }}" + _FIELD + "{{ ''",
    ),
}

# As SmolLM2's: a system turn that nobody asked for.
DEFAULT_SYSTEM = (
    "{%- if messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\\nYou are Q, {{ made }} here.<|im_end|>\\n' }}{%- endif %}"
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"
)

# Roles inside the control tokens, written in pieces.
JOINED_ROLES = """\
{%- for m in messages -%}
{{ '<|' + m.role + '|>' }}{{ m.content }}{{ '<|end' ~ '|>' }}
{%- endfor -%}
"""

# No newline around user text, namespaces, a macro, and bos_token.
R1_STYLE = """\
{%- macro turn(tag, text) %}{{ '<|' + tag + '|>' }}{{ text }}{% endmacro -%}
{%- set ns = namespace(system='', first=true) %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = ns.system + message.content %}
        {%- continue %}
    {%- endif %}
    {%- if ns.first %}{{ bos_token }}{{ ns.system }}{% set ns.first = false %}{% endif %}
    {%- if message.role == 'user' %}
        {{- turn('User', message.content) -}}
    {%- else %}
        {{- turn('Assistant', message.content.split('</think>') | last) + eos_token -}}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}
"""


class _Generation(Extension):
    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def as_transformers(
    source: str,
    messages: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]] = (),
    *,
    add_generation_prompt: bool = True,
    now: datetime | None = None,
    **variables: Any,
) -> str:
    """Render with a plain Jinja set up as Transformers documents its own to be."""
    template = _compiled(source)
    return template.render(
        messages=list(messages),
        tools=list(tools) or None,
        add_generation_prompt=add_generation_prompt,
        strftime_now=(now or datetime.now()).strftime,
        **variables,
    )


@cache
def _compiled(source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension, _Generation]
    )

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    environment.filters["tojson"] = tojson
    return environment.from_string(source)
