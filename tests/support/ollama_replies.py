"""What Ollama makes of a reply, by the rules of its sources (v0.33), written anew.

With `PARSER qwen3-thinking` (model/parsers/qwen3.go) the reply starts inside a thought unless
thinking was turned off, one opening tag at its start is skipped, and calls stand between
`<tool_call>` and `</tool_call>`.

Without a PARSER, as for a repository on the Hub, all comes from the TEMPLATE: the tags around
.Thinking (thinking/template.go; a thought is looked for only when thinking is on, and is open
where the prompt ends in the opening tag), and the tag of a call (tools/template.go, of which
`ollama_template/main.go` has the rules). Behind that tag the first tool's name and the first
JSON object are taken for a call (tools/tools.go); a call whose tag is a brace has to be first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Read", "read_by_parser", "read_by_template"]


@dataclass(frozen=True)
class Read:
    """A message as Ollama hands it to a client."""

    thinking: str
    content: str
    calls: list[tuple[str, Any]] = field(default_factory=list)


def read_by_parser(reply: str, *, think: bool | None) -> Read:
    """As `PARSER qwen3-thinking` reads it."""
    thinking = ""
    if think is None or think:
        reply = reply.lstrip().removeprefix("<think>")
        thinking, closed, reply = reply.partition("</think>")
        if not closed:
            return Read(thinking.strip(), "")
    content, *rest = reply.split("<tool_call>")
    calls = []
    for part in rest:
        call = json.loads(part.partition("</tool_call>")[0])
        calls.append((call["name"], call["arguments"]))
    return Read(thinking.strip(), content.strip(), calls)


def read_by_template(
    reply: str,
    *,
    prompt: str,
    tags: tuple[str, str],
    call_tag: str,
    tools: Sequence[str] = (),
    think: bool | None = None,
) -> Read:
    """As Ollama reads it without a PARSER; a model whose tags it knows is asked to think."""
    opening, closing = tags
    thinking, content = "", reply
    if all(tags) and think is not False:
        inside = prompt.rstrip().endswith(opening)
        if inside or reply.lstrip().startswith(opening):
            text = reply if inside else reply.lstrip().removeprefix(opening)
            thinking, _, content = text.partition(closing)
    if not tools:
        return Read(thinking.strip(), content.strip())
    before, found, after = content.partition(call_tag)
    if not found or (call_tag in ("{", "[") and before.strip()):
        return Read(thinking.strip(), content.strip())
    return Read(thinking.strip(), before.strip(), _calls(call_tag + after, tools))


def _calls(text: str, tools: Sequence[str]) -> list[tuple[str, Any]]:
    calls: list[tuple[str, Any]] = []
    while True:
        named = [(text.find(name), -len(name), name) for name in tools if name in text]
        start = text.find("{")
        if not named or start < 0:
            return calls
        name = min(named)[2]
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            return calls
        arguments = value.get("arguments", value.get("parameters")) if "name" in value else value
        calls.append((name, arguments))
        text = text[end:]
