"""A stranger's template ends soon and in a TemplateError, whatever it tries."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate, Limits
from qwq_gguf.errors import TemplateError


def grow(start: str, following: str, use: str = "") -> str:
    """A template that computes a value from itself sixty times."""
    return (
        f"{{% set ns = namespace(a={start}) %}}{{% for i in range(60) %}}"
        f"{{% set ns.a = {following} %}}{{% endfor %}}{use}"
    )


BOMBS = {
    # one operation
    "multiply": "{{ 'a' * 10**9 }}",
    "multiply the other way": "{{ 10**9 * 'a' }}",
    "multiply a list": "{{ ([1] * 10**9)|length }}",
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "power": "{{ 10 ** (10**10) }}",
    "percent width": "{{ '%1000000000d' % 1 }}",
    "percent precision": "{{ '%.1000000000f' % 1 }}",
    "percent star": "{{ '%*d' % (10**9, 1) }}",
    "percent key": "{{ '%(a(b))1000000000d' % {'a(b)': 1} }}",
    "percent hidden": "{{ '%%(x%999999999d)' % 1 }}",
    "format filter": "{{ '%999999999d'|format(1) }}",
    "str.format": "{{ '{:>1000000000}'.format(1) }}",
    "str.format nested": "{{ '{:{}}'.format(1, 10**9) }}",
    "str.format of much": "{% set a = '{0}' * 100000 %}{{ a.format('a' * 100000) }}",
    "odd": "{{ '%999999999d' is odd }}",
    "even": "{{ '%999999999d' is even }}",
    "divisible": "{{ '%999999999d' is divisibleby 3 }}",
    "select odd": "{{ ['%999999999d']|select('odd')|list }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "center": "{{ 'a'.center(10**9) }}",
    "zfill": "{{ '1'.zfill(10**9) }}",
    "replace": "{% set a = 'a' * 100000 %}{{ a.replace('a', a) }}",
    "replace filter": "{% set a = 'a' * 100000 %}{{ a|replace('', a) }}",
    "join": "{% set a = 'a' * 1000000 %}{{ a.join('b' * 1000) }}",
    "join filter": "{{ range(1000)|join('a' * 1000000) }}",
    "split": "{{ ('a' * 4000000).split('a')|length }}",
    "words": "{{ ('a ' * 2000000).split()|length }}",
    "lines": "{{ ('\n' * 4000000).splitlines()|length }}",
    "letters": "{{ ('a' * 4000000)|list|length }}",
    "round": "{{ 1.5|round(10**9, 'ceil') }}",
    "indent": "{{ 'a\nb'|indent(10**9) }}",
    "json indent": "{{ [1]|tojson(indent=10**9) }}",
    "batch": "{{ [1]|batch(10**9, 'x')|list }}",
    "slice": "{{ [1]|slice(10**9, 'x')|list }}",
    "integer": "{{ ('f' * 1000000)|int(0, 16) }}",
    "hexadecimal": "{{ 0x" + "f" * 60000 + " // 7 }}",
    "decimal": "{{ " + "9" * 60000 + " }}",
    "sum of lists": "{{ ([[1]] * 100000)|sum(start=[]) }}",
    "title": "{{ ('a ' * 2000000)|title }}",
    "strftime": "{{ strftime_now('%_999999999d') }}",
    # growth
    "concatenate": grow("'aaaa'", "ns.a ~ ns.a"),
    "add": grow("'aaaa'", "ns.a + ns.a"),
    "join itself": grow("'aaaa'", "[ns.a, ns.a]|join"),
    "capture": "{% set ns = namespace(a='aaaa') %}{% for i in range(60) %}"
    "{% set b %}{{ ns.a }}{{ ns.a }}{% endset %}{% set ns.a = b %}{% endfor %}",
    "add lists": grow("[1, 2]", "ns.a + ns.a"),
    "square": grow("3", "ns.a * ns.a"),
    "lists in lists": grow("[1]", "[ns.a, ns.a]", "{{ ns.a }}"),
    "tuples in tuples": grow("(1, 2)", "(ns.a, ns.a)", "{{ {ns.a: 1} }}"),
    "dicts in dicts": grow("{}", "{'a': ns.a, 'b': ns.a}", "{{ ns.a|tojson }}"),
    "compare twins": grow("[1]", "[ns.a, ns.a]", "{{ ns.a == ns.a }}"),
    "deep": "{% set ns = namespace(a=[1]) %}{% for i in range(20000) %}"
    "{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
    "varargs": "{% macro m(n) %}{% if n %}{{ m(n - 1, varargs, varargs) }}{% else %}"
    "{{ varargs }}{% endif %}{% endmacro %}{{ m(40, 1) }}",
    "kwargs": "{% macro m(n) %}{% if n %}{{ m(n - 1, a=kwargs, b=kwargs) }}{% else %}"
    "{{ kwargs }}{% endif %}{% endmacro %}{{ m(40, a=1) }}",
    "repr": grow("'\\\\\\\\'", "[ns.a]|string"),
    "json": grow("'\\\\\\\\'", "ns.a|tojson"),
    # rounds
    "nested loops": "{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}"
    "{% endfor %}{% endfor %}",
    "filtered loops": "{% for a in range(100000) %}{% for b in range(100000) if false %}"
    "{% endfor %}{% endfor %}",
    "long operations": "{% set a = 'a' * 4000000 %}{% set b = 'a' * 3999999 ~ 'b' %}"
    "{% for i in range(100000) %}{% if a == b %}{% endif %}{% endfor %}",
    "long searches": "{% set a = 'a' * 4000000 %}{% for i in range(100000) %}{{ a.find('b') }}"
    "{% endfor %}",
    "many slices": "{% set a = 'a' * 4000000 %}{% for i in range(100000) %}{% set b = a[1:] %}"
    "{% endfor %}",
    "much kept": "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}"
    "{% set ns.a = [ns.a, 'a' * 1000000 ~ i] %}{% endfor %}",
    "list by list": "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}"
    "{% set ns.a = ns.a + [i] %}{% endfor %}",
    "much printed": "{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{{ a }}{% endfor %}",
    "calls in calls": "{% macro a() %}{% for i in range(999) %}x{% endfor %}{% endmacro %}"
    "{% macro b() %}{% for i in range(999) %}{{ a() }}{% endfor %}{% endmacro %}"
    "{% for i in range(999) %}{{ b() }}{% endfor %}",
    "sort": "{{ range(250000)|map('string')|sort|map('upper')|sort|map('lower')|sort|last }}"
    "{{ range(250000)|map('string')|sort|map('upper')|sort|map('lower')|sort|last }}",
    # recursion
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macro tree": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "caller": "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    # compilation
    "too long": "a" * 70000,
    "parentheses": "{{ " + "(" * 30000 + "1" + ")" * 30000 + " }}",
    "brackets": "{{ " + "[" * 60000,
    "minus": "{{ " + "-" * 60000 + "1 }}",
    "not": "{{ " + "not " * 15000 + "1 }}",
    "plus": "{{ " + "1+" * 30000 + "1 }}",
    "dots": "{{ a" + ".a" * 30000 + " }}",
    "filters": "{{ 1" + "|string" * 9000 + " }}",
    "conditions": "{{ " + "1 if 1 else " * 5000 + "1 }}",
    "elif": "{% if a %}" + "{% elif a %}" * 5000 + "{% endif %}",
    "if": "{% if a %}" * 6000,
    "for": "{% for a in b %}" * 30 + "{% endfor %}" * 30,
    "macros": "{% macro a() %}" * 4000,
    "many parts": "{{a}}" * 13000,
    "braces": "{" * 65000,
    "tags": "{%" * 32000,
    "comments": "{#" * 32000,
    "quotes": "{{ '" * 16000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped(name: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateError):
        ChatTemplate(BOMBS[name]).render([Message("user", "hi")])
    # Its own limit is 2 seconds; compiling and one long operation may come on top.
    assert time.process_time() - started < 6


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds memory only on Linux")
def test_no_bomb_needs_memory() -> None:
    script = """
import resource, sys
sys.path[:0] = ["tests/chat", "."]
from test_template_bombs import BOMBS
from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.template import ChatTemplate, Limits
from qwq_gguf.errors import TemplateError
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
for name, source in BOMBS.items():
    try:
        ChatTemplate(source, limits=Limits(seconds=0.3)).render([Message("user", "hi")])
    except TemplateError as error:
        # Running out of memory is reported as too deep nesting.
        assert "nests too deeply" not in error.message, name
    else:
        raise AssertionError(name)
print("all stopped")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "all stopped\n", done.stderr


def test_long_messages_are_refused() -> None:
    template = ChatTemplate("{{ messages[0].content }}")
    with pytest.raises(TemplateError, match="the chat is longer than"):
        template.render([Message("user", "a" * (5 << 20))])


def test_a_long_chat_is_fine() -> None:
    template = ChatTemplate(
        "{% for m in messages %}<|im_start|>{{ m.content.split('</think>')[-1].lstrip('\\n') }}"
        "{{ m.content|trim|replace('b', 'c') }}{{ m.content + '\\n' }}{% endfor %}"
    )
    messages = [Message("user", "word b " * 100)] * 1000
    assert len(template.render(messages, control_tokens=["<|im_start|>"]).text) > 2_000_000


def test_limits_can_be_set() -> None:
    source = "{% for i in range(100) %}{{ i }}{% endfor %}"
    assert ChatTemplate(source).render([]).text.startswith("0123")
    for limits in (Limits(steps=50), Limits(output=50), Limits(items=50), Limits(source=10)):
        with pytest.raises(TemplateError):
            ChatTemplate(source, limits=limits).render([])
