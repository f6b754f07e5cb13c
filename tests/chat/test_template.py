"""Templates mean what they mean in Transformers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.errors import TemplateError
from support.chat_templates import CHATML, QWEN_TOKENS, QWQ, R1_STYLE, as_transformers

TOOL = ToolSpec(
    "calculator",
    "Evaluate <b>arithmetic</b> & more.",
    {"type": "object", "properties": {"expression": {"type": "string"}}},
)
CHAT = (
    Message("system", "Be brief."),
    Message("user", "What is 7*43?"),
    Message(
        "assistant", "<think>\nHm.\n</think>\n\nLet me see.", (ToolCall("calculator", {"é": 1}),)
    ),
    Message("tool", "301"),
    Message("tool", "302"),
    Message("assistant", "Hm.\n</think>\n\n301"),
    Message("user", "Thanks."),
)
NOW = datetime(2025, 3, 6, 12, 30)


def render(source: str, messages: tuple[Message, ...] = CHAT, **options: Any) -> str:
    return ChatTemplate(source).render(messages, now=NOW, **options).text


def expected(source: str, messages: tuple[Message, ...] = CHAT, **options: Any) -> str:
    options["tools"] = [tool.to_json() for tool in options.pop("tools", ())]
    options |= options.pop("variables", {})
    return as_transformers(source, [m.to_json() for m in messages], now=NOW, **options)


@pytest.mark.parametrize("tools", [(), (TOOL,), (TOOL, TOOL)])
@pytest.mark.parametrize("prompt", [True, False])
def test_a_qwq_chat(tools: tuple[ToolSpec, ...], prompt: bool) -> None:
    options: dict[str, Any] = {"tools": tools, "add_generation_prompt": prompt}
    assert render(QWQ, **options) == expected(QWQ, **options)


def test_a_qwq_prompt_in_full() -> None:
    assert render(QWQ) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 7*43?<|im_end|>\n"
        "<|im_start|>assistant\nLet me see.\n"
        '<tool_call>\n{"name": "calculator", "arguments": {"é": 1}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\n301\n</tool_response>"
        "\n<tool_response>\n302\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n301<|im_end|>\n"
        "<|im_start|>user\nThanks.<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n"
    )


PIECES = st.sampled_from(
    [
        *QWEN_TOKENS,
        "<|im_",
        "end|>",
        "</thi",
        "nk>",
        "\n",
        " ",
        "a",
        "é",
        "{{",
        "'",
        '"',
        "\\",
        "😀",
    ]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant", "tool"]),
        TEXTS,
        st.lists(
            st.builds(ToolCall, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2)), max_size=2
        ).map(tuple),
    ),
    min_size=1,
    max_size=5,
).map(tuple)


COMPILED = {source: ChatTemplate(source) for source in (QWQ, CHATML, R1_STYLE)}


@settings(max_examples=60)
@given(MESSAGES, st.booleans())
@pytest.mark.parametrize("source", COMPILED)
def test_any_chat(source: str, messages: tuple[Message, ...], prompt: bool) -> None:
    special: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
    rendered = COMPILED[source].render(
        messages,
        add_generation_prompt=prompt,
        special_tokens=special,
        control_tokens=(*QWEN_TOKENS, *special.values()),
    )
    plain = as_transformers(
        source, [m.to_json() for m in messages], add_generation_prompt=prompt, **special
    )
    assert rendered.text == plain


@pytest.mark.parametrize(
    "source",
    [
        "{{ {'a': [1, 2.5, none, true, 'é<&>\\n']} | tojson }}",
        "{{ {'b': 1, 'a': [2]} | tojson(indent=2, sort_keys=true) }}",
        "{{ ['é'] | tojson(ensure_ascii=true, separators=(',', ':')) }}",
        "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%-d') }}",
        "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}"
        "{% if i > 5 %}{% break %}{% endif %}{{ i }}{{ ',' if not loop.last }}{% endfor %}",
        "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
        "{% generation %}{{ messages[1].content }}{% endgeneration %}!",
        "{% set ns = namespace(n=0) %}{% for m in messages if m.role == 'tool' %}"
        "{% set ns.n = ns.n + m.content|int %}{% endfor %}{{ ns.n }}",
        "{% macro f(x, y='d') %}[{{ x }}|{{ y }}|{{ varargs }}|{{ kwargs }}]{% endmacro %}"
        "{{ f(1) }}{{ f(1, 2, 3, z=4) }}",
        "{% macro g() %}<{{ caller('q') }}>{% endmacro %}{% call(x) g() %}{{ x }}!{% endcall %}",
        "{% set block %}a{{ messages|length }}b{% endset %}{{ block|upper }}",
        "{% filter upper %}abc{% endfilter %}",
        "{% for r in [1, [2, [3]]] recursive %}{{ r if r is number else loop(r) }}{% endfor %}",
        "{{ messages|map(attribute='role')|join(', ') }}",
        "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }}",
        "{{ messages|rejectattr('tool_calls', 'defined')|list|length }}",
        "{{ [3, 1, 2]|sort|first }}{{ [3, 1, 2]|sort(reverse=true)|last }}{{ [1, 2]|sum }}",
        "{{ [1, 2, 3][1:] }}{{ 'abcdef'[1:5:2] }}{{ messages[-1].content[-3:] }}{{ 'abc'[1] }}",
        "{{ messages[::-1][0].content }}{{ (messages[0].content ~ 1)|replace('e', 'E', 1) }}",
        "{% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
        "{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}",
        "{{ {'a': 1}.get('b', 'no') }}{{ 'a' in {'a': 1} }}{{ {'a': 1}['a'] }}",
        "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true, true) }}|{{ 'a\n'|indent('>>') }}",
        "{{ '%s has %d and %.2f%%'|format('x', 3, 2.5) }}{{ '%05d|%-4s|' % (42, 'a') }}",
        "{{ '{}-{}'.format('a', 2) }}{{ '{:.3f}{:>4}'.format(1.5, 'b') }}",
        "{{ '{0:>5}{name}{0}'.format(1, name='n') }}{{ '{{}}'.format() }}",
        "{{ 'hello wORLD-it'|title }}{{ 'aBc'|capitalize }}{{ 'aBc'.title() }}{{ ' x '|trim }}",
        "{{ '  a b  c '.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}",
        "{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'x\ny\n'.splitlines() }}",
        "{{ 'xxabxx'.strip('x') }}{{ 'xxab'.lstrip('x') }}{{ 'abxx'.rstrip('x') }}",
        "{{ 'prefix'.removeprefix('pre') }}{{ 'prefix'.removesuffix('x') }}{{ 'a'.ljust(3) }}|",
        "{{ 'abc'.startswith('a') }}{{ 'abc'.find('c') }}{{ 'abcb'.count('b') }}",
        "{{ 'a'.upper().lower() }}{{ ', '.join(['a', 'b']) }}{{ 'b' in 'abc' }}{{ 'a' < 'b' }}",
        "{{ none }}{{ true }}{{ 1.0 }}{{ undefined_name }}{{ [1, 'a'] }}{{ {'a': (1, 2)} }}",
        "{{ 7 // 2 }}{{ -7 % 3 }}{{ 2 ** 10 }}{{ 7 / 2 }}{{ 'ab' * 2 }}{{ [1] + [2] }}{{ +3 }}",
        "{{ 3.7|int }}{{ '0x1f'|int(0, 16) }}{{ 'x'|int(5) }}",
        "{{ 2.345|round(2) }}{{ 2.1|round(0, 'ceil') }}{{ 3.9|round|int }}",
        "{{ 'x' if false else 'y' }}{{ undefined_name|default('d') }}{{ ''|default('e', true) }}",
        "{{ [1, 2, 3, 4, 5]|batch(2)|list }}{{ [1, 2, 3]|slice(2)|list }}",
        "{{ [1, 1, 2]|unique|list }}{{ [1, 2]|min }}{{ [1, 2]|max }}",
        "{{ [1, [2]]|string }}{{ 'abc'|list }}{{ 'abc'|reverse }}{{ [1, 2]|reverse|list }}",
        "{{ 3 is odd }}{{ 4 is divisibleby 2 }}{{ 'a' is string }}{{ {} is mapping }}",
        "{% set x = cycler('a', 'b') %}{{ x.next() }}{{ x.next() }}{{ x.next() }}",
        "{% set j = joiner(', ') %}{{ j() }}a{{ j() }}b",
        "{% for m in messages %}{{ loop.cycle('x', 'y') }}{{ loop.changed(m.role) }}{% endfor %}",
        "{% for m in messages %}{{ loop.previtem }}{{ loop.index }}/{{ loop.length }}{% endfor %}",
        "{% if not tools is defined or tools is none %}no tools{% endif %}",
        "{% for x in [] %}a{% else %}b{% endfor %}{{ {'a': 1}|items|list }}",
        "{{ dict(a=1)['a'] }}{{ range(2, 8, 3)|list }}{{ 'long words here'|truncate(9) }}",
        "{%- raw %}{{ raw }}{% endraw -%}{# comment #}",
        "{{ 1 < 2 < 3 }}{{ 1 in (1, 2) }}{{ not 1 }}{{ 1 and 0 or 'z' }}{{ 'A'|lower is lower }}",
        "{% set a, b = 'x', 'y' %}{{ b ~ a }}",
        "{% for (a, b), c in [((1, 2), 3)] %}{{ a + b + c }}{% endfor %}",
    ],
)
def test_template_language(source: str) -> None:
    assert render(source) == expected(source)


@pytest.mark.parametrize(
    "source, message",
    [
        ("{{ raise_exception('roles must alternate') }}", "refuses these messages: roles must alt"),
        ("a\nb\n{{ nothing.at.all }}", "failed at line 3: 'nothing' is undefined"),
        ("{{ 1 + 'a' }}", "failed at line 1"),
        ("{% if %}", "malformed at line 1"),
        ("\n{% endfor %}", "malformed at line 2"),
        ("{{ 1|nothing }}", "No filter named 'nothing'"),
        ("{{ 1 is nothing }}", "No test named 'nothing'"),
        ("{% include 'x' %}", "may not use include"),
        ("{% import 'x' as y %}", "may not use import"),
        ("{% from 'x' import y %}", "may not use from"),
        ("{% extends 'x' %}", "may not use extends"),
        ("{% block x %}{% endblock %}", "may not use block"),
        ("{% autoescape true %}{% endautoescape %}", "may not use autoescape"),
        ("{{ messages.append(1) }}", "'append' of 'list' object is unsafe"),
        ("{{ messages[0].update({}) }}", "'update' of 'dict' object is unsafe"),
        ("{{ ''.__class__.__mro__ }}", "'__class__' of 'str' object is unsafe"),
        ("{{ namespace.__init__.__globals__ }}", "is unsafe"),
        ("{{ ''.encode() }}", "'encode' of 'str' object is unsafe"),
        ("{{ range }}", "a Function cannot be printed"),
        ("{{ namespace(a=1)|tojson }}", "has no JSON form"),
        ("{{ ['x']|map('jinja:map')|list }}", "No filter named"),
    ],
)
def test_errors_say_what_and_where(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source)
    assert message in caught.value.message


def test_variables_reach_the_template() -> None:
    options: dict[str, Any] = {
        "variables": {"enable_thinking": False, "documents": [{"title": "t"}]}
    }
    source = "{{ enable_thinking }}{{ documents[0].title }}"
    assert render(source, **options) == expected(source, **options) == "Falset"


DEEP: list[Any] = []
for _ in range(70):
    DEEP = [DEEP]


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, b"x", object(), 1 << 5000, DEEP])
def test_only_json_values_are_given(value: Any) -> None:
    with pytest.raises(TemplateError):
        render("{{ x }}", variables={"x": value})


def test_a_template_renders_alike_every_time() -> None:
    template = ChatTemplate("{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}")
    assert [template.render(CHAT).text for _ in range(3)] == ["1"] * 3
