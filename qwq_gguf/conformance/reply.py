"""What a server makes of a reply: asked for one, and for a call, and looked at.

Its settings do not show it. A server may be told of thoughts, of tools and of a budget, and
still hand the thought over as the answer, because it did not see what the model's template
does. So the answer to one question is read, with a small budget where the server takes one in
a request, and that to a second one with a tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.conformance.compare import Row, Verdict
from qwq_gguf.conformance.http import Client
from qwq_gguf.preparation import check_template
from qwq_gguf.thinking import ThinkingTags, ThoughtForm, ThoughtStart, read_form

__all__ = ["Said", "ask_for_replies", "judge_budget", "judge_call", "judge_thought", "read_said"]

BUDGET = 16
_SLACK = 4  # the closing tag, and what belongs to a token that was begun
_MOST, _MOST_WITH_CALL, _BUDGET_WITH_CALL = 96, 384, 96
_ORIGIN = "a reply"
_CALL_TAGS = ("<tool_call>", "[TOOL_CALLS]")
_TOOL = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Evaluate an arithmetic expression exactly.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the server hands it over. `cut`: the limit of tokens ended it."""

    thought: str = ""
    answer: str = ""
    calls: tuple[str, ...] = ()
    cut: bool = False


def ask_for_replies(
    client: Client, template: str | None, *, server: str, model: str | None = None
) -> tuple[Row, ...]:
    """Rows about the thought, the budget and a call, as far as the template has them.

    `template` is that of the model which the server runs. Some 500 tokens are generated at
    most. ServerError when the server refuses or takes too long.
    """
    if template is None:
        return ()
    form, tools = read_form(template), check_template(template).tools
    body: dict[str, Any] = {"temperature": 0, "seed": 1, "stream": False}
    if model is not None:
        body["model"] = model
    llama = server == "llama-server"
    rows = []
    if form.can_think:
        if (variables := form.variables(True)) and not form.default_on:
            body["chat_template_kwargs"] = variables
        asked = body | {"messages": [_user("What is 7*43?")], "max_tokens": _MOST}
        if llama:
            asked |= {"thinking_budget_tokens": BUDGET, "reasoning_budget_message": ""}
        said = read_said(client.post("/v1/chat/completions", asked))
        rows.append(judge_thought(said, form))
        if llama:
            rows.append(judge_budget(rows[0], _tokens(client, said.thought)))
    if tools:
        question = "What is 3394*35979? Use the calculator."
        asked = body | {"messages": [_user(question)], "tools": [_TOOL]}
        asked["max_tokens"] = _MOST_WITH_CALL
        if llama and form.can_think:
            asked["thinking_budget_tokens"] = _BUDGET_WITH_CALL
        rows.append(judge_call(read_said(client.post("/v1/chat/completions", asked))))
    return tuple(rows)


def judge_thought(said: Said, form: ThoughtForm) -> Row:
    """Whether the thought came in a field of its own."""
    tags = form.tags or ThinkingTags()
    wanted = "apart from the answer"
    if said.thought.strip():
        return Row("thought", wanted, "apart", Verdict.SAME, _ORIGIN)
    # A prompt that opens a thought is followed by one, so an answer cut off is part of it.
    unclosed = form.start(True) is ThoughtStart.OPENED and said.cut and bool(said.answer)
    if tags.open in said.answer or tags.close in said.answer or unclosed:
        return Row("thought", wanted, "in the answer", Verdict.DIFFERS, _ORIGIN)
    return Row("thought", wanted, "", Verdict.UNTOLD, _ORIGIN)


def judge_budget(thought: Row, tokens: int | None) -> Row:
    """Whether a request's budget of so few tokens bound the thought, which has `tokens`."""
    wanted = f"{BUDGET} tokens, as the request says"
    if thought.verdict is Verdict.DIFFERS:
        return Row("thought_budget", wanted, "no effect", Verdict.DIFFERS, _ORIGIN)
    if thought.verdict is not Verdict.SAME or tokens is None:
        return Row("thought_budget", wanted, "", Verdict.UNTOLD, _ORIGIN)
    if tokens < BUDGET - _SLACK:  # it was over before any budget could end it
        short = f"only {tokens} were needed"
        return Row("thought_budget", wanted, short, Verdict.UNTOLD, _ORIGIN)
    verdict = Verdict.SAME if tokens <= BUDGET + _SLACK else Verdict.DIFFERS
    return Row("thought_budget", wanted, f"{tokens} tokens", verdict, _ORIGIN)


def judge_call(said: Said) -> Row:
    """Whether a call came as a call. A model that makes none proves nothing."""
    wanted = "found in a reply"
    if "calculator" in said.calls:
        return Row("tool_calls", wanted, "found", Verdict.SAME, _ORIGIN)
    text = said.thought + said.answer
    if any(tag in text for tag in _CALL_TAGS):
        return Row("tool_calls", wanted, "left in the text", Verdict.DIFFERS, _ORIGIN)
    return Row("tool_calls", wanted, "", Verdict.UNTOLD, _ORIGIN)


def read_said(answer: Mapping[str, Any] | None) -> Said:
    """The message of an answer; whatever is not as it should be counts as absent."""
    choices = answer.get("choices") if answer else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return Said()
    calls = message.get("tool_calls")
    functions = (
        call.get("function")
        for call in (calls if isinstance(calls, list) else [])
        if isinstance(call, Mapping)
    )
    return Said(
        # llama-server's name for it, and vLLM's and Ollama's.
        _text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        _text(message.get("content")),
        tuple(_text(each.get("name")) for each in functions if isinstance(each, Mapping)),
        cut=choice.get("finish_reason") == "length",
    )


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _tokens(client: Client, text: str) -> int | None:
    told = client.post("/tokenize", {"content": text}) if text else None
    tokens = told.get("tokens") if told else None
    return len(tokens) if isinstance(tokens, list) else None
