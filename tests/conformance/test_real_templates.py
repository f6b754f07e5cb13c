"""llama-server's own Jinja makes the prompts that ours makes, of repaired templates too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.template_of_file import special_texts
from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.metadata import text
from qwq_gguf.preparation.thought_opening import open_thought
from qwq_gguf.profiles import ThinkingTags
from support.chat_templates import QWQ, R1_STYLE
from support.llama_server import ask, llama_server, needs_llama_server
from support.tiny_gguf import write_random

pytestmark = needs_llama_server

ROOT = Path(__file__).parents[2]
ASK = Message("user", 'What is <b>7*43</b> & "why"?')
ANSWER = Message("assistant", "<think>\nseven times\n</think>\n\n301.")
TOOL = ToolSpec("calc", "Computes.", {"type": "object", "properties": {"e": {"type": "string"}}})
CALLED = Message("assistant", "", tool_calls=(ToolCall("calc", {"e": "7*43 < 302"}),))
TALKS: dict[str, tuple[list[Message], list[ToolSpec]]] = {
    "one turn": ([ASK], []),
    "system": ([Message("system", "Be terse."), ASK], []),
    "history": ([ASK, ANSWER, ASK], []),
    "tools": ([ASK], [TOOL]),
    "a result": ([ASK, CALLED, Message("tool", "301", name="calc")], [TOOL]),
}
TEMPLATES = {
    "demo": None,
    "example": (ROOT / "modelfiles" / "qwq-32b.jinja").read_text(encoding="utf-8"),
    "repaired": QWQ.replace("<think>\\n", ""),
    "repaired-r1": R1_STYLE.replace("<think>\\n", ""),
}
NAMES = {"repaired": "QwQ 32B", "repaired-r1": "DeepSeek R1 Distill Qwen 7B"}


def template_of(name: str) -> str:
    template = TEMPLATES[name]
    if template is None:
        entries = {entry.key: entry for entry in convert(open_checkpoint("demo")).metadata}
        return str(entries["tokenizer.chat_template"].value)
    return template


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_makes_the_same_prompts(name: str, tmp_path: Path) -> None:
    template = template_of(name)
    keys = {"tokenizer.chat_template": template}
    path = write_random(tmp_path / "tiny.gguf", context=512, keys=keys)
    if name in NAMES:
        metadata = {**read_gguf(path).metadata, "general.name": text("general.name", NAMES[name])}
        repair = open_thought(metadata, ThinkingTags())
        assert repair is not None
        template = str(repair.entries[0].value)
        path = write_random(path, context=512, keys={"tokenizer.chat_template": template})
    special = special_texts(read_gguf(path).metadata)
    ours = ChatTemplate(template)
    with llama_server(path, context=512) as address:
        for talk, (chat, tools) in TALKS.items():
            if tools and name == "repaired-r1":
                continue  # it knows no tools, and llama-server then writes them its own way
            body = {"messages": [sent(message) for message in chat]}
            if tools:
                body["tools"] = [tool.to_json() for tool in tools]
            theirs = ask(address, "/apply-template", body)["prompt"]
            expected = ours.render(chat, tools, special_tokens=special).text
            assert theirs == expected, talk
            assert theirs.endswith("<think>\n")


def sent(message: Message) -> dict[str, Any]:
    """As OpenAI's API wants it: arguments are text."""
    value = dict(message.to_json())
    calls = [json.loads(json.dumps(call)) for call in value.get("tool_calls") or ()]
    for number, call in enumerate(calls):
        call |= {"type": "function", "id": f"call-{number}"}
        call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
    return value | ({"tool_calls": calls} if calls else {})
